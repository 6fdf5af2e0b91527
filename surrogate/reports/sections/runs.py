"""Design and run health: how the points were made, how many runs are done, what befell the others."""

from __future__ import annotations

import pandas as pd

from surrogate.reports.content import Asked, Section, Table, Text
from surrogate.runs.outcome import FAILURES, cause

__all__ = ["runs_section"]

MAX_FAILURES = 20


def runs_section(asked: Asked) -> Section | None:
    """The section "Design and runs", if there are any."""
    runs = asked.runs
    if runs is None:
        return None
    distinct = runs.distinct.to_numpy()
    ended, done = int(distinct.sum()), int((distinct & runs.done.to_numpy()).sum())
    made = runs.design
    how = f" of a {made['sampler']} design with seed {made['seed']}" if made.get("sampler") else ""
    # Rows of a design that are alike are one run.
    told = "runs" if ended == len(runs) else f"different runs in {len(runs)} rows"
    lead = f"{done} of {ended} {told}{how} are done; they took {_duration(runs.seconds)} of simulator time."
    failed = ended - done
    if failed:
        lead += f" {failed} failed ({failed / ended:.1%}) and are left out of everything below."
    health = runs.health()
    health["share"] = [f"{share:.1%}" for share in health["share"]]
    health.index.name = "status"
    blocks: list[Text | Table] = [Table(health, "Runs by status")]
    met = [f"{status}: {FAILURES[status]}" for status in health.index if status in FAILURES]
    if met:
        blocks.append(Text("; ".join(met) + "."))
        shown = runs.failures[distinct[~runs.done.to_numpy()]]
        shown = shown.assign(error=shown["error"].map(cause))
        blocks.append(
            Table(shown.head(MAX_FAILURES), f"Failed runs (first {min(failed, MAX_FAILURES)} of {failed})", folded=True)
        )
    if done:
        ranges = pd.DataFrame(
            {
                name: {"lowest": float(v.min()), "median": float(v.median()), "highest": float(v.max())}
                for name, v in runs.outputs.items()
            }
        ).T
        ranges.index.name = "output"
        blocks.append(Table(ranges, "Outputs of the finished runs"))
    return Section("runs", "Design and runs", lead, list(blocks))


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"
