"""BestInterval: the box of largest weighted relative accuracy, by a beam search over best intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.box import Limits
from surrogate.boxes.finder import BoxFinder, Found, least_weight
from surrogate.boxes.folds import stratified_folds
from surrogate.boxes.labels import Labels
from surrogate.boxes.table import InputTable, Interval, Missing, between

__all__ = ["BestInterval", "depths"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Boxes as good as the last of the beam stay in it up to this number, and a search ends at the latest this many rounds
# after every input could have been restricted; both as in the REDS code.
TIED = 10
EXTRA_ROUNDS = 50


class BestInterval(BoxFinder):
    """The box with the largest weighted relative accuracy that refining one input at a time finds.

    A refinement drops the limits of one input and puts the interval (or the set of categories) in their place that is
    best of all, which one pass over the sorted values finds.

    Parameters
    ----------
    depth : int, "all" or None
        Largest number of restricted inputs. None chooses it by five-fold cross-validation of the weighted relative
        accuracy among the number of inputs d, d - ceil(d / 6), d - 2 ceil(d / 6), ...; "all" sets no limit.
    beam : int
        How many of the best boxes of a round are refined in the next.
    min_support : int or float
        Smallest number of rows in a box (their weight, if rows are weighted); below 1 a share of all rows.
    missing : {"raise", "outside"}
        What a missing value means: an error, or that the run satisfies no limit on that input.
    rng : int, Generator or None
        Makes the folds.

    Attributes
    ----------
    boxes_ : list of Box
        The whole space and the refinements that lead to the box of largest weighted relative accuracy, the last.
    trajectory_ : DataFrame
        One row a box: ``coverage``, ``density``, ``mass``, ``n_restricted``, ``n_inside``.
    best_ : Box
        Chosen as of :class:`Prim`: where the last refinements gain no more than chance would, one before the last.
    best_index_ : int
    depth_ : int
        Largest number of restricted inputs, as used.
    depth_scores_ : Series
        Mean weighted relative accuracy on held-out rows by depth, where it was chosen.
    of_interest_ : bool array of shape (n,)

    References
    ----------
    .. [1] M. Mampaey, S. Nijssen, A. Feelders, A. Knobbe, "Efficient Algorithms for Finding Richer Subgroup
       Descriptions in Numeric and Nominal Data", ICDM 2012.
    .. [2] V. Arzamasov, K. Boehm, "REDS: Rule Extraction for Discovering Scenarios", SIGMOD 2021.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.random((500, 3)), columns=["a", "b", "c"])
    >>> finder = BestInterval().fit(X, (X["a"] > 0.6) & (X["b"] < 0.5))
    >>> finder.best_.rule(digits=1)
    'a >= 0.6 and b <= 0.5'
    """

    def __init__(
        self,
        *,
        depth: int | Literal["all"] | None = None,
        beam: int = 1,
        min_support: float = 20,
        missing: Missing = "raise",
        rng: int | np.random.Generator | None = 0,
    ) -> None:
        self.depth = depth
        self.beam = beam
        self.min_support = min_support
        self.missing = missing
        self.rng = rng

    def _check_parameters(self) -> None:
        if isinstance(self.depth, str):
            if self.depth != "all":
                raise ValueError(f"depth must be a number, 'all' or None, got {self.depth!r}")
        elif self.depth is not None and self.depth < 1:
            raise ValueError(f"depth must be at least 1, got {self.depth}")
        if self.beam < 1:
            raise ValueError(f"beam must be at least 1, got {self.beam}")
        if not self.min_support > 0:
            raise ValueError(f"min_support must be positive, got {self.min_support}")

    def _search(self, table: InputTable, labels: Labels) -> Found:
        least = least_weight(self.min_support, labels)
        order = np.argsort(table.values, axis=0, kind="stable").T
        if self.depth is None:
            self.depth_scores_ = self._depth_scores(table, labels, order, least)
            best = self.depth_scores_ == self.depth_scores_.max()
            self.depth_ = min(np.array(depths(table.d))[best].tolist())
        else:
            self.depth_ = table.d if self.depth == "all" else min(int(self.depth), table.d)
        path = _Refining(table, labels, order, labels.taking_part, least).path(self.depth_, self.beam)
        return Found.counted(path, table, labels)

    def _depth_scores(self, table: InputTable, labels: Labels, order: NDArray[np.intp], least: float) -> pd.Series:
        folds = stratified_folds(labels, 5, np.random.default_rng(self.rng))
        weight = np.ones(table.n) if labels.weight is None else labels.weight * labels.weight_unit
        scores: dict[int, list[float]] = {depth: [] for depth in depths(table.d)}
        for held_out in folds:
            search = _Refining(table, labels, order, labels.taking_part & ~held_out, min(least, labels.total / 2))
            share = np.average(labels.y[held_out], weights=weight[held_out])
            gain = np.where(held_out, weight * (labels.y - share), 0) / weight[held_out].sum()
            for depth, found in scores.items():
                found.append(float(gain[table.inside(search.path(depth, self.beam)[-1])].sum()))
        means = {depth: float(np.mean(found)) for depth, found in scores.items()}
        return pd.Series(means, name="wracc").rename_axis("depth").round(12)


def depths(d: int) -> list[int]:
    """Numbers of inputs to choose from: all, and in six equal steps fewer."""
    return list(range(d, 0, -math.ceil(d / 6)))


@dataclass(frozen=True, eq=False)
class _Candidate:
    """A box under way: limits by input, how good it is, which input was refined last, and of which box."""

    limits: Mapping[int, Interval]
    accuracy: float
    last: int
    parent: _Candidate | None


class _Refining:
    """A beam search on some rows of a table."""

    def __init__(
        self, table: InputTable, labels: Labels, order: NDArray[np.intp], rows: BoolArray, least: float
    ) -> None:
        self.table, self.rows = table, rows
        self.enough = least * (1 - 1e-12)  # sums of weights are rounded
        weight = np.ones(table.n) if labels.weight is None else labels.weight * labels.weight_unit
        self.weight = np.where(rows, weight, 0)
        total = self.weight.sum()
        share = labels.y @ self.weight / total if total else 0.0
        # What a row adds to a box's weighted relative accuracy.
        self.gain = self.weight * (labels.y - share) / max(total, 1e-300)
        self.sorted_rows = [column[rows[column]] for column in order]
        if table.has_missing:
            self.sorted_rows = [column[~np.isnan(table.values[column, j])] for j, column in enumerate(self.sorted_rows)]

    def path(self, depth: int, beam: int) -> list[dict[str, Limits]]:
        """Limits of the boxes that lead to the best, the whole space first."""
        whole = _Candidate({}, 0.0, -1, None)
        best, seen = whole, {self._key(whole)}
        front, expanded = [whole], set()
        for _ in range(depth + EXTRA_ROUNDS):
            fresh = []
            for box in front:
                if self._key(box) in expanded:
                    continue
                expanded.add(self._key(box))
                for refined in self._refinements(box, depth):
                    key = self._key(refined)
                    if key not in seen:
                        seen.add(key)
                        fresh.append(refined)
            if not fresh:
                break
            front = sorted([*front, *fresh], key=lambda box: (-round(box.accuracy, 12), len(box.limits)))
            floor = front[min(beam, len(front)) - 1].accuracy - 1e-12
            front = [box for box in front[: max(beam, TIED)] if box.accuracy >= floor]
            if front[0].accuracy > best.accuracy + 1e-12:
                best = front[0]
        chain = [best]
        while chain[-1].parent is not None:
            chain.append(chain[-1].parent)
        return [self.table.named(box.limits) for box in reversed(chain)]

    @staticmethod
    def _key(box: _Candidate) -> frozenset[tuple[int, Interval]]:
        return frozenset(box.limits.items())

    def _refinements(self, box: _Candidate, depth: int) -> list[_Candidate]:
        masks = {j: self._mask(j, limits) for j, limits in box.limits.items()}
        found = []
        for j in range(self.table.d):
            if j == box.last or (j not in box.limits and len(box.limits) >= depth):
                continue
            inside = self.rows.copy()
            for other, mask in masks.items():
                if other != j:
                    inside &= mask
            limits, accuracy = self._best(j, inside)
            if accuracy > box.accuracy + 1e-12:
                kept = {k: v for k, v in box.limits.items() if k != j}
                if limits is not None:
                    kept[j] = limits
                found.append(_Candidate(kept, accuracy, j, box))
        return found

    def _mask(self, j: int, limits: Interval) -> BoolArray:
        v = self.table.values[:, j]
        if isinstance(limits, frozenset):
            return np.isin(v, list(limits))
        return np.asarray((v >= limits[0]) & (v <= limits[1]))

    def _best(self, j: int, inside: BoolArray) -> tuple[Interval | None, float]:
        """Best limits of one input among some rows and the accuracy reached; None where no limits are best."""
        unrestricted = float(self.gain[inside].sum())
        rows = self.sorted_rows[j]
        rows = rows[inside[rows]]
        if not len(rows):
            return None, unrestricted
        v = self.table.values[rows, j]
        if self.table.columns[j].kind == "categorical":
            limits, accuracy = self._best_categories(j, rows, v.astype(int))
        else:
            limits, accuracy = self._best_interval(rows, v)
        if limits is None or accuracy <= unrestricted + 1e-12:
            return None, unrestricted
        return limits, accuracy

    def _best_categories(
        self, j: int, rows: NDArray[np.intp], codes: NDArray[np.intp]
    ) -> tuple[Interval | None, float]:
        """The categories that raise the accuracy, and where they weigh too little those that lower it least."""
        size = len(self.table.columns[j].values)
        gain = np.bincount(codes, weights=self.gain[rows], minlength=size)
        weight = np.bincount(codes, weights=self.weight[rows], minlength=size)
        keep = gain >= 0  # also the categories that no row has
        for code in np.argsort(gain / np.maximum(weight, 1e-300))[::-1]:
            if weight[keep].sum() >= self.enough:
                break
            keep[code] = True
        # All of them are no limit, and would let missing values in again.
        if keep.all() or weight[keep].sum() < self.enough:
            return None, 0.0
        return frozenset(np.flatnonzero(keep).tolist()), float(gain[keep].sum())

    def _best_interval(self, rows: NDArray[np.intp], v: FloatArray) -> tuple[Interval | None, float]:
        """The run of groups of equal values with the largest sum among those that weigh enough."""
        last = np.flatnonzero(np.append(v[1:] != v[:-1], True))
        level = np.concatenate([[0.0], np.cumsum(self.gain[rows])[last]])
        start, end = _largest_rise(level)
        first = 0 if start == 0 else last[start - 1] + 1
        if self.weight[rows[first : last[end] + 1]].sum() < self.enough:
            mass = np.concatenate([[0.0], np.cumsum(self.weight[rows])[last]])
            # The last place where a run may begin that ends with each group.
            latest = mass.searchsorted(mass[1:] - self.enough, side="right") - 1
            if latest[-1] < 0:
                return None, 0.0
            start, end = _largest_rise(level, latest)
        low = -math.inf if start == 0 else between(float(v[last[start - 1] + 1]), float(v[last[start - 1]]))
        high = math.inf if end == len(last) - 1 else between(float(v[last[end]]), float(v[last[end] + 1]))
        if math.isinf(low) and math.isinf(high):
            return None, 0.0
        return (low, high), float(level[end + 1] - level[start])


def _largest_rise(level: FloatArray, latest: NDArray[np.intp] | None = None) -> tuple[int, int]:
    """From which place to which group a running sum rises most; it may begin up to a place given for each group."""
    lowest = np.minimum.accumulate(level[:-1])
    if latest is not None:
        lowest = np.where(latest >= 0, lowest[np.maximum(latest, 0)], np.inf)
    end = int(np.argmax((level[1:] - lowest).round(14)))
    until = end if latest is None else int(latest[end])
    return int(np.argmin(level[: until + 1].round(14))), end
