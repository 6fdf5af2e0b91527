"""What every box finder has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from surrogate.boxes.box import Box, BoxUnion, Limits
from surrogate.boxes.choice import choose_supported, simplest_supported
from surrogate.boxes.labels import Labels
from surrogate.boxes.table import LEAVE_OUT, InputTable, Missing
from surrogate.space import Space

__all__ = ["BoxFinder", "Found", "by_name", "least_weight", "trajectory_of"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """Boxes as a search leaves them.

    Attributes
    ----------
    limits : sequence of b mappings from input to limits
        The first restricts nothing.
    weight, positive : float array of shape (b,)
        Weight inside, and the part of it that is of interest.
    n_inside : int array of shape (b,)
        Rows inside.
    """

    limits: Sequence[Mapping[str, Limits]]
    weight: FloatArray
    positive: FloatArray
    n_inside: NDArray[np.intp]

    @classmethod
    def counted(cls, limits: Sequence[Mapping[str, Limits]], table: InputTable, labels: Labels) -> Found:
        """With the numbers counted from the rows."""
        rows = [np.flatnonzero(table.inside(box) & labels.taking_part) for box in limits]
        sums = np.array([labels.sums(inside) for inside in rows])
        return cls(limits, sums[:, 0], sums[:, 1], np.array([len(inside) for inside in rows]))


class BoxFinder(BaseEstimator, ABC):
    """Base of the box finders: learns boxes and counts what they hold.

    Subclassing: store the parameters in ``__init__``, among them `missing` and `min_support`; check them in
    `_check_parameters`; return the boxes from `_search`, the whole space first; say in `_choose` which is best, where
    it is not the one that the number of runs supports best.
    """

    missing: Missing
    min_support: float
    boxes_: list[Box]
    trajectory_: pd.DataFrame
    best_: Box
    best_index_: int
    of_interest_: NDArray[np.bool_]

    def fit(self, X: Any, of_interest: Any, *, space: Space | None = None, sample_weight: Any = None) -> Self:
        """Find boxes.

        Parameters
        ----------
        X : DataFrame or array of shape (n, d)
            Inputs of the runs. Without `space`, columns of text or booleans are categories. An array's inputs are
            called x0, x1, ..., or with `space` as its inputs in their order.
        of_interest : bool array of shape (n,), or float array of probabilities
            Labels between 0 and 1 count as that much of a run of interest, e.g. an emulator's probability of failure.
        space : Space, optional
            Types and units of the inputs.
        sample_weight : float array of shape (n,), optional
            How many runs a row stands for; a row of weight 0 does not take part.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shapes do not match, values are missing (unless ``missing="outside"``), or the labels tell no run from
            another.
        """
        self._check_parameters()
        cure = f"{LEAVE_OUT}, or say missing='outside'" if "missing" in self.get_params() else LEAVE_OUT
        table = InputTable.of(X, space, missing=self.missing, cure=cure)
        return self._fit_table(table, Labels.of(of_interest, table.n, sample_weight))

    def _fit_table(self, table: InputTable, labels: Labels) -> Self:
        self._table, self._labels = table, labels
        self.n_features_in_ = table.d
        self.feature_names_in_ = np.array([column.name for column in table.columns], dtype=object)
        self.of_interest_ = labels.y >= 0.5
        found = self._search(table, labels)
        self.boxes_ = [Box(limits, units=table.units) for limits in found.limits]
        self.trajectory_ = trajectory_of(found).rename_axis("box")
        self.best_index_ = self._choose()
        self.best_ = self.boxes_[self.best_index_]
        return self

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise ValueError for a parameter that is not allowed."""

    @abstractmethod
    def _search(self, table: InputTable, labels: Labels) -> Found:
        """The boxes, from the whole space on."""

    def _choose(self) -> int:
        """Position of the best box."""
        return choose_supported(self.trajectory_, self._labels.total)

    def predict(self, X: Any) -> NDArray[np.bool_]:
        """Which rows of a DataFrame or array lie in `best_`; an array's columns are those of `feature_names_in_`."""
        return self.best_.contains(by_name(X, self.feature_names_in_))

    def simplified(self, box: int | None = None, *, n_runs: float | None = None) -> Box:
        """A box without the limits that the runs do not support.

        A search that goes on from box to box keeps what it restricted early, be it by chance. Here the inputs whose
        limits do not pay are set free one by one, as long as :func:`surrogate.boxes.choice.supported_accuracy` rises.
        The result need not be one of `boxes_`.

        Parameters
        ----------
        box : int, optional
            Position in the trajectory; by default the one whose simplified box is best.
        n_runs : float, optional
            How many runs the boxes rest on; by default the rows fitted.

        Returns
        -------
        Box
        """
        table, labels = self._table, self._labels
        n_runs = labels.total if n_runs is None else n_runs
        starts = self.boxes_ if box is None else [self.boxes_[box]]
        found = [simplest_supported(start.limits, table, labels, n_runs) for start in starts]
        distinct = [{}, *(limits for i, limits in enumerate(found) if limits not in found[:i])]
        best = choose_supported(trajectory_of(Found.counted(distinct, table, labels)), n_runs) if box is None else -1
        return Box(distinct[best] if box is None else found[0], units=table.units)

    def cover(self, n: int) -> BoxUnion:
        """Up to `n` boxes, each found among the runs that those before it leave out.

        The first is `best_`. It ends early when no run of interest is left, when fewer than `min_support` are left, or
        when the next box would be no denser than the runs that are left.

        Parameters
        ----------
        n : int
            At least 1.

        Returns
        -------
        BoxUnion
        """
        return self._cover_from(self.best_, n)

    def _cover_from(self, first: Box, n: int, n_runs: float | None = None) -> BoxUnion:
        """As :meth:`cover`, from another first box on, and with boxes that rest on so many runs."""
        if n < 1:
            raise ValueError(f"n must be at least 1, got {n}")
        boxes = [first]
        left = self._labels.taking_part & ~self._table.inside(first.limits)
        while len(boxes) < n and len(np.unique(self._labels.y[left])) > 1:
            rest = self._labels.times(left)
            if rest.total < self.min_support:
                break
            finder = clone(self)._fit_table(self._table, rest)
            chosen = finder.best_
            if n_runs is not None:
                chosen = finder.boxes_[choose_supported(finder.trajectory_, n_runs)]
            if not chosen.limits:
                break
            boxes.append(chosen)
            left &= ~self._table.inside(chosen.limits)
        return BoxUnion(tuple(boxes))


def by_name(X: Any, names: NDArray[Any]) -> Any:
    """An array as columns with the names of the inputs that a finder was fitted to; a DataFrame as it is."""
    return dict(zip(names, X.T)) if isinstance(X, np.ndarray) and X.ndim == 2 else X


def trajectory_of(found: Found, whole: Found | None = None) -> pd.DataFrame:
    """The table of found boxes; coverage and mass are shares of the first box of `whole`, by default of `found`."""
    weight, positive = (whole or found).weight[0], (whole or found).positive[0]
    return pd.DataFrame(
        {
            "coverage": found.positive / positive,
            # A box without any weight has no density; 0 is what it is worth.
            "density": found.positive / np.where(found.weight > 0, found.weight, 1.0),
            "mass": found.weight / weight,
            "n_restricted": [len(limits) for limits in found.limits],
            "n_inside": found.n_inside,
        }
    )


def least_weight(min_support: float, labels: Labels) -> float:
    """The smallest weight of a box: below 1 a share of all.

    Raises
    ------
    ValueError
        If all rows together weigh less.
    """
    least = min_support * labels.total if min_support < 1 else min_support
    if min_support >= 1 and least > labels.total:
        raise ValueError(
            f"min_support={min_support} is more than all runs together, {labels.total:g}; "
            "give fewer, or a share of the runs below 1"
        )
    return float(least)
