"""Several objectives, all minimised: fronts, hypervolumes, the expected gain in hypervolume, the knee."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from surrogate.optimize.acquisition import log_improvement
from surrogate.optimize.surface import Moments, Surface

__all__ = ["HypervolumeGain", "hypervolume", "is_on_front", "knee", "undominated_boxes", "usual_reference"]

FloatArray = NDArray[np.float64]

# How much further than the worst point of the front the reference lies, as a share of the front's range.
BEYOND_FRONT = 0.1


def is_on_front(points: ArrayLike) -> NDArray[np.bool_]:
    """Whether no other point is at least as good in everything and better in something; equal points all are.

    Parameters
    ----------
    points : array of shape (n, k)

    Examples
    --------
    >>> is_on_front([[0, 2], [1, 1], [1, 3]])
    array([ True,  True, False])
    """
    y = np.asarray(points, dtype=float)
    no_worse = (y[:, None, :] <= y[None, :, :]).all(axis=2)
    better = (y[:, None, :] < y[None, :, :]).any(axis=2)
    return np.asarray(~(no_worse & better).any(axis=0))


def hypervolume(points: ArrayLike, reference: ArrayLike) -> float:
    """Volume that is dominated by the points and better than the reference.

    Parameters
    ----------
    points : array of shape (n, k)
        k is 1, 2 or 3.
    reference : array of shape (k,)

    References
    ----------
    .. [1] E. Zitzler, L. Thiele, "Multiobjective optimization using evolutionary algorithms: a comparative case study",
       PPSN V, 1998.

    Examples
    --------
    >>> hypervolume([[0, 1], [1, 0]], [2, 2])
    3.0
    """
    r = np.asarray(reference, dtype=float)
    y = np.asarray(points, dtype=float).reshape(-1, len(r))
    y = y[(y < r).all(axis=1)]
    if not len(y):
        return 0.0
    if len(r) == 1:
        return float(r[0] - y.min())
    if len(r) == 2:
        # From left to right the lowest so far: strips as wide as the distance to the next point.
        y = y[np.lexsort(y.T[::-1])]
        heights = r[1] - np.minimum.accumulate(y[:, 1])
        return float((np.diff(np.append(y[:, 0], r[0])) * heights).sum())
    y = y[np.argsort(y[:, -1], kind="stable")]
    # Slices along the last objective: each is as thick as the distance to the next point.
    ends = np.append(y[1:, -1], r[-1])
    return float(
        sum((end - y[i, -1]) * hypervolume(y[: i + 1, :-1], r[:-1]) for i, end in enumerate(ends) if end > y[i, -1])
    )


def usual_reference(front: FloatArray) -> FloatArray:
    """The point from which the hypervolume of a front, (n, k), is measured unless one is given."""
    width = np.ptp(front, axis=0)
    # A single point has no range: 1, that of standardised outputs.
    return np.asarray(front.max(axis=0) + BEYOND_FRONT * np.where(width > 0, width, 1.0))


def undominated_boxes(front: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Disjoint boxes that fill what is better than the reference and not dominated.

    Parameters
    ----------
    front : array of shape (n, k)
        k is 2 or 3.
    reference : array of shape (k,)

    Returns
    -------
    low, high : array of shape (b, k)
        Open below: -inf where nothing bounds them.

    References
    ----------
    .. [1] K. Yang, M. Emmerich, A. Deutz, T. Baeck, "Efficient computation of expected hypervolume improvement using
       box decomposition algorithms", Journal of Global Optimization 75, 2019.
    """
    front = front[(front < reference).all(axis=1)]
    front = front[is_on_front(front)] if len(front) else front
    if len(reference) == 2:
        strips = _strips(front, reference)
        return strips[:, [0, 2]], strips[:, [1, 3]]
    front = front[np.argsort(front[:, 2], kind="stable")]
    levels = np.concatenate([[-np.inf], front[:, 2], [reference[2]]])
    boxes: list[tuple[float, ...]] = []
    begun: dict[tuple[float, ...], float] = {}
    for i, (low, high) in enumerate(pairwise(levels)):
        if high == low:
            continue
        # A strip that the next point leaves as it was goes on: there are fewer boxes.
        below = set(map(tuple, _strips(front[:i, :2], reference[:2]).tolist()))
        for strip in [s for s in begun if s not in below]:
            boxes.append((*strip, begun.pop(strip), low))
        for strip in below:
            begun.setdefault(strip, low)
    boxes += [(*strip, start, float(reference[2])) for strip, start in begun.items()]
    found = np.array(sorted(boxes)).reshape(-1, 6)
    return found[:, [0, 2, 4]], found[:, [1, 3, 5]]


def _strips(front: FloatArray, reference: FloatArray) -> FloatArray:
    """Rows (low 1, high 1, low 2, high 2) of the strips under a front of two objectives."""
    if len(front):
        front = np.unique(front[is_on_front(front)], axis=0)
    edges = np.concatenate([[-np.inf], front[:, 0], [reference[0]]])
    tops = np.concatenate([[reference[1]], front[:, 1]])
    return np.column_stack([edges[:-1], edges[1:], np.full(len(tops), -np.inf), tops])


@dataclass(frozen=True, eq=False)
class HypervolumeGain:
    """Logarithm of the expected gain in hypervolume, exact for independent models, as a term of an acquisition.

    The volume is summed over the undominated boxes; in each it is a product of one-dimensional integrals of the normal
    distribution, all in logarithms.

    References
    ----------
    .. [1] M. Emmerich, A. Deutz, J. Klinkenberg, "Hypervolume-based expected improvement: monotonicity properties and
       exact computation", IEEE CEC 2011.
    """

    surfaces: Sequence[Surface]
    front: FloatArray
    reference: FloatArray
    _boxes: tuple[FloatArray, FloatArray] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_boxes", undominated_boxes(self.front, self.reference))

    def values(self, z: FloatArray) -> FloatArray:
        parts = [surface.predict(z) for surface in self.surfaces]
        return self._volume([mean for mean, _ in parts], [std for _, std in parts], slopes=False)[0]

    def slopes(self, z: FloatArray) -> tuple[FloatArray, FloatArray]:
        found: list[Moments] = [surface.moments(z) for surface in self.surfaces]
        value, by_mean, by_std = self._volume([m.mean for m in found], [m.std for m in found], slopes=True)
        slope = np.zeros_like(found[0].mean_slopes)
        for j, m in enumerate(found):
            slope += by_mean[j][:, None] * m.mean_slopes + by_std[j][:, None] * m.std_slopes
        return value, slope

    def _volume(
        self, means: list[FloatArray], stds: list[FloatArray], *, slopes: bool
    ) -> tuple[FloatArray, list[FloatArray], list[FloatArray]]:
        low, high = self._boxes
        logs = np.zeros((len(means[0]), len(low)))
        mean_parts, std_parts = [], []
        for j, (mean, std) in enumerate(zip(means, stds, strict=True)):
            b = (high[:, j] - mean[:, None]) / std[:, None]
            a = (low[:, j] - mean[:, None]) / std[:, None]
            bounded = np.isfinite(low[:, j])
            log_b, ratio_b = log_improvement(b)
            log_a, ratio_a = np.full_like(log_b, -np.inf), np.zeros_like(log_b)
            log_a[:, bounded], ratio_a[:, bounded] = log_improvement(a[:, bounded])
            # log(h(b) - h(a)); equal where a box is thinner than rounding.
            gap = np.minimum(log_a - log_b, -1e-300)
            share = np.log(-np.expm1(gap))
            part = np.maximum(log_b + share, -1e300)
            logs += part + np.log(std)[:, None]
            if slopes:
                # Derivatives of h are normal distribution functions: h' = Phi.
                weight_b, weight_a = np.exp(-share), np.exp(np.minimum(log_a - log_b - share, 700.0))
                at_b, at_a = ratio_b * weight_b, ratio_a * weight_a
                safe_a = np.where(bounded, a, 0.0)
                mean_parts.append((at_a - at_b) / std[:, None])
                std_parts.append((1.0 + at_a * safe_a - at_b * b) / std[:, None])
        top = logs.max(axis=1)
        weights = np.exp(logs - top[:, None])
        volume = weights.sum(axis=1)
        weights /= volume[:, None]
        return (
            top + np.log(volume),
            [(weights * part).sum(axis=1) for part in mean_parts],
            [(weights * part).sum(axis=1) for part in std_parts],
        )


def knee(front: ArrayLike) -> int:
    """Row number of the point of a front that bulges most beyond the plane through the ends.

    Objectives are scaled to [0, 1] over the front; the point of the smallest sum is furthest from the plane.

    References
    ----------
    .. [1] I. Das, "On characterizing the 'knee' of the Pareto curve based on normal-boundary intersection", Structural
       Optimization 18, 1999.

    Examples
    --------
    >>> knee([[0, 1], [0.2, 0.2], [1, 0]])
    1
    """
    y = np.asarray(front, dtype=float)
    low, width = y.min(axis=0), np.ptp(y, axis=0)
    return int(np.argmin(((y - low) / np.where(width > 0, width, 1.0)).sum(axis=1)))
