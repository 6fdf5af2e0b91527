"""Boxes found on many points that a metamodel labelled, instead of on the few runs themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, clone

from surrogate.boxes.box import Box, BoxUnion
from surrogate.boxes.choice import choose_supported
from surrogate.boxes.metamodels import choose_metamodel
from surrogate.boxes.prim import Prim
from surrogate.boxes.table import InputTable
from surrogate.conditions import Condition
from surrogate.emulators.classifier import ProbabilityEmulator
from surrogate.space import Space
from surrogate.transfer.chain import Metamorphosis
from surrogate.transfer.generators.uniform import Uniform

__all__ = ["Reds"]

FloatArray = NDArray[np.float64]

# Halvings that find the threshold in a function that says what is of interest: to the last bit of a double.
HALVINGS = 200


class Reds(BaseEstimator):
    """Scenario discovery with few runs: a metamodel learns the runs, a box finder learns from the metamodel.

    It is the chain ``Metamorphosis(metamodel, Uniform(space), finder)``: new points are drawn as the space says,
    labelled with the metamodel's probability of being of interest, and given to the finder [1]_.

    Parameters
    ----------
    metamodel : "auto" or estimator
        A classifier with probabilities. By default the better by the log loss of left-out runs of a Gaussian process
        on the output (if ``fit`` gets the output and not only labels) and a mean of models of the labels: a Gaussian
        process, a calibrated forest and boosted trees, with the weights that are likeliest for left-out runs; or the
        runs themselves, if neither knows more than the share of interest. The output, which says more than labels, is
        kept unless the mean's loss is smaller by more than two standard errors.
    finder : box finder, optional
        By default ``Prim(alpha="cv")``. On inputs with few values greedy peeling by density alone takes large steps
        and ends in small boxes, and no single `alpha` serves every function; new points are many enough to try all.
    n_new : int
        Number of new points.
    labels : {"probability", "class"}
        What the finder learns.
    generator : generator, optional
        Where new points come from; by default the space's distributions, or without a space the box around the runs.
    rng : int, Generator or None

    Attributes
    ----------
    boxes_, trajectory_, best_, best_index_
        As of the finder; coverage and density are those that the metamodel expects over the space. ``best_`` is chosen
        with a price for each limit that rests on the number of runs, see
        :func:`surrogate.boxes.choice.supported_accuracy`.
    run_trajectory_ : DataFrame
        Coverage, density and mass of the same boxes counted on the runs.
    of_interest_ : bool array of shape (n,)
        Of the runs.
    log_losses_ : Series
        Mean log loss of left-out runs by metamodel, for ``metamodel="auto"``; "share of interest" is what no model has.
    method_, reason_ : str
        Which metamodel, and why.
    weights_ : Series
        Of the models in the mean, for ``metamodel="auto"``.
    metamodel_ : fitted metamodel, None if the runs themselves are used
    chain_ : Metamorphosis, None likewise
    finder_ : fitted finder

    References
    ----------
    .. [1] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> from surrogate.designs.sobol import sobol
    >>> from surrogate.space import Real
    >>> space = Space(a=Real(0, 1), b=Real(0, 1), c=Real(0, 1))
    >>> X = sobol(space, 64, rng=0)
    >>> reds = Reds(n_new=20_000).fit(X, X["a"] + X["b"], of_interest="< 0.5", space=space)
    >>> reds.method_
    'Gaussian process on the output'
    >>> reds.best_.restricted
    ('a', 'b')
    """

    def __init__(
        self,
        metamodel: Any = "auto",
        finder: Any = None,
        n_new: int = 100_000,
        labels: Literal["probability", "class"] = "probability",
        *,
        generator: Any = None,
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.metamodel = metamodel
        self.finder = finder
        self.n_new = n_new
        self.labels = labels
        self.generator = generator
        self.rng = rng

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        *,
        of_interest: str | Condition | Callable[[FloatArray], ArrayLike] | None = None,
        space: Space | None = None,
    ) -> Self:
        """Learn the runs, then find boxes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Inputs of the runs.
        y : array of shape (n,)
            Whether a run is of interest; or an output, with `of_interest`.
        of_interest : str, Condition or callable, optional
            What is of interest of the output: ``"< 0"``, or a function from values to booleans. Of a function that is
            true on one side of one threshold the output itself is learnt, of others the labels.
        space : Space, optional
            Types, bounds and distributions of the inputs.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If no run or every run is of interest, shapes do not match, an input without `space` is text, or an option
            is none.
        """
        if self.labels not in ("probability", "class"):
            raise ValueError(f"labels must be 'probability' or 'class', got {self.labels!r}")
        if isinstance(self.metamodel, str) and self.metamodel != "auto":
            raise ValueError(f"metamodel must be 'auto' or an estimator, got {self.metamodel!r}")
        output = np.asarray(y)
        condition, labels = _labels_of(output, of_interest)
        if labels.all() or not labels.any():
            which = "every run is" if labels.all() else "no run is"
            raise ValueError(f"{which} of interest: there is nothing to tell apart; change the condition or run more")
        table = InputTable.of(X, space)
        if len(labels) != table.n:
            raise ValueError(f"X has {table.n} rows, y has {len(labels)}")
        if space is None and (isinstance(self.metamodel, str) or self.generator is None):
            for column in table.columns:
                text = next((value for value in column.values if isinstance(value, str)), None)
                if text is not None:
                    raise ValueError(
                        f"X: {column.name!r} holds text, e.g. {text!r}, and metamodels take numbers; pass space= with "
                        "the values it may have"
                    )
        # With a space the metamodels learn its own table; without one, numbers.
        inputs = space.validate(X, "X") if space is not None else X
        self.of_interest_ = labels
        self.n_features_in_ = table.d
        self.feature_names_in_ = np.array([column.name for column in table.columns], dtype=object)
        self.metamodel_ = self._learn(inputs, output, labels, condition, space)
        finder = Prim(alpha="cv") if self.finder is None else self.finder
        if self.metamodel_ is None:
            self.chain_ = None
            self.finder_ = _for_runs(finder, table.n).fit(X, labels, space=space)
        else:
            self.chain_ = Metamorphosis(
                self.metamodel_,
                Uniform(space) if self.generator is None else self.generator,
                finder,
                n_new=self.n_new,
                labels="soft" if self.labels == "probability" else "hard",
                rng=self.rng,
            ).fit(inputs, space=space)
            self.finder_ = self.chain_.student_
        self.boxes_: list[Box] = self.finder_.boxes_
        self.trajectory_: pd.DataFrame = self.finder_.trajectory_
        self.best_index_ = choose_supported(
            self.trajectory_, _n_supporting(labels, self.trajectory_["density"].iloc[0])
        )
        self.best_ = self.boxes_[self.best_index_]
        self.run_trajectory_ = self._on_runs(table, labels)
        return self

    def _learn(
        self, X: Any, output: NDArray[Any], labels: NDArray[np.bool_], condition: Condition | None, space: Space | None
    ) -> Any:
        if isinstance(self.metamodel, str):
            choice = choose_metamodel(X, output, labels, condition, space, self.rng)
            self.method_, self.reason_ = choice.method, choice.reason
            self.log_losses_, self.weights_ = choice.log_losses, choice.weights
            return choice.model
        self.method_ = type(self.metamodel).__name__
        self.reason_ = "the metamodel was given"
        given = clone(self.metamodel)
        if not isinstance(given, ProbabilityEmulator):
            return given.fit(X, labels)
        extra = () if space is None else (space,)
        if given.condition is None or condition is None:
            return given.set_params(condition=None).fit(X, labels, *extra)
        # What is of interest is said once, to this method: a condition of its own only says to learn the output.
        return given.set_params(condition=condition).fit(X, output, *extra)

    def _on_runs(self, table: InputTable, labels: NDArray[np.bool_]) -> pd.DataFrame:
        inside = [table.inside(box.limits) for box in self.boxes_]
        rows = [
            {
                "coverage": float(labels[mask].sum() / labels.sum()),
                "density": float(labels[mask].mean()) if mask.any() else np.nan,
                "mass": float(mask.mean()),
                "n_restricted": len(box.limits),
                "n_inside": int(mask.sum()),
            }
            for mask, box in zip(inside, self.boxes_, strict=True)
        ]
        return pd.DataFrame(rows).rename_axis("box")

    def cover(self, n: int) -> BoxUnion:
        """Up to `n` boxes, `best_` first, each found among the points that those before it leave out.

        Each is chosen for what the runs support, as `best_` is; else as ``Prim.cover``.
        """
        n_runs = _n_supporting(self.of_interest_, self.trajectory_["density"].iloc[0])
        union: BoxUnion = self.finder_._cover_from(self.best_, n, n_runs)
        return union


def _labels_of(
    output: NDArray[Any], of_interest: str | Condition | Callable[[FloatArray], ArrayLike] | None
) -> tuple[Condition | None, NDArray[np.bool_]]:
    """The condition on a continuous output, if there is one, and whether each run is of interest."""
    if of_interest is None:
        values = np.unique(output)
        if output.dtype != bool and not set(values.tolist()) <= {0, 1}:
            raise ValueError("y is an output, not labels: say what is of interest of it, e.g. of_interest='< 0'")
        return None, output.astype(bool)
    if not np.isfinite(np.asarray(output, dtype=float)).all():
        raise ValueError("y holds values that are not finite; leave these runs out")
    if isinstance(of_interest, (str, Condition)):
        text = of_interest
        condition = (
            text
            if isinstance(text, Condition)
            else Condition.parse(text, "output" if text.strip()[:1] in "<>=!" else None)
        )
        labels = np.asarray(condition.holds(output), dtype=bool)
        return (condition.between(output) if condition.operator in ("<", "<=", ">", ">=") else None), labels
    labels = np.asarray(of_interest(np.asarray(output, dtype=float)), dtype=bool)
    if labels.shape != output.shape:
        raise ValueError(f"of_interest must return one boolean a value, got shape {labels.shape} for {output.shape}")
    threshold = _threshold_of(of_interest, np.asarray(output, dtype=float), labels)
    return None if threshold is None else threshold.between(output), labels


def _threshold_of(
    of_interest: Callable[[FloatArray], ArrayLike], output: FloatArray, labels: NDArray[np.bool_]
) -> Condition | None:
    """The condition that a function stands for, if it separates the values at one threshold."""
    if labels.all() or not labels.any():
        return None
    is_below = output[labels].max() < output[~labels].min()
    if not is_below and not output[labels].min() > output[~labels].max():
        return None
    low = float(output[labels if is_below else ~labels].max())
    high = float(output[~labels if is_below else labels].min())
    for _ in range(HALVINGS):
        middle = low + 0.5 * (high - low)
        if not low < middle < high:
            break
        holds = bool(np.all(np.asarray(of_interest(np.array([middle])), dtype=bool)))
        low, high = (middle, high) if holds == is_below else (low, middle)
    return Condition("output", "<=" if is_below else ">=", low if is_below else high)


def _for_runs(finder: Any, n: int) -> Any:
    """The finder for runs in place of the many new points: a box may hold down to half of so few."""
    least = finder.get_params().get("min_support")
    few = least is not None and least > max(1, n // 2)
    return clone(finder).set_params(min_support=max(1, n // 2)) if few else clone(finder)


def _n_supporting(labels: NDArray[np.bool_], share: float) -> float:
    """How many runs spread over the space would hold as many of the rarer kind as these do.

    It is their number unless they were made where they tell most: of an outcome of 0.1% eleven runs of interest among
    forty support a box as well as 11,000 spread ones would, and not as badly as forty of which none met it.
    """
    counts = np.array([labels.sum(), (~labels).sum()])
    shares = np.clip([share, 1 - share], np.finfo(float).tiny, None)
    rarer = int(np.argmin(shares))
    return float(max(len(labels), counts[rarer] / shares[rarer]))
