"""What all samplers share: checking `n`, remembering the seed, and the way from the unit cube to a DataFrame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.designs.copula import Correlation, correlated
from surrogate.designs.where import Where, check_where
from surrogate.errors import ConditionError
from surrogate.space import Real, Space

FloatArray = NDArray[np.float64]
Rng = np.random.Generator | int | None

# A condition that fewer than about one in this many points meets is refused rather than searched for minutes.
RAREST = 2**14
# So many points tell how rare one is.
JUDGED = 2**17
# Numbers, points times parameters, that may be drawn for a condition: about a quarter of a minute.
MOST_DRAWN = 2**29


def check_size(n: Any, name: str = "n") -> int:
    """`n` as an int of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number of points, got {n!r}")
    if n < 1:
        raise ValueError(f"{name} must be at least 1, got {n}")
    return int(n)


def seeded(rng: Rng) -> tuple[np.random.Generator, int | None]:
    """A generator, and the seed that makes it again (None if the caller brought a generator).

    Without a seed one is drawn from the operating system, so that every design can be made a second time.
    """
    if isinstance(rng, np.random.Generator):
        return rng, None
    if rng is None:
        rng = int(np.random.SeedSequence().generate_state(1, np.uint64)[0] >> 1)
    if isinstance(rng, bool) or not isinstance(rng, (int, np.integer)) or rng < 0:
        raise TypeError(f"rng must be a numpy Generator, a non-negative int or None, got {rng!r}")
    return np.random.default_rng(int(rng)), int(rng)


def design_from_unit(
    space: Space, u: FloatArray, sampler: str, seed: int | None, options: Mapping[str, Any] | None = None
) -> pd.DataFrame:
    """The design at positions `u` in the unit cube; its ``attrs`` say which sampler, seed and options made it."""
    return finish(space, space.from_unit(u), sampler, seed, options)


def finish(
    space: Space, design: pd.DataFrame, sampler: str, seed: int | None, options: Mapping[Any, Any] | None = None
) -> pd.DataFrame:
    """`design` with its ``attrs``; options that are None are left out. It remembers its space for ``augment``."""
    told = {str(key): value for key, value in (options or {}).items() if value is not None}
    design.attrs.clear()
    design.attrs.update(sampler=sampler, seed=seed, n=len(design), **told)
    # Not in attrs, which are stored with the runs, and not by plain assignment, which pandas takes for a column.
    object.__setattr__(design, "_space", space)
    return design


def first_that_hold(
    space: Space,
    draw: Callable[[int], FloatArray],
    n: int,
    where: Where,
    correlation: Correlation,
) -> tuple[FloatArray, dict[str, Any]]:
    """The first `n` points of a sequence that meet `where`, correlated, with the options as ``attrs`` tell them.

    Parameters
    ----------
    draw : callable
        The next points of the sequence in the unit cube, at least so many; the first time those at its beginning.
    """
    condition = check_where(where, space)
    couple = correlated(space, correlation)
    options = {"where": condition.text if condition else None, "correlation": couple.told}
    if condition is None:
        return couple(draw(n))[:n], options
    # Drawn in parts of which only what is kept stays in memory, however rare it is.
    part = min(max(n, 2**10), max(JUDGED // space.d, 2**10))
    kept: list[FloatArray] = []
    drawn = met = 0
    while met < n:
        u = couple(draw(part))
        kept.append(u[condition(space.from_unit(u))])
        drawn, met = drawn + len(u), met + len(kept[-1])
        needed = drawn * n / max(met, 1)
        if drawn >= JUDGED and (met * RAREST < drawn or needed * space.d > MOST_DRAWN):
            raise ConditionError(
                f"where: only {met} of {drawn} points meet {condition.text!r}, too few to go on; "
                "narrow the space's bounds to where it can hold"
            )
    return np.concatenate(kept)[:n], options


def open_ends(space: Space) -> NDArray[np.bool_]:
    """Per parameter whether its ends are infinitely far away."""
    return np.array([isinstance(p, Real) and not (np.isfinite(p.low) and np.isfinite(p.high)) for p in space.values()])
