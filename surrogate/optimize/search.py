"""Where an acquisition is largest: many candidates, climbs from the best of them, discrete parameters by trying."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.optimize.acquisition import Term, total
from surrogate.optimize.encoding import Encoding

__all__ = ["SAME_POINT", "Search", "climb_all", "is_new"]

FloatArray = NDArray[np.float64]

# Points are the same if no position differs by more.
SAME_POINT = 1e-7

# Candidates over the whole region, and around each of the best runs.
N_CANDIDATES, N_AROUND = 512, 40

# Climbs, iterations of each, and the gain in the acquisition's logarithm that ends one.
N_CLIMBS, N_ITERATIONS, GAIN = 4, 30, 1e-7

# Of the region: starts lie at least so far apart.
APART = 0.02

# Largest step of a climb, as a share of the region, and how often it is shortened.
LONGEST, SHORTENED = 0.2, 12

# Added to the diagonal of a climb's second derivatives, relative to its sum.
RIDGE = 1e-12

# Stands for an infinite loss.
LARGEST = 1e300

# How often discrete parameters and positions take turns.
TURNS = 3


def is_new(u: FloatArray, known: FloatArray, same: float = SAME_POINT) -> NDArray[np.bool_]:
    """Whether each point, (m, d), differs from every known one, (n, d), in some position by more than `same`."""
    if not len(known):
        return np.ones(len(u), dtype=bool)
    return np.asarray((np.abs(u[:, None, :] - known[None]).max(axis=2) > same).all(axis=1))


def climb_all(
    function: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    starts: FloatArray,
    low: FloatArray,
    high: FloatArray,
    iterations: int = N_ITERATIONS,
) -> tuple[FloatArray, FloatArray]:
    """Maximise a smooth function in a box from several starts at once: projected BFGS, all climbs in one evaluation.

    Parameters
    ----------
    function : callable
        From points (m, d) to values (m,) and derivatives (m, d).
    starts : array of shape (m, d)
    low, high : array of shape (d,)

    Returns
    -------
    x : array of shape (m, d)
    values : array of shape (m,)

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright, "Numerical Optimization", 2nd ed. 2006, procedure 18.2 (damped updates).
    """

    def finite(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        # Logarithms of probabilities overflow far from anything allowed; such a point is just bad.
        v, g = function(x)
        good = np.isfinite(v) & np.isfinite(g).all(axis=1)
        return np.where(good, v, -LARGEST), np.where(good[:, None], g, 0.0)

    x = np.clip(starts, low, high)
    width = np.maximum(high - low, 1e-300)
    value, gradient = finite(x)
    gradient = -gradient  # of a minimisation
    m, d = x.shape
    eye = np.eye(d)
    # The first step is a tenth of the region long.
    steepness = np.abs(gradient * width).max(axis=1)
    b = np.maximum(steepness, 1e-12)[:, None, None] / (0.1 * width**2) * eye
    going = np.ones(m, dtype=bool)
    for _ in range(iterations):
        fixed = ((x <= low) & (gradient > 0)) | ((x >= high) & (gradient < 0))
        free = ~fixed
        # A ridge of a rounding error: where all is flat but for one direction the rest may vanish.
        ridge = RIDGE * np.trace(b, axis1=1, axis2=2)[:, None, None] * eye
        system = np.where(free[:, :, None] & free[:, None, :], b + ridge, eye)
        direction = -np.linalg.solve(system, np.where(free, gradient, 0.0)[:, :, None])[:, :, 0]
        longest = np.abs(direction / width).max(axis=1)
        direction *= np.minimum(1.0, LONGEST / np.maximum(longest, 1e-300))[:, None]
        length = np.where(going, 1.0, 0.0)
        new_x, new_value, new_gradient = x.copy(), value.copy(), gradient.copy()
        trying = going.copy()
        for _ in range(SHORTENED):
            rows = np.flatnonzero(trying)
            if not len(rows):
                break
            moved = np.clip(x[rows] + length[rows, None] * direction[rows], low, high)
            v, g = finite(moved)
            expected = -(gradient[rows] * (moved - x[rows])).sum(axis=1)
            good = v >= value[rows] + 1e-4 * expected
            hit = rows[good]
            new_x[hit], new_value[hit], new_gradient[hit] = moved[good], v[good], -g[good]
            trying[hit] = False
            length[rows[~good]] *= 0.25
        going &= ~trying
        step, change = new_x - x, new_gradient - gradient
        bent = (b @ step[:, :, None])[:, :, 0]
        curvature, expected = (step * change).sum(axis=1), (step * bent).sum(axis=1)
        damp = going & (curvature < 0.2 * expected)
        share = np.where(damp, 0.8 * expected / np.where(damp, expected - curvature, 1.0), 1.0)[:, None]
        change = share * change + (1.0 - share) * bent
        curvature = (step * change).sum(axis=1)
        update = going & (expected > 0) & (curvature > 0)
        if update.any():
            b[update] += (
                change[update, :, None] * change[update, None, :] / curvature[update, None, None]
                - bent[update, :, None] * bent[update, None, :] / expected[update, None, None]
            )
        going &= new_value - value > GAIN
        x, value, gradient = new_x, new_value, new_gradient
        if not going.any():
            break
    return x, value


@dataclass(eq=False)
class Search:
    """Looks for the point of largest acquisition that is not known yet.

    Attributes
    ----------
    encoding : Encoding
    known : array of shape (n, d)
        Points that were run or are running.
    rng : Generator
    extra_columns : array of shape (e,)
        Columns after those of the parameters, the same for all points (a level).
    """

    encoding: Encoding
    known: FloatArray
    rng: np.random.Generator
    extra_columns: FloatArray = field(default_factory=lambda: np.empty(0))

    def columns(self, u: FloatArray) -> FloatArray:
        """What the models see."""
        z = self.encoding.columns(u)
        return np.hstack([z, np.broadcast_to(self.extra_columns, (len(u), len(self.extra_columns)))])

    def candidates(self, around: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """Spread over the region and gathered around good points, (m, d)."""
        d = self.encoding.d
        spread = low + (high - low) * qmc.Sobol(d, rng=self.rng).random(N_CANDIDATES)
        parts = [spread]
        if len(around):
            # From far to very near; each moves some of the parameters, all of them where these are few.
            centres = np.repeat(around, N_AROUND, axis=0)
            size = 10.0 ** self.rng.uniform(-4.0, -0.7, size=(len(centres), 1))
            moved = self.rng.random(centres.shape) < max(0.5, min(1.0, 5.0 / d)) if d > 5 else True
            near = centres + np.where(moved, size * self.rng.standard_normal(centres.shape), 0.0) * (high - low)
            # A small step would never reach another value of a discrete parameter.
            discrete = ~self.encoding.climbs
            if discrete.any():
                jumps = self.rng.random((len(near), int(discrete.sum()))) < 0.3
                near[:, discrete] = np.where(jumps, self.rng.random(jumps.shape), near[:, discrete])
            parts.append(np.clip(near, low, high))
        return self.encoding.snap(np.vstack(parts))

    def best(
        self,
        terms: Sequence[Term],
        around: FloatArray,
        low: FloatArray | None = None,
        high: FloatArray | None = None,
        starts: FloatArray | None = None,
    ) -> tuple[FloatArray, float] | None:
        """The best new point, (d,), and its acquisition; None if there is no new point in the region.

        Parameters
        ----------
        terms : sequence of Term
            Summands of the acquisition.
        around : array of shape (k, d)
            Good points, near which candidates gather.
        low, high : array of shape (d,), optional
            The region, by default everything.
        starts : array of shape (s, d), optional
            Further points to climb from.
        """
        d = self.encoding.d
        low = np.zeros(d) if low is None else low
        high = np.ones(d) if high is None else high
        u = self.candidates(around, low, high)
        if starts is not None:
            u = np.vstack([starts, u])
        z = self.columns(u)
        value = np.nan_to_num(np.sum([term.values(z) for term in terms], axis=0), nan=-LARGEST, neginf=-LARGEST)
        chosen = _spread_best(u, value, N_CLIMBS, APART * (high - low))
        tops, heights = self._climb(terms, u[chosen], low, high)
        if not self.encoding.climbs.all():
            for _ in range(TURNS):
                moved, gained = self._try_values(terms, tops, heights, low, high)
                if not gained:
                    break
                tops, heights = self._climb(terms, moved, low, high)
        everything = np.vstack([tops, u])
        heights = np.concatenate([heights, value])
        for row in np.argsort(-heights, kind="stable"):
            if is_new(everything[row : row + 1], self.known)[0]:
                return everything[row], float(heights[row])
        return None

    def _climb(
        self, terms: Sequence[Term], starts: FloatArray, low: FloatArray, high: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Climb positions; discrete parameters stay, integers with many values end on the nearest."""
        climbs = self.encoding.climbs
        if not climbs.any():
            return starts, np.sum([term.values(self.columns(starts)) for term in terms], axis=0)

        def climb(whole: FloatArray) -> tuple[FloatArray, FloatArray]:
            """From starts with the same discrete values."""

            def function(x: FloatArray) -> tuple[FloatArray, FloatArray]:
                u = np.repeat(whole[:1], len(x), axis=0)
                u[:, climbs] = x
                value, slopes = total(terms, self.columns(u))
                return value, self.encoding.slopes(slopes[:, : self.encoding.n_columns])[:, climbs]

            out = whole.copy()
            out[:, climbs], height = climb_all(function, whole[:, climbs], low[climbs], high[climbs])
            return out, height

        if climbs.all():
            top, height = climb(starts)
        else:
            # Each start keeps its own discrete values, one by one.
            parts = [climb(start[None]) for start in starts]
            top, height = np.vstack([u for u, _ in parts]), np.concatenate([h for _, h in parts])
        snapped = self.encoding.snap(top)
        if not np.array_equal(snapped, top):
            height = np.sum([term.values(self.columns(snapped)) for term in terms], axis=0)
        return snapped, height

    def _try_values(
        self, terms: Sequence[Term], tops: FloatArray, heights: FloatArray, low: FloatArray, high: FloatArray
    ) -> tuple[FloatArray, bool]:
        """Each top with the one change of a discrete parameter that gains most."""
        moved, gained = tops.copy(), False
        for i, top in enumerate(tops):
            rows = []
            for j, values in enumerate(self.encoding.values):
                if values is None:
                    continue
                allowed = values[(values >= low[j] - SAME_POINT) & (values <= high[j] + SAME_POINT)]
                others = allowed[np.abs(allowed - top[j]) > SAME_POINT]
                block = np.repeat(top[None], len(others), axis=0)
                block[:, j] = others
                rows.append(block)
            tried = np.vstack(rows)
            tried = tried[is_new(tried, self.known)]
            if not len(tried):
                continue
            value = np.sum([term.values(self.columns(tried)) for term in terms], axis=0)
            best = int(np.argmax(value))
            if value[best] > heights[i] + GAIN:
                moved[i], gained = tried[best], True
        return moved, gained


def _spread_best(u: FloatArray, value: FloatArray, n: int, apart: FloatArray) -> list[int]:
    """Row numbers of the best points that lie apart from each other."""
    chosen: list[int] = []
    apart = np.maximum(apart, 1e-12)
    for row in np.argsort(-value, kind="stable"):
        if all((np.abs(u[row] - u[other]) / apart).max() > 1.0 for other in chosen):
            chosen.append(int(row))
        if len(chosen) == n:
            break
    return chosen
