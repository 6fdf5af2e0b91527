"""What the optimisation found: the best run, whether it meets its limits, how it went, the front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from surrogate.optimize.result import Optimum
from surrogate.plots.optimization import plot_front, plot_optimization, plot_parallel
from surrogate.reports.content import Asked, Block, Figure, Live, Section, Table, Text, name_parts, new_axes, shares

__all__ = ["optimum_section"]

# The best runs that are listed.
MOST_RUNS = 15

# Of longer histories the last runs can be looked at one by one: the page stays small.
MOST_CHOSEN = 1000

# Where runs without an answer are marked, as a share of the plot's height.
LOW = 0.02


def optimum_section(asked: Asked) -> Section | None:
    """The section "What is best", if there was an optimisation."""
    found = asked.optimum
    if found is None:
        return None
    wanted = " and ".join(
        f"{'the smallest' if o.sign > 0 else 'the largest'} {found.label(o.output)}" for o in found.objectives
    )
    limits = f" with {' and '.join(map(str, found.constraints))}" if found.constraints else ""
    own = found.history[found.history.index >= 0]
    silent = int((~own["status"].isin(["done", "pending"])).sum())
    counted = f"{found.nfev} runs, of which {silent} gave no answer" if found.nfev else "no run"
    before = int((found.history.index < 0).sum())
    known = f", knowing {before} made before" if before else ""
    blocks: list[Block] = [Text(f"Wanted: {wanted}{limits}. It took {counted}{known}; {found.message}.")]
    if found.x is None:
        return Section("optimum", "What is best", "No run gave an answer, so nothing is known of the optimum.", blocks)
    if np.isfinite(found.regret_bound):
        blocks.append(
            Text(
                "As the model sees it, with probability 0.95 no allowed point is better by more than "
                f"{found.regret_bound:.3g}, in {found.label(found.objectives[0].output)}."
            )
        )
    blocks.append(_best(found))
    if found.constraints:
        blocks.append(_limits(found))
    lead = _in_words(found)
    course, across = new_axes(), new_axes(min(10.0, 2.5 + 1.2 * found.space.d))
    plots = {"course": plot_optimization(found, course), "parallel": plot_parallel(found, across)}
    if found.front is not None and len(found.front):
        plots["front"] = plot_front(found, new_axes())
    for ax in plots.values():
        name_parts(ax)
    if found.front is not None and "front" in plots:
        shown = Table(found.front[[*found.space, *found.goals.outputs]], "The front", folded=True)
        blocks.append(Figure.of(plots["front"], lead, "All runs and the front", shown, view="front"))
    blocks.append(_run_by_run(found, plots))
    blocks.append(Figure.of(course, _course(found), "How it went", view="course"))
    told = "Inputs of all runs, each between its lowest and highest value; the darker, the better, red the best."
    listed = Table(_good_runs(found), "The best runs", folded=True)
    blocks.append(Figure.of(across, told, "Where the runs were", listed, view="parallel"))
    return Section("optimum", "What is best", lead, blocks)


def _run_by_run(found: Optimum, plots: dict[str, Axes]) -> Live:
    """Every run as the page's script shows it; places are shares of a plot's width and height."""
    history, outputs = found.history, found.goals.outputs
    lines = found.space.to_unit(history[list(found.space)])
    if found.front is None:
        heights = history[found.objectives[0].output]
    else:
        heights = history["hypervolume"].where(history["status"] == "done")
    runs: list[dict[str, Any]] = []
    for place, (row, height, line) in enumerate(zip(history.to_dict("records"), heights, lines, strict=True), start=1):
        x, y = shares(plots["course"], place, height)
        run = {
            "at": [x, min(max(y, 0.0), 1.0) if np.isfinite(y) else LOW],
            "line": [shares(plots["parallel"], j, unit) for j, unit in enumerate(line)],
            "told": _told(found, place, row, outputs),
        }
        if "front" in plots and row["status"] == "done":
            run["front"] = shares(plots["front"], *(row[o.output] for o in found.objectives[:2]))
        runs.append(run)
    first = max(0, len(runs) - MOST_CHOSEN)
    chosen = history.index.tolist().index(found.id)
    return Live("course", runs[chosen]["told"], {"chosen": max(0, chosen - first), "runs": runs[first:]})


def _told(found: Optimum, place: int, row: Mapping[Any, Any], outputs: Sequence[str]) -> str:
    """A run in a sentence."""
    where = ", ".join(f"{found.label(name)} {_number(row[name])}" for name in found.space)
    step = f"{row['step']}, level {row['level']}" if row.get("level") else row["step"]
    if row["status"] != "done":
        return f"Run {place} ({step}): no answer at {where}."
    answers = ", ".join(f"{found.label(name)} {_number(row[name])}" for name in outputs)
    allowed = ", not allowed" if found.constraints and not row["feasible"] else ""
    return f"Run {place} ({step}): {answers}{allowed}, at {where}."


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _best(found: Optimum) -> Table:
    rows = {found.label(name): value for name, value in (found.x or {}).items()}
    rows |= {found.label(name): found.outputs[name] for name in found.goals.outputs}
    what = "The front's knee" if found.knee is not None else "The best run"
    what = what if found.success else "The run that violates the constraints least"
    return Table(pd.DataFrame({"value": pd.Series(rows, dtype=object)}).rename_axis("input or output"), what)


def _limits(found: Optimum) -> Table:
    rows = [
        {
            "limit": str(condition),
            "there": found.outputs[condition.name],
            "met": bool(found.met[str(condition)]),
        }
        for condition in found.constraints
    ]
    return Table(pd.DataFrame(rows).set_index("limit"), "Its constraints")


def _good_runs(found: Optimum) -> pd.DataFrame:
    """The best first: allowed ones by the objective, those of a front before others; then by what is violated."""
    history = found.history[(found.history["status"] == "done") & found.at_truest]
    objective, outputs = found.objectives[0], found.goals.outputs
    scores = (objective.sign * history[objective.output]).to_numpy()
    off_front = np.zeros(len(history)) if found.front is None else ~history.index.isin(found.front.index)
    answers: list[dict[Any, float]] = history[list(outputs)].to_dict("records")
    violated = found.goals.violations(answers)
    rows = np.lexsort([scores, off_front, violated, ~history["feasible"].to_numpy(dtype=bool)])[:MOST_RUNS]
    return history.iloc[rows][[*found.space, *outputs, "feasible", "step"]]


def _in_words(found: Optimum) -> str:
    told = " and ".join(f"{found.label(o.output)} {found.outputs[o.output]:.4g}" for o in found.objectives)
    where = ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in (found.x or {}).items())
    if not found.success:
        return f"No run meets all constraints; the one that violates them least has {told} at {where}."
    if found.front is not None:
        return f"{len(found.front)} runs form the front; its knee has {told} at {where}."
    seen = " as the model sees it, through the noise," if found.noise else ""
    return f"The best run{seen} has {told} at {where}."


def _course(found: Optimum) -> str:
    history = found.history
    if not found.success:
        return "No run met the constraints."
    if found.front is not None:
        return f"The front's hypervolume grew to {history['hypervolume'].iloc[-1]:.4g} over {len(history)} runs."
    best = history["best"].dropna()
    sign = found.objectives[0].sign
    last = int(np.argmax(history["best"].to_numpy() == best.iloc[-1])) + 1
    what = "lowest allowed output, luck included," if found.noise else "best allowed value"
    return f"The {what} went from {sign * best.iloc[0]:.4g} to {sign * best.iloc[-1]:.4g}, at run {last}."
