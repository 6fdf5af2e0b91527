"""Sparse polynomial chaos: regression on products of polynomials orthonormal under the inputs' distribution."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import scipy.linalg
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from surrogate.emulators.base import TableEmulator
from surrogate.emulators.orthogonal import (
    MAX_DEGREE,
    functions_of_space,
    hyperbolic_indices,
    observed,
    products,
)
from surrogate.emulators.tables import Scaled, columns_of, fold_of_each
from surrogate.emulators.threads import few_threads

__all__ = ["PolynomialChaos"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# Ten folds where five would take runs away that are dearly missed.
TEN_FOLDS_ROWS = 100

# Candidate terms, per run and in all, and terms taken in, as a share of the runs of a fold's complement and in all.
TERMS_PER_RUN, FEW_TERMS, MOST_TERMS = 4, 60, 1500
TAKEN_SHARE, MOST_TAKEN = 0.8, 200

# How terms are taken in: the rule, and the factor by which one more degree lowers a term's score.
ORDERS: dict[str, tuple[tuple[Literal["stepwise", "lars"], float], ...]] = {
    "stepwise": (("stepwise", 1.0),),
    "lars": (("lars", 1.0),),
    "both": (("stepwise", 1.0), ("stepwise", 0.65), ("lars", 0.8)),
}

# Orders after the first are tried on this many of the best truncations.
BEST_TRUNCATIONS = 4

# A model's weight is its cross-validation error to the power of minus this.
SHARPNESS = 8.0

# A column that is, up to this share of its square, a combination of those taken in cannot be told from them.
DEPENDENT = 1e-8

# A run that its regression must go through has no freedom to be predicted with; rounding errors must not decide that.
LEAST_FREEDOM = 1e-10

# Terms are selected on at most this many runs; coefficients are of all.
MOST_ROWS = 3000

# A path ends when its error has not improved for half as many terms as the best size, and at least this many.
PATIENCE = 25


@dataclass(frozen=True, eq=False)
class _Path:
    """Terms in the order in which they were taken in, with all runs and in each fold's complement.

    Attributes
    ----------
    order : int array of shape (k,)
        Terms, with all runs.
    fold_orders : int array of shape (folds, k)
        The same in each fold's complement.
    triangle : array of shape (k, k)
        R of their QR decomposition.
    projections : array of shape (k,)
        Q' y.
    held_out : array of shape (k, n)
        Each run as predicted by the first 1, 2, ... k terms that its fold's complement took in.
    leverage : array of shape (k, n)
        psi' inv(Psi' Psi) psi of each run in that complement's regression.
    residual_leverage : array of shape (k, n)
        The same in the regression on all runs: the diagonal of its hat matrix.
    fitted : array of shape (k, n)
        Predictions of the regression on all runs.
    """

    order: IntArray
    fold_orders: IntArray
    triangle: FloatArray
    projections: FloatArray
    held_out: FloatArray
    leverage: FloatArray
    residual_leverage: FloatArray
    fitted: FloatArray

    def coefficients(self, weights: FloatArray) -> FloatArray:
        """Average of the coefficients of sizes 1, 2, ... with the given weights; array of shape (k,)."""
        # The coefficients of size s are inv(R) of the first s projections, since R is a triangle: the average of the
        # solutions is the solution of the average.
        kept = np.cumsum(weights[::-1])[::-1]
        return np.asarray(scipy.linalg.solve_triangular(self.triangle, self.projections * kept, check_finite=False))


def _take_in(columns: FloatArray, z: FloatArray, fold: IntArray, rule: str, penalty: FloatArray, most: int) -> _Path:
    """One path by orthogonal least squares or least angle regression, with all runs and without each fold.

    Parameters
    ----------
    columns : array of shape (n, p)
        Candidate terms, the constant first.
    z : array of shape (n,)
    fold : int array of shape (n,)
    rule : {"stepwise", "lars"}
        Take the term that lowers the sum of squares most; or that with which the residual makes the least angle, while
        the earlier ones move to their regression together.
    penalty : array of shape (p,)
        Factors of the terms' scores.
    most : int

    References
    ----------
    .. [1] S. Chen, S. A. Billings, W. Luo, "Orthogonal least squares methods and their application to non-linear system
       identification", International Journal of Control 50(5), 1989.
    .. [2] B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least angle regression", Annals of Statistics 32(2), 2004,
       eqs. 2.9-2.13.
    """
    n, p = columns.shape
    folds = int(fold.max()) + 1
    # All paths at once: one a fold's complement, the last with all runs.
    used = np.vstack([fold != i for i in range(folds)] + [np.ones(n, dtype=bool)]).astype(float)
    f = np.arange(folds + 1)
    runs = np.arange(n)

    square = used @ columns**2  # what is left of each column
    floor = DEPENDENT * square
    covariance = (used * z) @ columns  # with what is left of z
    out_of_reach = np.zeros((folds + 1, p), dtype=bool)
    scale = np.sqrt(penalty / np.maximum(square, np.finfo(float).tiny))
    q = np.zeros((folds + 1, most, n))
    r = np.zeros((folds + 1, most, p))
    fitted, leverage = np.zeros((folds + 1, n)), np.zeros((folds + 1, n))
    order = np.zeros((folds + 1, most), dtype=np.int64)
    projections = np.zeros(most)
    kept: dict[str, list[FloatArray]] = {name: [] for name in ("held", "lever", "hat", "fit")}
    best, best_size = np.inf, 0
    lars = _LeastAngle(columns, used, scale, covariance) if rule == "lars" else None

    size = 0
    while size < most:
        if size == 0:
            j = np.zeros(folds + 1, dtype=np.int64)
            good = np.ones(folds + 1, dtype=bool)
        else:
            free = (square > floor) & ~out_of_reach
            good = np.asarray(free.any(axis=1))
            if not good[-1]:
                break
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.where(free, covariance**2 / square * penalty, -1.0)
            j = score.argmax(axis=1) if lars is None else lars.next(fitted, free, score)
        out_of_reach[f, j] = True
        length = np.sqrt(np.maximum(square[f, j], np.finfo(float).tiny))
        direction = columns[:, j].T
        if size:
            direction = direction - np.matmul(r[f, :size, j][:, None, :], q[:, :size])[:, 0]
        direction = np.where(good[:, None], direction / length[:, None], 0.0)
        weighted = used * direction
        projection = (weighted * (z - fitted)).sum(axis=1)
        row = weighted @ columns
        order[:, size] = j
        q[:, size], r[:, size] = direction, row
        projections[size] = projection[-1]
        covariance = covariance - row * projection[:, None]
        square = square - row**2
        fitted = fitted + direction * projection[:, None]
        leverage = leverage + direction**2
        kept["held"].append(fitted[fold, runs])
        kept["lever"].append(leverage[fold, runs])
        kept["hat"].append(leverage[-1])
        kept["fit"].append(fitted[-1])
        size += 1
        if folds > 1:
            error = float(((fitted[fold, runs] - z) ** 2).sum())
        else:
            error = float((((fitted[-1] - z) / np.maximum(1.0 - leverage[-1], LEAST_FREEDOM)) ** 2).sum())
        if error < best:
            best, best_size = error, size
        elif size > 1.5 * best_size + PATIENCE:
            break
    own = order[-1, :size]
    triangle = np.triu(r[-1, :size][:, own])
    told = (np.array(kept[name]) for name in ("held", "lever", "hat", "fit"))
    return _Path(own, order[:-1, :size], triangle, projections[:size], *told)


class _LeastAngle:
    """Which term least angle regression takes in next, for several regressions at once."""

    def __init__(self, columns: FloatArray, used: FloatArray, scale: FloatArray, covariance: FloatArray) -> None:
        self._columns, self._used, self._scale = columns, used, scale
        self._covariance = covariance
        self._level: FloatArray | None = None
        self._fitted: FloatArray | None = None

    def next(self, regression: FloatArray, free: BoolArray, score: FloatArray) -> IntArray:
        """Move towards the regression on the terms taken in until another has the same angle.

        Parameters
        ----------
        regression : array of shape (folds, n)
            Its predictions.
        free : bool array of shape (folds, p)
        score : array of shape (folds, p)
            What to go by where no term comes to the same angle.
        """
        f = np.arange(len(regression))
        if self._level is None or self._fitted is None:
            # Of the constant alone the regression is taken at once, and its terms' correlations start there.
            self._fitted = regression
            self._covariance = (
                self._covariance * self._scale - ((self._used * regression) @ self._columns) * self._scale
            )
            chosen = np.where(free, np.abs(self._covariance), -1.0).argmax(axis=1)
            self._level = np.abs(self._covariance[f, chosen])
            return np.asarray(chosen)
        ahead = regression - self._fitted
        slope = ((self._used * ahead) @ self._columns) * self._scale
        level = self._level[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            steps = np.stack(
                [(level - self._covariance) / (level - slope), (level + self._covariance) / (level + slope)]
            )
        steps = np.where((steps > 1e-12) & (steps <= 1.0) & free, steps, np.inf).min(axis=0)
        chosen = steps.argmin(axis=1)
        step = steps[f, chosen]
        stuck = ~np.isfinite(step)
        chosen = np.where(stuck, score.argmax(axis=1), chosen)
        step = np.where(stuck, 1.0, step)
        self._fitted = self._fitted + step[:, None] * ahead
        self._covariance = self._covariance - step[:, None] * slope
        self._level = self._level * (1.0 - step)
        return np.asarray(chosen)


class PolynomialChaos(TableEmulator):
    """Sparse regression on orthonormal polynomials, averaged over truncations by their cross-validation error.

    Candidate terms are products of polynomials up to a degree in the q-norm. Terms are taken in one by one; how many,
    of which degree and which q is judged by cross-validation in which each fold's complement *takes in its own terms*:
    the leave-one-out error of a basis that was selected with all runs is far too good. All truncations and sizes are
    averaged with weights that fall steeply with that error, which is again a polynomial.

    Parameters
    ----------
    degree : int, optional
        Largest degree in the q-norm; by default as many as give four candidate terms a run.
    q : float or tuple of float
        Norms to try, in (0, 1]: 1 keeps all products up to the degree, less keeps fewer interactions.
    selection : {"both", "stepwise", "lars"}
        How terms are taken in: orthogonal least squares, least angle regression, or both and one that prefers low
        degrees.
    average : bool
        Whether to average; otherwise the single best truncation and size is used.
    validation : {"folds", "loo"}
        Judge by cross-validation with selection in each fold, or by the corrected leave-one-out error of the basis that
        was selected with all runs [1]_: some ten times as fast, and too optimistic.
    folds : int, optional
        By default 10 up to 100 runs, then 5.
    max_interaction : int, optional
        Largest number of inputs in a term.
    rng : int, Generator or None
        Assigns runs to folds.

    Attributes
    ----------
    coefficients_ : array of shape (p,)
        In the output's unit; the first belongs to the constant.
    indices_ : int array of shape (p, d)
        Which polynomial of each input a term multiplies.
    mean_, variance_ : float
        Of the output under the inputs' distribution.
    degree_, q_, n_terms_ : int, float, int
        The single best truncation and size.
    cv_error_ : float
        Cross-validated mean square error over the output's variance.
    corrected_loo_error_ : float
        Corrected leave-one-out error of the single best, over the output's variance.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Notes
    -----
    Without a `space` inputs count as uniform between their smallest and largest value. A fit needs three rows.

    The standard deviation is the cross-validated error, larger where the regression had few runs (its leverage).

    ``leave_one_out`` predicts each run without its fold, terms selected anew in the fold's complement: leaving out one
    run with the terms fixed would be quicker and far too optimistic.

    References
    ----------
    .. [1] G. Blatman, B. Sudret, "Adaptive sparse polynomial chaos expansion based on least angle regression", Journal
       of Computational Physics 230(6), 2011: hyperbolic truncation, eq. 14; corrected error, eqs. 29-31.
    .. [2] B. Sudret, "Global sensitivity analysis using polynomial chaos expansions", Reliability Engineering and
       System Safety 93(7), 2008: Sobol indices, eqs. 33-39.

    Examples
    --------
    >>> x = np.random.default_rng(0).random((60, 2))
    >>> pce = PolynomialChaos().fit(x, 1 + x[:, 0] + x[:, 0] * x[:, 1] ** 3)
    >>> pce.predict([[0.5, 0.5]]).round(4)
    array([1.5625])
    """

    _least_rows = 3

    def __init__(
        self,
        *,
        degree: int | None = None,
        q: float | tuple[float, ...] = (0.5, 0.75, 1.0),
        selection: Literal["both", "stepwise", "lars"] = "both",
        average: bool = True,
        validation: Literal["folds", "loo"] = "folds",
        folds: int | None = None,
        max_interaction: int | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.degree = degree
        self.q = q
        self.selection = selection
        self.average = average
        self.validation = validation
        self.folds = folds
        self.max_interaction = max_interaction
        self.rng = rng

    def _learn(self, table: Any, y: FloatArray) -> None:
        columns = columns_of(table)
        self._functions = observed(table) if self.space_ is None else functions_of_space(self.space_)
        self._scaled = Scaled.of(y)
        n = len(y)
        folds = min(n, self.folds or (10 if n <= TEN_FOLDS_ROWS else 5))
        if self.validation == "loo":
            folds = 1  # of which nothing is held out
        fold = fold_of_each(n, folds, self.rng)
        z = self._scaled.forward(y)
        with few_threads(n):
            if n <= MOST_ROWS:
                self._fit_scaled(columns, z, fold)
            else:
                self._fit_part(columns, z, fold)

    def _check_options(self) -> None:
        qs = np.atleast_1d(np.asarray(self.q, dtype=float))
        if not (qs.size and ((qs > 0) & (qs <= 1)).all()):
            raise ValueError(f"q must lie in (0, 1], got {self.q}")
        if self.selection not in ORDERS:
            raise ValueError(f"selection must be one of {sorted(ORDERS)}, got {self.selection!r}")
        if self.validation not in ("folds", "loo"):
            raise ValueError(f"validation must be 'folds' or 'loo', got {self.validation!r}")
        if self.degree is not None and not 0 <= self.degree <= MAX_DEGREE:
            raise ValueError(f"degree must lie in 0 to {MAX_DEGREE}, got {self.degree}")
        if self.folds is not None and self.folds < 2:
            raise ValueError(f"folds must be at least 2, got {self.folds}")

    def _truncations(self, n: int) -> Iterator[tuple[int, float, IntArray]]:
        """Degree, q and terms of each candidate."""
        degrees = [own.degrees for own in self._functions]
        linear = sum(len(own) > 1 for own in degrees) + 1
        limit = max(min(TERMS_PER_RUN * n, MOST_TERMS), FEW_TERMS, linear)
        if self.degree is not None:
            limit = max(limit, 10 * MOST_TERMS)
        seen: set[bytes] = set()
        for q in np.atleast_1d(np.asarray(self.q, dtype=float)):
            for degree in range(1, MAX_DEGREE + 1) if self.degree is None else (self.degree,):
                found = hyperbolic_indices(degrees, degree, float(q), limit, self.max_interaction)
                if found is None:
                    if self.degree is not None:
                        raise ValueError(
                            f"degree={degree} with q={q:g} has more than {limit} terms of {len(degrees)} inputs; "
                            "lower degree, q or max_interaction"
                        )
                    break
                # A degree that adds nothing says that every input has run out of functions.
                if found.tobytes() not in seen:
                    seen.add(found.tobytes())
                    yield degree, float(q), found

    def _fit_scaled(self, columns: list[Any], z: FloatArray, fold: IntArray) -> None:
        n = len(z)
        candidates = list(self._truncations(n))
        if self._scaled.is_constant:
            candidates = [(0, 1.0, np.zeros((1, len(columns)), dtype=np.int64))]
        every, places = np.unique(np.vstack([terms for *_, terms in candidates]), axis=0, return_inverse=True)
        values = products(self._functions, columns, every)
        ends = np.cumsum([len(terms) for *_, terms in candidates])
        place = np.split(places.ravel(), ends[:-1])
        smallest = n if self.validation == "loo" else n - int(np.bincount(fold).max())
        most = max(1, min(int(TAKEN_SHARE * smallest), MOST_TAKEN, smallest - 1))

        def path(i: int, rule: str, factor: float) -> _Path:
            own = np.ascontiguousarray(values[:, place[i]])
            total = candidates[i][2] @ np.ones(len(columns))
            return _take_in(own, z, fold, rule, factor**total, min(most, own.shape[1]))

        first, *others = ORDERS[self.selection]
        models = [(i, path(i, *first)) for i in range(len(candidates))]
        ranked = sorted(range(len(models)), key=lambda i: float(self._errors(models[i][1], z).min()))
        models += [(i, path(i, *order)) for i in ranked[:BEST_TRUNCATIONS] for order in others]
        self._combine(candidates, models, every, place, z)
        self._fold = fold

    def _errors(self, path: _Path, z: FloatArray) -> FloatArray:
        """Mean square error by size, (k,)."""
        if self.validation == "folds":
            return np.asarray(((path.held_out - z) ** 2).mean(axis=1))
        return _corrected_errors(path, z)

    def _combine(
        self,
        candidates: list[tuple[int, float, IntArray]],
        models: list[tuple[int, _Path]],
        every: IntArray,
        place: list[IntArray],
        z: FloatArray,
    ) -> None:
        # A floor, so that of several exact models none wins by its rounding errors.
        logs = [np.log(self._errors(path, z) + 1e-28) for _, path in models]
        least = min(float(own.min()) for own in logs)
        top = next(m for m, own in enumerate(logs) if own.min() == least)
        i, path = models[top]
        size = int(logs[top].argmin()) + 1
        if self.average:
            weights = [np.exp(-SHARPNESS * (own - least)) for own in logs]
        else:
            weights = [np.zeros(len(own)) for own in logs]
            weights[top][size - 1] = 1.0
        total = sum(float(own.sum()) for own in weights)
        coefficients = np.zeros(len(every))
        held_out = np.zeros(len(z))
        for (k, found), own in zip(models, weights):
            if own.max() < 1e-6 * total:
                continue
            own = own / total
            coefficients[place[k][found.order]] += found.coefficients(own)
            held_out += own @ (found.held_out if self.validation == "folds" else _left_out(found, z))
        used = np.flatnonzero(coefficients)
        used = used[np.argsort(every[used].sum(axis=1), kind="stable")] if len(used) else np.array([0])
        self.indices_ = every[used]
        self._scaled_coefficients = coefficients[used]
        if self.indices_[0].any():  # a constant of exactly 0
            self.indices_ = np.vstack([np.zeros_like(self.indices_[:1]), self.indices_])
            self._scaled_coefficients = np.append(0.0, self._scaled_coefficients)

        # Where the regression had few runs its coefficients are uncertain: the leverage, here of the single best.
        self._lever_indices = every[place[i][path.order[:size]]]
        self._fold_indices = [every[place[i][order[:size]]] for order in path.fold_orders]
        self._lever_triangle = path.triangle[:size, :size]
        lever = (path.leverage if self.validation == "folds" else path.residual_leverage)[size - 1]
        error = (held_out - z) ** 2
        self._noise = float(np.sqrt((error / (1.0 + np.minimum(lever, 1e6))).mean()))
        self._held_out = held_out
        self._held_out_std = self._noise * np.sqrt(1.0 + np.minimum(lever, 1e6))
        self.degree_, self.q_, self.n_terms_ = candidates[i][0], candidates[i][1], size
        self.cv_error_ = float(error.mean())
        self.corrected_loo_error_ = float(_corrected_errors(path, z)[size - 1])
        self._tell()

    def _fit_part(self, columns: list[Any], z: FloatArray, fold: IntArray) -> None:
        """Select on part of the runs, predict the others, which have not been seen, then regress on all."""
        chosen = np.sort(np.random.default_rng(self.rng).choice(len(z), MOST_ROWS, replace=False))
        rest = np.setdiff1d(np.arange(len(z)), chosen)
        self._fit_scaled([column[chosen] for column in columns], z[chosen], fold[chosen])
        values = products(self._functions, columns, self.indices_)
        held_out, std = np.empty(len(z)), np.empty(len(z))
        held_out[chosen], std[chosen] = self._held_out, self._held_out_std
        held_out[rest] = values[rest] @ self._scaled_coefficients
        std[rest] = self._noise * self._lever_factor([column[rest] for column in columns])
        self._held_out, self._held_out_std, self._fold = held_out, std, fold
        if not self._scaled.is_constant:
            self._scaled_coefficients = np.asarray(np.linalg.lstsq(values, z, rcond=None)[0])
        self._tell()

    def _tell(self) -> None:
        scaled = self._scaled
        self.coefficients_ = scaled.spread(self._scaled_coefficients)
        self.coefficients_[0] = scaled.backward(self._scaled_coefficients[:1])[0]
        self.mean_ = float(self.coefficients_[0])
        with np.errstate(over="ignore", under="ignore"):
            self.variance_ = float((self.coefficients_[1:] ** 2).sum())

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        columns = columns_of(table)
        mean = products(self._functions, columns, self.indices_) @ self._scaled_coefficients
        std = self._noise * self._lever_factor(columns) if with_std else np.zeros_like(mean)
        return self._scaled.moments(mean, std)

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        return self._scaled.moments(self._held_out, self._held_out_std)

    def _lever_factor(self, columns: list[Any]) -> FloatArray:
        """How much larger than the noise the error at new points is, since coefficients are uncertain."""
        values = products(self._functions, columns, self._lever_indices)
        solved = scipy.linalg.solve_triangular(self._lever_triangle, values.T, trans=1, check_finite=False)
        return np.asarray(np.sqrt(1.0 + np.einsum("km,km->m", solved, solved)))

    def sobol_indices(self) -> pd.DataFrame:
        """First-order and total Sobol indices, exact for the fitted polynomial and the inputs' distribution.

        Returns
        -------
        DataFrame of shape (d, 2)
            Columns ``first`` and ``total``, one row an input; NaN if the output does not vary.
        """
        check_is_fitted(self)
        share = self._scaled_coefficients**2
        acts = self.indices_ > 0
        alone = acts & (acts.sum(axis=1) == 1)[:, None]
        total = share[acts.any(axis=1)].sum()
        with np.errstate(invalid="ignore", divide="ignore"):
            table = np.column_stack([share @ alone, share @ acts]) / total
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        return pd.DataFrame(table, columns=["first", "total"], index=pd.Index(names, name="input"))


def _left_out(path: _Path, z: FloatArray) -> FloatArray:
    """Each run as predicted by the regression on the others, terms fixed; by size, (k, n)."""
    free = np.maximum(1.0 - path.residual_leverage, LEAST_FREEDOM)
    return z - (z - path.fitted) / free


def _corrected_errors(path: _Path, z: FloatArray) -> FloatArray:
    """Leave-one-out error by size times the correction for few runs; Blatman and Sudret (2011), eqs. 29-31."""
    n, k = len(z), len(path.order)
    inverse = scipy.linalg.solve_triangular(path.triangle, np.eye(k), check_finite=False)
    trace = np.cumsum((inverse**2).sum(axis=0))
    sizes = np.arange(1, k + 1)
    factor = n / np.maximum(n - sizes, 0.5) * (1.0 + trace)
    return np.asarray(((_left_out(path, z) - z) ** 2).mean(axis=1) * factor)
