"""Which box of a trajectory to report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from surrogate.boxes.box import Box

__all__ = ["choose_supported"]


def choose_supported(trajectory: pd.DataFrame, boxes: Sequence[Box], n: float) -> int:
    t = trajectory
    accuracy = (t["mass"] * (t["density"] - t["density"].iloc[0])).to_numpy().round(12)
    return int(np.lexsort((np.arange(len(t)), t["n_restricted"], -accuracy))[0])
