"""Which runs tell most about the box: where the metamodel doubts, and where nothing was run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from surrogate.boxes.box import Box
from surrogate.boxes.reds import Reds
from surrogate.conditions import Condition
from surrogate.discovery.known import LEAST_RUNS, Known, learnt_output
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.space import Categorical, Space

__all__ = ["DRAWS", "JOINT_POINTS", "distance_to_faces", "next_points"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Points of the space that the next runs are chosen from.
CANDIDATES = 8192

# At least this share of the runs goes where runs are fewest, whatever the metamodel says: a metamodel that is sure of
# what it never saw would not ask there. It is more as long as the metamodel predicts left-out runs badly.
EXPLORING = 0.2

# How far from the box's faces, in the unit cube, a run still tells something about them.
NEAR = 0.15

# Candidates drawn for each exploring run, from which the most spread ones are taken. With many more they would all lie
# in the cube's corners, which are the points farthest from all others.
DRAWN = 4

# Of the variance of a point's value, what counts as none.
SMALLEST_VARIANCE = 1e-6

# Points and posterior draws; the joint distribution of the points takes their square in memory.
JOINT_POINTS, DRAWS = 800, 400


def next_points(
    known: Known, fitted: Reds | None, n: int, rng: np.random.Generator, further: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Where the next `n` runs tell most about the box; fewer where the space holds no more.

    Exploring takes the points of `further`, which go on with the first design, before any others.
    """
    new = _Candidates.of(known, further, rng)
    n = min(n, len(new.points))
    if not n:
        return new.points
    telling = n - _n_exploring(len(known.ended), n, 1 - (1 - EXPLORING) * _trust(known, fitted))
    if fitted is None:
        chosen = _towards_threshold(known, new, telling, rng)
    else:
        chosen = _doubtful(known, fitted, new, telling, rng)
    chosen += [row for row in range(new.n_further) if row not in chosen][: n - len(chosen)]
    distance = new.distance_with(chosen)
    left = np.flatnonzero(distance > 0)
    exploring = n - len(chosen)
    chosen += _spread(new.places, distance, rng.permutation(left)[: DRAWN * exploring], exploring)
    return new.points.iloc[chosen].reset_index(drop=True)


def _n_exploring(made: int, n: int, share: float) -> int:
    """How many of the next `n` runs explore.

    Of small batches the share rounds to none. So runs are counted through, and what was due by then falls to the batch
    that passes it, by the number of runs made alone: a discovery that is resumed goes on as it would have.
    """
    due = math.ceil(EXPLORING * (made + n)) - math.ceil(EXPLORING * made)
    return max(due, round(share * n))


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Points that the next runs are chosen from: each once, and none that was run."""

    points: pd.DataFrame
    places: FloatArray  # in the unit cube
    distance: FloatArray  # there, to the nearest run
    n_further: int  # so many of them, in front, go on with the first design

    @classmethod
    def of(cls, known: Known, further: pd.DataFrame | None, rng: np.random.Generator) -> _Candidates:
        space = known.space
        points = space.from_unit(rng.random((CANDIDATES, space.d)))
        if further is not None:
            points = pd.concat([further, points], ignore_index=True)
        # After the round trip, as integers and categories have few positions.
        places = space.to_unit(points)
        distance = _nearest(places, space.to_unit(known.ended) if len(known.ended) else np.empty((0, space.d)))
        rows = np.sort(np.unique(places, axis=0, return_index=True)[1])
        # Further points of the design were not run where rounding tells them from those that were.
        rows = rows[distance[rows] > 1e-9]
        n_further = 0 if further is None else int((rows < len(further)).sum())
        return cls(points.iloc[rows].reset_index(drop=True), places[rows], distance[rows], n_further)

    def distance_with(self, chosen: list[int]) -> FloatArray:
        """The same, with chosen candidates as if they were run."""
        return np.minimum(self.distance, _nearest(self.places, self.places[chosen]))


def _trust(known: Known, fitted: Reds | None) -> float:
    """Share of the ranks' variance that an emulator of the output explains of left-out runs; 1 where there is none."""
    if fitted is None or known.threshold is None or not learnt_output(fitted.metamodel_):
        return 1.0
    output = known.outputs[known.threshold.name]
    mean = pd.Series(fitted.metamodel_.emulator_.leave_one_out()[0], output.index)
    correlation = mean.corr(output, method="spearman")
    return float(max(correlation, 0.0) ** 2) if correlation == correlation else 0.0


def _doubtful(known: Known, fitted: Reds, new: _Candidates, n: int, rng: np.random.Generator) -> list[int]:
    """Candidates that tell most of what the metamodel doubts, above all near the box's faces."""
    model, condition = fitted.metamodel_, known.threshold
    from_faces = distance_to_faces(fitted.best_, known.space, new.points, new.places)
    score = np.log(0.2 + np.exp(-((from_faces / NEAR) ** 2)))
    if model is not None:
        score += _log_doubt(model, condition, new.points)
    # The largest of scores with Gumbel noise are a draw in proportion to their exponentials without replacement: a wide
    # doubtful region gets more points than a thin one. Of a metamodel that is all but sure they are its last doubts.
    score += rng.gumbel(size=len(score))
    chosen: list[int] = []
    emulator = getattr(model, "emulator_", None)
    if isinstance(emulator, GaussianProcess):
        pool = np.argsort(-score)[:JOINT_POINTS]
        values = emulator.draws(new.points.iloc[pool], DRAWS, rng)
        labels = condition.holds(values) if condition is not None and learnt_output(model) else values > 0.5
        chosen = pool[_resolving(values, labels, emulator.noise_std_, n)].tolist()
    return chosen + _apart(score, new.places, new.distance_with(chosen), n - len(chosen))


def _log_doubt(model: Any, threshold: Condition | None, candidates: pd.DataFrame) -> FloatArray:
    """Logarithm of the variance of each candidate's label."""
    if threshold is not None and learnt_output(model):
        mean, std = model.emulator_.predict(candidates, return_std=True)
        # Of probabilities so small that they are zero in floating point the logarithm still tells which is smallest.
        z = (threshold.value - mean) / np.maximum(std, np.finfo(float).tiny)
        return np.asarray(scipy.special.log_ndtr(z) + scipy.special.log_ndtr(-z))
    probability = np.asarray(model.predict_proba(candidates), dtype=float)
    return np.asarray(np.log(np.maximum(probability, np.finfo(float).tiny)).sum(axis=1))


def _towards_threshold(known: Known, new: _Candidates, n: int, rng: np.random.Generator) -> list[int]:
    """Of runs that are all of one kind: where functions drawn from the posterior come closest to the other kind."""
    condition = known.threshold
    if condition is None or len(known.inputs) < LEAST_RUNS:
        return []
    output = known.outputs[condition.name].to_numpy()
    if np.ptp(output) == 0:
        return []
    emulator = GaussianProcess().fit(known.inputs, output, known.space)
    mean, std = emulator.predict(new.points, return_std=True)
    side = 1.0 if (condition.operator in ("<", "<=")) != bool(known.labels.all()) else -1.0
    # By rank, as the probabilities themselves may all be zero in floating point.
    reach = side * (condition.value - mean) / np.maximum(std, np.finfo(float).tiny)
    pool = np.argsort(-reach)[:JOINT_POINTS]
    chosen: list[int] = []
    for drawn in side * emulator.draws(new.points.iloc[pool], n, rng):
        drawn[chosen] = np.inf
        chosen.append(int(np.argmin(drawn)))
    return [int(row) for row in pool[chosen]]


def _resolving(values: FloatArray, labels: BoolArray, noise_std: float, n: int) -> list[int]:
    """One after another the points whose values explain most of the variance that all points' labels still have.

    Parameters
    ----------
    values, labels : arrays of shape (n_draws, n_points)
        Joint draws of the posterior.

    Notes
    -----
    The gain of a point is the variance of the labels' linear regression on its value, summed over all points; what is
    explained is then taken out of labels and values. It is the targeted mean square error of Picheny et al.,
    "Adaptive designs of experiments for accurate approximation of a target region", Journal of Mechanical Design 132,
    2010, with draws in place of formulas. Ends where labels do not vary.
    """
    std = np.sqrt(values.var(axis=0) + noise_std**2)
    scaled = (values - values.mean(axis=0)) / np.where(std > 0, std, np.inf)
    covariance = scaled.T @ scaled / len(values)
    with_labels = (labels - labels.mean(axis=0)).T @ scaled / len(values)
    # What a run at the point would give: the output with its noise.
    variance = np.minimum(covariance.diagonal(), 1.0) + np.divide(
        noise_std**2, std**2, out=np.zeros_like(std), where=std > 0
    )
    chosen: list[int] = []
    for _ in range(n):
        is_open = variance > SMALLEST_VARIANCE
        gain = np.where(is_open, (with_labels**2).sum(axis=0) / np.where(is_open, variance, 1.0), 0.0)
        best = int(np.argmax(gain))
        if not gain[best] > SMALLEST_VARIANCE:
            break
        chosen.append(best)
        slope = covariance[best] / variance[best]
        with_labels -= np.outer(with_labels[:, best], slope)
        variance -= covariance[best] * slope
        covariance -= np.outer(covariance[best], slope)
        variance[best] = 0.0
    return chosen


def _apart(score: FloatArray, places: FloatArray, distance: FloatArray, n: int) -> list[int]:
    """One after another the largest of log scores, lowered where a run or a point taken before is near."""
    chosen: list[int] = []
    for _ in range(n):
        with np.errstate(divide="ignore"):
            best = int(np.argmax(score + np.log(-np.expm1(-((distance / NEAR) ** 2)))))
        chosen.append(best)
        distance = np.minimum(distance, _nearest(places, places[[best]]))
    return chosen


def distance_to_faces(box: Box, space: Space, candidates: pd.DataFrame, places: FloatArray) -> FloatArray:
    """Distance of each candidate to the surface of a box in the unit cube; inputs without order differ by 1."""
    beyond = np.zeros(len(places))
    within = np.full(len(places), np.inf)
    for name, limits in box.limits.items():
        u = places[:, space.names.index(name)]
        inside = Box({name: limits}).contains(candidates)
        if isinstance(space[name], Categorical) or not inside.any():
            beyond += ~inside
            continue
        # Faces as the candidates show them: close enough, and the same for every kind of ordered input.
        low, high = u[inside].min(), u[inside].max()
        beyond += np.maximum(np.maximum(low - u, u - high), 0.0) ** 2
        for face, is_face in ((low, low > u.min()), (high, high < u.max())):
            if is_face:
                within = np.minimum(within, np.abs(u - face))
    return np.where(beyond > 0, np.sqrt(beyond), within)


def _nearest(places: FloatArray, others: FloatArray) -> FloatArray:
    return cdist(places, others).min(axis=1) if len(others) else np.full(len(places), np.inf)


def _spread(places: FloatArray, distance: FloatArray, pool: NDArray[np.int64], n: int) -> list[int]:
    """Of the pool one after another the point farthest from all runs and those taken before."""
    chosen: list[int] = []
    distance = distance[pool]
    for _ in range(min(n, len(pool))):
        best = int(np.argmax(distance))
        chosen.append(int(pool[best]))
        distance = np.minimum(distance, np.linalg.norm(places[pool] - places[pool[best]], axis=1))
    return chosen
