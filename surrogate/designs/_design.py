"""What all samplers share: checking `n`, remembering the seed, and the way from the unit cube to a DataFrame."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.space import Space

Rng = np.random.Generator | int | None


def check_size(n: Any) -> int:
    """`n` as an int of at least 1."""
    if isinstance(n, bool) or not isinstance(n, (int, np.integer)):
        raise TypeError(f"n must be a whole number of points, got {n!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, got {n}")
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


def design_from_unit(space: Space, u: NDArray[np.float64], sampler: str, seed: int | None) -> pd.DataFrame:
    """The design at positions `u` in the unit cube; its ``attrs`` say which sampler and seed made it."""
    design = space.from_unit(u)
    design.attrs = {"sampler": sampler, "seed": seed, "n": len(design)}
    return design
