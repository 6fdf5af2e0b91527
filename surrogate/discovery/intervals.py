"""How sure coverage and density of the chosen box are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from surrogate.boxes.reds import Reds
from surrogate.boxes.resampling import quality_intervals
from surrogate.discovery.known import Known, learnt_output
from surrogate.discovery.proposals import DRAWS, JOINT_POINTS
from surrogate.space import Space

__all__ = ["intervals"]

FloatArray = NDArray[np.float64]

# Points behind the intervals: chunks of the first number until they hold the second of interest, if that is not rare.
INTERVAL_POINTS, ENOUGH_OF_INTEREST, MOST_CHUNKS = 20_000, 1000, 10


def intervals(fitted: Reds, known: Known, start: int, seed: int) -> tuple[pd.DataFrame, str]:
    """Coverage and density of the chosen box with 95% intervals, and where these come from."""
    box, model, threshold = fitted.best_, fitted.metamodel_, known.threshold
    if threshold is None or not learnt_output(model):
        # Runs chosen later lie close to the threshold: not what a box would meet.
        used, source = known.inputs.index.isin(known.ended.index[:start]), "runs"
        if not known.labels[used].any():
            used, source = np.ones(len(used), dtype=bool), "all runs, most of them chosen close to the threshold"
        table = quality_intervals(box, known.inputs[used], known.labels[used])
        return table.loc[["coverage", "density"]], source
    rng = np.random.default_rng([seed, 1])
    points, probability = _points_holding(model, known.space, rng)
    inside = box.contains(points)
    # Only of the points that could be either way does the joint distribution matter.
    is_open = (probability > 1e-3) & (probability < 1 - 1e-3)
    sure = np.where(is_open, 0.0, probability)
    open_rows = np.flatnonzero(is_open)
    rows = rng.choice(open_rows, min(JOINT_POINTS, len(open_rows)), replace=False)
    of_interest, of_interest_inside = np.full(DRAWS, sure.sum()), np.full(DRAWS, sure[inside].sum())
    if len(rows):
        drawn = threshold.holds(model.emulator_.draws(points.iloc[rows], DRAWS, rng)).astype(float)
        weight = len(open_rows) / len(rows)
        of_interest += weight * drawn.sum(axis=1)
        of_interest_inside += weight * drawn[:, inside[rows]].sum(axis=1)
    expected = float(probability[inside].sum())
    shares = {
        "coverage": (expected, float(probability.sum()), of_interest_inside, of_interest),
        "density": (expected, float(inside.sum()), of_interest_inside, np.full(DRAWS, float(inside.sum()))),
    }
    rows_of = {}
    for name, (part, whole, part_drawn, whole_drawn) in shares.items():
        value = part / max(whole, np.finfo(float).tiny)
        # The points are finite in number too: Jeffreys' posterior of a share.
        rest = np.maximum(whole_drawn - part_drawn, 0.0)
        low, high = np.quantile(rng.beta(part_drawn + 0.5, rest + 0.5), [0.025, 0.975])
        # The draws know fewer points than the value does.
        rows_of[name] = (value, min(low, value), max(high, value))
    return pd.DataFrame.from_dict(rows_of, orient="index", columns=["value", "low", "high"]), "posterior draws"


def _points_holding(model: Any, space: Space, rng: np.random.Generator) -> tuple[pd.DataFrame, FloatArray]:
    """Points of the space, as many as it takes to hold :data:`ENOUGH_OF_INTEREST`, and their probabilities."""
    points: list[pd.DataFrame] = []
    probability: list[FloatArray] = []
    for _ in range(MOST_CHUNKS):
        points.append(space.from_unit(rng.random((INTERVAL_POINTS, space.d))))
        probability.append(np.asarray(model.predict_proba(points[-1]))[:, 1])
        if sum(map(np.sum, probability)) >= ENOUGH_OF_INTEREST:
            break
    return pd.concat(points, ignore_index=True), np.concatenate(probability)
