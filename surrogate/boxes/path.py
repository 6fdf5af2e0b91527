"""The boxes of a search: the one that moves, and all that it has been."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import scipy.special
from numpy.typing import NDArray

from surrogate.boxes.labels import Labels
from surrogate.boxes.table import InputTable

__all__ = ["ABSENT", "LOWER", "SIDES", "UPPER", "Path", "Trail"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Where a row may lie outside of an input's limits: above or among the categories left out; below; its value is missing.
UPPER, LOWER, ABSENT = 0, 1, 2
SIDES = 3


class Step(NamedTuple):
    """One box: limits, the categories allowed, and what lies inside."""

    low: FloatArray
    high: FloatArray
    allowed: dict[int, frozenset[int]]
    n_inside: int
    weight: float
    positive: float


class Trail:
    """The box of a search as it moves, and the steps that it took.

    Parameters
    ----------
    d : int
        Number of inputs.
    n_categories : dict
        Number of categories by input, of those whose limits are sets of categories.
    n_inside : int
    weight, positive : float
        Rows inside, their weight, and the part of it that is of interest; of the whole space, where it begins.

    Attributes
    ----------
    low, high, allowed, n_inside, weight, positive
        The present box, until :meth:`record` keeps it.
    steps : list of Step
    borders : dict
        Where the limits lie in cells, by (input, side): step, the last cell that goes and the first that stays.
    """

    def __init__(self, d: int, n_categories: dict[int, int], n_inside: int, weight: float, positive: float) -> None:
        self.n_categories = n_categories
        self.low, self.high = np.full(d, -np.inf), np.full(d, np.inf)
        self.allowed = {j: frozenset(range(size)) for j, size in n_categories.items()}
        self.n_inside, self.weight, self.positive = n_inside, weight, positive
        self.steps: list[Step] = []
        self.borders: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
        self.record()

    def record(self) -> None:
        """Keep the present box as the next step."""
        now = self.low.copy(), self.high.copy(), dict(self.allowed), self.n_inside, self.weight, self.positive
        self.steps.append(Step(*now))

    def gain(self, n: int, weight: float, positive: float) -> None:
        """Count rows that came in; negative if they went."""
        self.n_inside += n
        self.weight += weight
        self.positive += positive

    def restricted(self, j: int) -> bool:
        """Whether an input is restricted in the present box."""
        if j in self.allowed:
            return len(self.allowed[j]) < self.n_categories[j]
        return bool(self.low[j] > -np.inf or self.high[j] < np.inf)

    def end_at_densest(self) -> None:
        """Go back to the first box of largest density."""
        densities = [step.positive / step.weight for step in self.steps]
        del self.steps[1 + int(np.argmax(densities)) :]
        last = self.steps[-1]
        self.low, self.high, self.allowed = last.low.copy(), last.high.copy(), dict(last.allowed)
        self.n_inside, self.weight, self.positive = last.n_inside, last.weight, last.positive

    @property
    def lows(self) -> FloatArray:
        """Lower limits of all steps, shape (b, d)."""
        return np.array([step.low for step in self.steps])

    @property
    def highs(self) -> FloatArray:
        """Upper limits of all steps, shape (b, d)."""
        return np.array([step.high for step in self.steps])


@dataclass(frozen=True, eq=False)
class Path:
    """The boxes of a search, in the order in which they were found.

    Attributes
    ----------
    low, high : float array of shape (b, d)
        Limits; infinite where open.
    allowed : tuple of b mappings
        Positions of the categories inside, by categorical input.
    n_inside : int array of shape (b,)
    weight, positive : float array of shape (b,)
        Weight inside, and the part of it that is of interest.
    n_peeled : int
        How many of the boxes come before pasting.
    quasi_p : float array of shape (b, d, 2)
        For the low and the high limit of every input; NaN where open. A categorical input's stands first.
    """

    low: FloatArray
    high: FloatArray
    allowed: tuple[dict[int, frozenset[int]], ...]
    n_inside: IntArray
    weight: FloatArray
    positive: FloatArray
    n_peeled: int
    quasi_p: FloatArray

    @classmethod
    def of(cls, trail: Trail, n_peeled: int, beside: list[FloatArray]) -> Path:
        """The steps of a trail; `beside` tells of each what one side alone leaves out, as `Exits.beside` does."""
        _, _, allowed, n_inside, weight, positive = zip(*trail.steps, strict=True)
        return cls(
            trail.lows,
            trail.highs,
            allowed,
            np.array(n_inside),
            np.array(weight),
            np.array(positive),
            n_peeled,
            _quasi_p(trail, np.array(beside).reshape(len(trail.steps), -1, SIDES, 2)),
        )

    def inside(self, table: InputTable, rows: IntArray) -> NDArray[np.bool_]:
        """Which of some rows of a table lie in each box, shape (b, len(rows))."""
        inside = np.ones((len(self.low), len(rows)), dtype=bool)
        open_input = np.isinf(self.low) & np.isinf(self.high)
        for j in np.flatnonzero(~open_input.all(axis=0)).tolist():
            v = table.values[rows, j]
            inside &= ((v >= self.low[:, j, None]) & (v <= self.high[:, j, None])) | open_input[:, j, None]
        for j in self.allowed[0]:
            v = table.values[rows, j]
            for b, allowed in enumerate(self.allowed):
                if len(allowed[j]) < len(table.columns[j].values):
                    inside[b] &= np.isin(v, list(allowed[j]))
        return inside

    def counted(self, table: InputTable, labels: Labels, rows: IntArray) -> tuple[FloatArray, FloatArray]:
        """Weight of some rows in each box, and the part of it that is of interest."""
        inside = self.inside(table, rows)
        weight = np.ones(len(rows)) if labels.weight is None else labels.weight[rows].astype(float)
        return (
            inside @ weight * labels.weight_unit,
            inside @ labels.positive[rows].astype(float) * labels.positive_unit,
        )


def _quasi_p(trail: Trail, beside: FloatArray) -> FloatArray:
    """How likely as many rows of interest are inside if a limit did nothing, for every limit of every box [1].

    Without the limit the box holds T' rows, H' of them of interest; of the T that are left inside with it, at least H
    are of interest with probability P(Binomial(T, H' / T') >= H): the incomplete beta function, which also takes
    weights.

    .. [1] B. P. Bryant, R. J. Lempert, "Thinking inside the box", TFSC 77(1), 2010.
    """
    closed = np.stack([trail.lows > -np.inf, trail.highs < np.inf], axis=2)
    lone = ~(closed[:, :, 0] & closed[:, :, 1])
    # An input's only limit, dropped, also lets its missing values in.
    more = beside[:, :, [LOWER, UPPER]] + np.where(lone[:, :, None], beside[:, :, ABSENT], 0)[:, :, None]
    for j, size in trail.n_categories.items():
        closed[:, j, 0] = [len(step.allowed[j]) < size for step in trail.steps]
        more[:, j, 0] = beside[:, j, UPPER] + beside[:, j, ABSENT]
    box = np.nonzero(closed)[0]
    extra, extra_of_interest = more[closed].T
    inside, of_interest = np.array([(step.weight, step.positive) for step in trail.steps])[box].T
    share = (of_interest + extra_of_interest) / (inside + extra)
    chance = scipy.special.betainc(of_interest, inside - of_interest + 1, share)
    out = np.full(closed.shape, np.nan)
    out[closed] = np.where(of_interest > 0, chance, 1.0)
    return out
