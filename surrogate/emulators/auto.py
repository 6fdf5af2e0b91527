"""The best emulator for the data at hand, or an average of several."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone

from surrogate.emulators.base import TableEmulator
from surrogate.emulators.forest import ForestEmulator
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.emulators.polynomial_chaos import PolynomialChaos
from surrogate.emulators.polynomial_kriging import PolynomialKriging
from surrogate.emulators.radial_basis import RadialBasis
from surrogate.emulators.stacking import LEAST_STD, Mixture, average, stack
from surrogate.emulators.tables import Scaled, fit_on, normal_mass, predict_each
from surrogate.space import Categorical, Integer, Ordinal

__all__ = ["AutoEmulator"]

FloatArray = NDArray[np.float64]

# Weights get sharper with the runs an input: with 10 the best part is often best by chance, with 25 rarely.
RUNS_PER_INPUT = 2.0

# A forest is asked, too, where inputs are discrete or where smooth parts leave so much of the variance unexplained:
# outputs that jump are nothing for them.
ROUGH_ERROR = 0.05
FEW_LEVELS = 6
FOREST_TREES = 100

# Beyond this many runs parts are first judged on so many of them, and only those that get at least this weight are
# fitted to all.
SCREEN_ROWS, SCREEN_WEIGHT = 600, 0.02

# Beyond this many runs parts whose cost grows with the cube of their number are left out.
DENSE_ROWS = 5000
DENSE_PARTS = ("polynomial_kriging", "radial_basis")

# Parts below this weight are not asked for predictions.
LEAST_WEIGHT = 1e-4

# What a part may raise on data that are not for it, e.g. fewer runs than it needs.
UNFIT = (ValueError, np.linalg.LinAlgError, FloatingPointError)


class AutoEmulator(TableEmulator):
    """Gaussian processes, sparse polynomials and both together, averaged by how well they predict unseen runs.

    Parts are Gaussian processes with four kernels, a sparse polynomial chaos expansion, a Gaussian process on the terms
    that this selects, radial basis functions, and, where inputs are discrete or the output is rough, a forest. Each
    predicts every run without having seen it (closed form, or folds in which terms are selected anew); the higher the
    density that it gives these runs, the higher its weight in the average, steeply. If the average is no help, the best
    part is used alone.

    Standard deviations are those of the mixture, so that they hold where the parts disagree. A fit needs three rows.

    Parameters
    ----------
    parts : sequence of (name, emulator), or mapping, optional
        Emulators with ``leave_one_out``, instead of these.
    noise : None or "estimate"
        As of :class:`GaussianProcess`: None for a simulator that always gives the same answer.
    rng : int, Generator or None
        Assigns runs to folds.

    Attributes
    ----------
    weights_ : Series
        Weight of each part, by name.
    scores_ : DataFrame
        One row a part: ``weight``; ``q2``, ``log_density`` of unseen runs (of the standardised output, a run, after
        inflation); ``inflation`` of its standard deviations (they are never deflated); ``seconds`` of wall clock;
        ``problem``, if it could not be fitted.
    reason_ : str
        What was chosen, and why.
    parts_ : dict
        The fitted parts that have a weight.
    q2_ : float
        Share of the output's variance that the average predicts of unseen runs.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    Examples
    --------
    >>> x = np.random.default_rng(0).random((40, 2))
    >>> model = AutoEmulator().fit(x, np.sin(5 * x[:, 0]) * x[:, 1])
    >>> mean, std = model.predict([[0.5, 0.5]], return_std=True)
    >>> bool(abs(mean[0] - 0.5 * np.sin(2.5)) < 0.01)
    True
    >>> model.weights_.sum().round(6).item()
    1.0
    """

    _least_rows = 3
    _held_out: tuple[FloatArray, FloatArray]

    def __init__(
        self,
        parts: Sequence[tuple[str, Any]] | Mapping[str, Any] | None = None,
        *,
        noise: Literal["estimate"] | None = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.parts = parts
        self.noise = noise
        self.rng = rng

    def _learn(self, table: Any, y: FloatArray) -> None:
        kept, group = _distinct(table, y)
        if self.parts is not None or self.noise is not None or len(kept) < self._least_rows:
            self._learn_distinct(table, y)
            return
        # A run is not unseen where its copy is in another fold: parts that are good at copies would get the weight.
        self._learn_distinct(_take(table, kept), y[kept])
        mean, std = self._held_out
        self._held_out = mean[group], std[group]

    def _learn_distinct(self, table: Any, y: FloatArray) -> None:
        self._scaled = Scaled.of(y)
        named = self._named_parts()
        if self._scaled.is_constant:
            # Every part says the same, and none has a residual to be judged by.
            named = named[:1]
        if self.parts is None and len(y) > DENSE_ROWS:
            named = [(name, part) for name, part in named if name not in DENSE_PARTS]
        adds_forest = self.parts is None and not self._scaled.is_constant
        keep: set[str] | None = None
        n = len(y)
        self._rows = n
        if n > SCREEN_ROWS:
            rows = np.sort(np.random.default_rng(self.rng).choice(n, SCREEN_ROWS, replace=False))
            fitted, problems, seconds = self._fit_parts(named, _take(table, rows), y[rows], adds_forest)
            mixture = self._weigh(fitted, y[rows])
            keep = {name for name, weight in zip(fitted, mixture.weights) if weight >= SCREEN_WEIGHT}
            left_out = {name: f"little weight on {SCREEN_ROWS} runs" for name in fitted if name not in keep}
            named = [*named, *([("forest", self._forest())] if adds_forest else [])]
            chosen = [(name, part) for name, part in named if name in keep]
            fitted, again, more = self._fit_parts(chosen, table, y, adds_forest=False)
            problems |= left_out | again
            seconds = {name: seconds.get(name, 0.0) + more.get(name, 0.0) for name in {**seconds, **more}}
        else:
            fitted, problems, seconds = self._fit_parts(named, table, y, adds_forest)
        mixture = self._weigh(fitted, y)
        self._tell(fitted, mixture, problems, seconds)

    def _named_parts(self) -> list[tuple[str, Any]]:
        if self.noise not in (None, "estimate"):
            raise ValueError(f"noise must be None or 'estimate', got {self.noise!r}")
        if self.parts is not None:
            items = self.parts.items() if isinstance(self.parts, Mapping) else self.parts
            named = [(str(name), part) for name, part in items]
            if not named:
                raise ValueError("parts must hold at least one emulator, got none")
            if len({name for name, _ in named}) < len(named):
                raise ValueError(f"parts must have different names, got {[name for name, _ in named]}")
            without = [name for name, part in named if not hasattr(part, "leave_one_out")]
            if without:
                raise TypeError(
                    f"part {without[0]!r} has no leave_one_out, by which parts are weighed; "
                    "wrap a plain regressor in ConformalEmulator"
                )
            return named
        kernels = ("matern52", "squared_exponential", "matern32", "radial_matern52")
        named = [(kernel, GaussianProcess(kernel=kernel, noise=self.noise)) for kernel in kernels]
        polynomial = PolynomialChaos(rng=self.rng)
        named.append(("polynomial", polynomial))
        if self.noise is None:
            named.append(("polynomial_kriging", PolynomialKriging(kernel="squared_exponential", polynomial=polynomial)))
            named.append(("radial_basis", RadialBasis()))
        return named

    def _forest(self) -> ForestEmulator:
        return ForestEmulator(n_trees=FOREST_TREES, rng=self.rng)

    def _fit_parts(
        self, named: list[tuple[str, Any]], table: Any, y: FloatArray, adds_forest: bool
    ) -> tuple[dict[str, Any], dict[str, str], dict[str, float]]:
        """Fitted parts, problems of those that could not be fitted, and seconds, by name."""
        fitted: dict[str, Any] = {}
        problems: dict[str, str] = {}
        seconds: dict[str, float] = {}
        first: Exception | None = None

        def attempt(name: str, part: Any) -> None:
            nonlocal first
            start = time.perf_counter()
            try:
                fitted[name] = self._fit_one(part, fitted, table, y)
            except UNFIT as error:
                problems[name] = f"{type(error).__name__}: {error}"
                first = first or error
            seconds[name] = time.perf_counter() - start

        for name, part in named:
            attempt(name, part)
        if adds_forest and fitted:
            rough = min(
                float(((self._scaled.forward(p.leave_one_out()[0]) - self._scaled.forward(y)) ** 2).mean())
                for p in fitted.values()
            )
            if rough > ROUGH_ERROR or self._has_discrete(table):
                attempt("forest", self._forest())
        if not fitted:
            raise ValueError(f"no part could be fitted: {problems}") from first
        return fitted, problems, seconds

    def _fit_one(self, part: Any, fitted: dict[str, Any], table: Any, y: FloatArray) -> Any:
        part = clone(part)
        if isinstance(part, PolynomialKriging) and self.parts is None:
            # Its trend has been selected already.
            polynomial = fitted.get("polynomial") or clone(part.polynomial).fit(table, y, self.space_)
            part._learn_on(polynomial, *part._read(table, y, self.space_))
            return part
        return fit_on(part, table, y, self.space_)

    def _has_discrete(self, table: Any) -> bool:
        if self.space_ is not None:
            return any(isinstance(p, (Integer, Ordinal, Categorical)) for p in self.space_.values())
        levels = [len(np.unique(column)) for column in np.asarray(table).T]
        # One level is a constant, which no split can use.
        return any(1 < k <= FEW_LEVELS < len(table) / 2 for k in levels)

    def _weigh(self, fitted: dict[str, Any], y: FloatArray) -> Mixture:
        means, stds = zip(*(part.leave_one_out() for part in fitted.values()))
        z = self._scaled.forward(y)
        unit = self._scaled.spread(np.ones(1))[0] or 1.0
        d = self.n_features_in_
        means_z = np.array([self._scaled.forward(mean) for mean in means])
        return stack(z, means_z, np.array(stds) / unit, len(y) / (RUNS_PER_INPUT * d))

    def _tell(
        self, fitted: dict[str, Any], mixture: Mixture, problems: dict[str, str], seconds: dict[str, float]
    ) -> None:
        names = list(fitted)
        table = pd.DataFrame(
            {
                "weight": mixture.weights,
                "q2": 1.0 - mixture.error,
                "log_density": mixture.log_density,
                "inflation": mixture.inflation,
            },
            index=pd.Index(names, name="part"),
        ).reindex([*names, *(name for name in problems if name not in fitted)])
        table["weight"] = table["weight"].fillna(0.0)
        table["seconds"] = [seconds.get(name, np.nan) for name in table.index]
        table["problem"] = [problems.get(name, "") for name in table.index]
        self.scores_ = table.sort_values("weight", ascending=False, kind="stable")
        self.weights_ = self.scores_["weight"].copy()
        used = mixture.weights >= LEAST_WEIGHT
        self._weights = mixture.weights[used] / mixture.weights[used].sum()
        self._inflation = mixture.inflation[used]
        self.parts_ = {name: part for (name, part), keep in zip(fitted.items(), used) if keep}
        self.q2_ = 1.0 - mixture.stacked_error
        self.reason_ = self._reason(mixture, len(names))
        held = [part.leave_one_out() for part in self.parts_.values()]
        self._held_out = self._mix([m for m, _ in held], [s for _, s in held])

    def _reason(self, mixture: Mixture, n_parts: int) -> str:
        if self._scaled.is_constant:
            return "All outputs are the same number."
        best = self.scores_.index[0]
        told = f"leave-one-out Q2 {self.q2_:.4f}, log density {mixture.stacked_log_density:.2f} a run"
        if n_parts == 1:
            return f"{best} is the only part; {told}."
        if mixture.is_single:
            return f"{best} alone, since averaging {n_parts} parts does not help; {told}."
        shares = ", ".join(f"{name} {weight:.0%}" for name, weight in self.weights_.items() if weight >= 0.005)
        single = int(mixture.log_density.argmax())
        return (
            f"Average of {shares}; {told}, against {1.0 - mixture.error[single]:.4f} and "
            f"{mixture.log_density[single]:.2f} of the best single part."
        )

    def _spread(self, stds: Sequence[FloatArray]) -> FloatArray:
        """Standard deviations of the parts as the mixture takes them."""
        least = LEAST_STD * self._scaled.spread(np.ones(1))[0]
        return np.asarray(np.maximum(np.array(stds), least) * self._inflation[:, None])

    def _mix(self, means: Sequence[FloatArray], stds: Sequence[FloatArray]) -> tuple[FloatArray, FloatArray]:
        spread = self._spread(stds)
        # In the middle of the parts, so that numbers of any size can be squared.
        unit = float(spread.max(initial=0.0)) or 1.0
        centre = np.array(means).mean(axis=0)
        mean, std = average(self._weights, (np.array(means) - centre) / unit, spread / unit)
        return centre + unit * mean, unit * std

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        means, stds = predict_each(self.parts_.values(), table, with_std)
        return self._mix(means, stds) if with_std else (self._weights @ np.array(means), np.zeros(len(table)))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        return self._held_out

    def _mass(self, table: Any, low: float, high: float) -> FloatArray:
        means, stds = predict_each(self.parts_.values(), table, True)
        return np.asarray(self._weights @ normal_mass(np.array(means), self._spread(stds), low, high))


def _distinct(table: Any, y: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows without those that repeat an earlier one, output included, and which of them each row is."""
    frame = pd.DataFrame(table)
    frame = frame.set_axis(range(frame.shape[1]), axis=1).assign(output=y)
    group = np.asarray(frame.groupby(list(frame.columns), sort=False).ngroup(), dtype=np.int64)
    return np.unique(group, return_index=True)[1].astype(np.int64), group


def _take(table: Any, rows: NDArray[np.int64]) -> Any:
    return table.iloc[rows] if isinstance(table, pd.DataFrame) else table[rows]
