"""What the optimisation found: the best run, whether it meets its limits, how it went, the front."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surrogate.optimize.result import Optimum
from surrogate.plots.optimization import plot_front, plot_optimization, plot_parallel
from surrogate.reports.content import Asked, Figure, Section, Table, Text, new_axes

__all__ = ["optimum_section"]

# The best runs that are listed.
MOST_RUNS = 15


def optimum_section(asked: Asked) -> Section | None:
    """The section "What is best", if there was an optimisation."""
    found = asked.optimum
    if found is None:
        return None
    wanted = " and ".join(
        f"{'the smallest' if o.sign > 0 else 'the largest'} {found.label(o.output)}" for o in found.objectives
    )
    limits = f" with {' and '.join(map(str, found.constraints))}" if found.constraints else ""
    statuses = found.history["status"].value_counts()
    counted = f"{found.nfev} runs, of which {statuses.get('failed', 0)} gave no answer" if found.nfev else "no run"
    before = int((found.history.index < 0).sum())
    known = f", knowing {before} made before" if before else ""
    blocks: list[Text | Table | Figure] = [
        Text(f"Wanted: {wanted}{limits}. It took {counted}{known}, and ended because {found.message}.")
    ]
    if found.x is None:
        return Section("optimum", "What is best", "No run gave an answer, so nothing is known of the optimum.", blocks)
    if np.isfinite(found.regret_bound):
        blocks.append(
            Text(
                f"As the model sees it, with probability 0.95 no allowed point is better by more than "
                f"{found.regret_bound:.3g}."
            )
        )
    blocks.append(_best(found))
    if found.constraints:
        blocks.append(_limits(found))
    lead = _in_words(found)
    if found.front is not None and len(found.front):
        shown = Table(found.front[[*found.space, *_outputs(found)]], "The front", folded=True)
        blocks.append(Figure.of(plot_front(found, new_axes()), lead, "All runs and the front", shown))
    blocks.append(Figure.of(plot_optimization(found, new_axes()), _course(found), "How it went"))
    width = min(10.0, 2.5 + 1.2 * found.space.d)
    told = "Inputs of all runs, each between its lowest and highest value; the darker, the better, red the best."
    listed = Table(_good_runs(found), "The best runs", folded=True)
    blocks.append(Figure.of(plot_parallel(found, new_axes(width)), told, "Where the runs were", listed))
    return Section("optimum", "What is best", lead, blocks)


def _outputs(found: Optimum) -> list[str]:
    """Outputs that decide, each once."""
    return list(dict.fromkeys([o.output for o in found.objectives] + [c.name for c in found.constraints]))


def _best(found: Optimum) -> Table:
    rows = {found.label(name): value for name, value in (found.x or {}).items()}
    rows |= {found.label(name): found.outputs[name] for name in _outputs(found)}
    what = "The front's knee" if len(found.objectives) > 1 else "The best run"
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
    history = found.history[found.history["status"] == "done"]
    objective = found.objectives[0]
    order = (objective.sign * history[objective.output]).to_numpy()
    rows = np.lexsort([order, ~history["feasible"].to_numpy(dtype=bool)])[:MOST_RUNS]
    return history.iloc[rows][[*found.space, *_outputs(found), "feasible", "step"]]


def _in_words(found: Optimum) -> str:
    told = " and ".join(f"{found.label(o.output)} {found.outputs[o.output]:.4g}" for o in found.objectives)
    where = ", ".join(f"{k} = {v:.4g}" if isinstance(v, float) else f"{k} = {v}" for k, v in (found.x or {}).items())
    if not found.success:
        return f"No run meets all constraints; the one that violates them least has {told} at {where}."
    if found.front is not None:
        return f"{len(found.front)} runs form the front; its knee has {told} at {where}."
    return f"The best run has {told} at {where}."


def _course(found: Optimum) -> str:
    history = found.history
    if found.front is not None:
        return f"The front's hypervolume grew to {history['hypervolume'].iloc[-1]:.4g} over {len(history)} runs."
    best = history["best"].dropna()
    if not len(best):
        return "No run met the constraints."
    sign = found.objectives[0].sign
    last = int(np.argmax(history["best"].to_numpy() == best.iloc[-1])) + 1
    return f"The best allowed value went from {sign * best.iloc[0]:.4g} to {sign * best.iloc[-1]:.4g}, at run {last}."
