"""Which inputs matter? One measure a function, of simulators, emulators or runs that exist, as DataFrames."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from surrogate.sensitivity._table import by_output, labels_of
from surrogate.sensitivity.given_data import delta, pawn
from surrogate.sensitivity.screening import dgsm, fast, morris
from surrogate.sensitivity.shapley import shapley_effects
from surrogate.sensitivity.sobol import second_order, sobol_indices

__all__ = [
    "MEASURES",
    "by_output",
    "delta",
    "dgsm",
    "fast",
    "labels_of",
    "morris",
    "pawn",
    "second_order",
    "shapley_effects",
    "sobol_indices",
]

# A study file's [sensitivity] method; a new measure is one function and one line here.
MEASURES: dict[str, Callable[..., pd.DataFrame]] = {
    "delta": delta,
    "dgsm": dgsm,
    "fast": fast,
    "morris": morris,
    "pawn": pawn,
    "shapley": shapley_effects,
    "sobol": sobol_indices,
}
