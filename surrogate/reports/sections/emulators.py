"""Emulator diagnostics: each run as predicted from the others."""

from __future__ import annotations

import pandas as pd

from surrogate.emulators.diagnostics import diagnose, leave_one_out_table
from surrogate.plots.emulator import plot_leave_one_out
from surrogate.reports.content import Asked, Block, Figure, Section, Table, Text, new_axes
from surrogate.reports.sections.slices import slice_blocks

__all__ = ["emulators_section"]

# Of more runs than these the figure shows a sample: a page with tens of thousands of dots opens slowly.
MOST_RUNS_DRAWN = 1000


def emulators_section(asked: Asked) -> Section | None:
    """The section "Emulators", if there are any."""
    if not asked.emulators or asked.runs is None:
        return None
    blocks: list[Block] = [
        Text(
            "Each run is predicted from all others, with a 95% interval. Honest intervals hold about 95% of the runs; "
            "Q2 is the predicted share of the output's variance, 1 being perfect."
        )
    ]
    rows = []
    labels = {str(out): out.label for out in asked.runs.output_types}
    for output, emulator in asked.emulators.items():
        table = leave_one_out_table(emulator, asked.runs.outputs[output])
        found = diagnose(table["actual"], table["mean"], table["std"])
        rows.append(
            {
                "output": output,
                "emulator": type(emulator).__name__,
                "Q2": found.q2,
                "RMSE": found.rmse,
                "mean absolute error": found.mae,
                "inside 95% interval": f"{found.interval_coverage:.1%}",
            }
        )
        drawn = table if len(table) <= MOST_RUNS_DRAWN else table.sample(MOST_RUNS_DRAWN, random_state=0)
        ax = plot_leave_one_out(drawn, labels[output], new_axes())
        sample = "" if len(drawn) == len(table) else f"; {len(drawn)} of {len(table)} runs, drawn at random"
        blocks.append(
            Figure.of(
                ax,
                alt=f"Predicted against simulated {output}: Q2 {found.q2:.3f}, {found.interval_coverage:.0%} of runs "
                "inside their 95% interval.",
                caption=f"Leave-one-out predictions of {labels[output]}{sample}",
                table=Table(
                    table.head(200), f"Leave-one-out predictions, first {min(len(table), 200)} runs", folded=True
                ),
            )
        )
    summary = pd.DataFrame(rows).set_index("output")
    lead = " ".join(
        f"{row['output']} is emulated with Q2 {row['Q2']:.3f}; {row['inside 95% interval']} of the runs lie inside "
        "their 95% interval."
        for row in rows[:3]
    )
    return Section(
        "emulators", "Emulators", lead, [Table(summary, "Leave-one-out accuracy"), *blocks, *slice_blocks(asked)]
    )
