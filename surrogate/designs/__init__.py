"""Which points to ask: one sampler a file. A sampler takes a space and a number and returns a DataFrame."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from surrogate.designs.choose import design
from surrogate.designs.factorial import factorial, fractional_factorial, gsd, plackett_burman
from surrogate.designs.halton import halton
from surrogate.designs.latin_hypercube import latin_hypercube, maximin, maxpro
from surrogate.designs.lattice import lattice
from surrogate.designs.optimal import optimal
from surrogate.designs.response_surface import box_behnken, central_composite
from surrogate.designs.sobol import sobol

__all__ = [
    "FIXED_SIZE",
    "SAMPLERS",
    "box_behnken",
    "central_composite",
    "design",
    "factorial",
    "fractional_factorial",
    "gsd",
    "halton",
    "latin_hypercube",
    "lattice",
    "maximin",
    "maxpro",
    "optimal",
    "plackett_burman",
    "sobol",
]

# A study file's [design] sampler; a new sampler is one file and one line here.
SAMPLERS: dict[str, Callable[..., pd.DataFrame]] = {
    "halton": halton,
    "latin_hypercube": latin_hypercube,
    "lattice": lattice,
    "maximin": maximin,
    "maxpro": maxpro,
    "sobol": sobol,
}

# Designs that decide their number of points, or the kind of their points, themselves.
FIXED_SIZE: dict[str, Callable[..., pd.DataFrame]] = {
    "box_behnken": box_behnken,
    "central_composite": central_composite,
    "factorial": factorial,
    "fractional_factorial": fractional_factorial,
    "gsd": gsd,
    "plackett_burman": plackett_burman,
}
