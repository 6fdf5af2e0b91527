"""Which points to ask: one sampler a file. A sampler takes a space and a number and returns a DataFrame."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from surrogate.designs.latin_hypercube import latin_hypercube
from surrogate.designs.sobol import sobol

__all__ = ["SAMPLERS", "latin_hypercube", "sobol"]

# A study file's [design] sampler; a new sampler is one file and one line here.
SAMPLERS: dict[str, Callable[..., pd.DataFrame]] = {
    "latin_hypercube": latin_hypercube,
    "sobol": sobol,
}
