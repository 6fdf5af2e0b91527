"""The emulators along each input: drawn through the middle of the runs, with a slider an input where scripts run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as MplFigure
from numpy.typing import NDArray

from surrogate.emulators.slices import Copy, Formula, Slices
from surrogate.emulators.tables import Z95
from surrogate.plots.emulator import plot_slice
from surrogate.reports.content import Asked, Block, Figure, Live, Table, packed
from surrogate.runs.records import Runs
from surrogate.space import Space

__all__ = ["slice_blocks"]

# More outputs than these are not drawn: a page is read, not searched.
MOST_OUTPUTS = 4

# Below this agreement of the copy with the emulator there are no sliders, which would show something else.
LEAST_AGREEMENT = 0.9

PANELS_A_ROW = 4

FloatArray = NDArray[np.float64]


def slice_blocks(asked: Asked) -> list[Block]:
    """Figures of the first outputs, and what sliders need; nothing of emulators without a standard deviation."""
    runs = asked.runs
    if runs is None:
        return []
    labels = {str(out): out.label for out in runs.output_types}
    figures: list[Block] = []
    live: list[dict[str, Any]] = []
    slices = None
    for output, emulator in list(asked.emulators.items())[:MOST_OUTPUTS]:
        seen = _seen(emulator, runs, output)
        if seen is None:
            continue

        def ask(table: pd.DataFrame, emulator: Any = emulator, seen: Any = seen) -> tuple[FloatArray, FloatArray]:
            mean, std = emulator.predict(seen(table), return_std=True)
            return np.asarray(mean, dtype=float), np.asarray(std, dtype=float)

        slices = Slices.of(ask, runs.inputs, runs.space)
        figures.append(_figure(slices, runs.space, output, labels[output]))
        copy = Copy.of(emulator, ask, seen, slices, runs.inputs, runs.space)
        if copy.agreement >= LEAST_AGREEMENT:
            live.append(_live_output(copy, slices, labels[output], runs.outputs[output]))
    if slices is None or not live:
        return figures
    inputs = [
        {"label": runs.space.label(name), "values": [_told(v) for v in values], "at": at}
        for (name, values), at in zip(zip(runs.space, slices.steps), slices.at)
    ]
    told = "The emulators through the middle of the runs. Where scripts run, sliders move the other inputs."
    return [Live("slices", told, {"inputs": inputs, "outputs": live}), *figures]


def _seen(emulator: Any, runs: Runs, output: str) -> Callable[[pd.DataFrame], Any] | None:
    """From inputs to what the emulator was fitted on; without names the form with which it predicts the runs better."""
    ways: list[Callable[[pd.DataFrame], Any]] = [runs.space.to_unit, lambda table: table.to_numpy()]
    if getattr(emulator, "feature_names_in_", None) is not None:
        ways = [lambda table: table]
    actual = runs.outputs[output].to_numpy(dtype=float)
    best, least = None, np.inf
    for way in ways:
        try:
            mean, _ = emulator.predict(way(runs.inputs), return_std=True)
        except (TypeError, ValueError):
            continue
        error = float(np.square(np.asarray(mean, dtype=float) - actual).mean())
        if error < least:
            best, least = way, error
    return best


def _figure(slices: Slices, space: Space, output: str, label: str) -> Figure:
    rows = -(-space.d // PANELS_A_ROW)
    columns = min(space.d, PANELS_A_ROW)
    figure = MplFigure(figsize=(2.4 * columns, 1.9 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for name, at, ax in zip(space, slices.at, axes):
        part = slices.table[slices.table["input"] == name]
        plot_slice(part["value"], part["mean"], part["std"], space.label(name), at, ax)
    for ax in axes[space.d :]:
        ax.set_visible(False)
    figure.supylabel(label, fontsize="medium")
    ends = slices.table.groupby("input", sort=False)["mean"].agg(np.ptp)
    return Figure.of(
        axes[0],
        alt=f"{label} along each input, the others in the middle of the runs; it changes most, by {ends.max():.3g}, "
        f"along {ends.idxmax()}.",
        caption=f"The emulator of {output} along each input, with 95% intervals; grey lines: the middle of the runs",
        table=Table(slices.table.set_index("input"), f"The emulator of {output} along each input", folded=True),
        view="slices",
    )


def _live_output(copy: Copy, slices: Slices, label: str, values: pd.Series) -> dict[str, Any]:
    table = slices.table
    low = min(float(values.min()), float((table["mean"] - Z95 * table["std"]).min()))
    high = max(float(values.max()), float((table["mean"] + Z95 * table["std"]).max()))
    exact = copy.agreement == 1.0
    note = "" if exact else f"The sliders show a copy of the emulator that agrees with it (R2 {copy.agreement:.3f})."
    formulas = {"mean": _formula(copy.mean), "logStd": _formula(copy.log_std)}
    return {"label": label, "range": [low, high], "note": note, **formulas}


def _formula(formula: Formula) -> dict[str, Any]:
    owner = [j for j, columns in enumerate(formula.steps) for _ in range(columns.shape[1])]
    arrays = {name: packed(getattr(formula, name)) for name in ("z", "rates", "floors", "weights", "coefficients")}
    steps = [packed(columns) for columns in formula.steps]
    return {"family": formula.family, "terms": formula.terms, "owner": owner, "steps": steps, **arrays}


def _told(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
