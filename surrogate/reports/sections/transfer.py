"""What a student learned of its teacher: fidelity against size, the rules, and where they are wrong."""

from __future__ import annotations

import pandas as pd

from surrogate.plots.transfer import plot_confusion, plot_fidelity_curve
from surrogate.reports.content import Asked, Figure, Section, Table, Text, new_axes
from surrogate.rules.summary import StudentSummary

__all__ = ["transfer_section"]

# More classes than this do not fit into a drawn table.
MAX_CLASSES = 20

# Longer lists of rules are told in part.
MAX_RULES = 50

MEANINGS = {
    "fidelity": "agreement of student and teacher",
    "fidelity_low": "lower end of its 95% bootstrap interval",
    "fidelity_high": "upper end",
    "accuracy": "accuracy of the student",
    "balanced_accuracy": "mean accuracy over the classes",
    "teacher_accuracy": "accuracy of the teacher",
    "r2": "R2 of the student",
    "teacher_r2": "R2 of the teacher",
    "n_rules": "rules of the student as taught",
    "n_conditions": "conditions in all of them",
    "n_features": "inputs that occur in them",
    "path_length": "mean number of conditions that decide a point",
}


def transfer_section(asked: Asked) -> Section | None:
    """The section "What the model knows", if a student was given."""
    summary: StudentSummary | None = asked.student
    if summary is None:
        return None
    quality = summary.quality
    measure = "agrees with it on" if summary.confusion is not None else "explains of its variance"
    lead = (
        f"The {summary.student} was taught by the {summary.teacher} and {measure} {quality['fidelity']:.1%} "
        f"(95% interval {quality['fidelity_low']:.1%} to {quality['fidelity_high']:.1%}) of points that "
        "neither had seen."
    )
    if summary.rules is not None:
        lead += f" It is told in {len(summary.rules)} rules and a default."
    source = (
        f"{summary.n_transfer} points of {summary.generator}" if summary.generator else f"{summary.n_transfer} points"
    )
    blocks: list[Text | Table | Figure] = [
        Text(f"The student learned from {source}, labelled by the teacher. {summary.reason}".strip()),
        Table(_quality_table(summary), "How true and how long"),
    ]
    if len(summary.curve):
        own = quality.get("n_rules")
        first, last = summary.curve.iloc[0], summary.curve.iloc[-1]
        blocks.append(
            Figure.of(
                plot_fidelity_curve(summary.curve, None if own is None else int(own), new_axes()),
                alt=f"Fidelity rises from {first['fidelity']:.3f} with {first['n_rules']:.0f} rules to "
                f"{last['fidelity']:.3f} with {last['n_rules']:.0f}.",
                caption="Fidelity against size: students of other sizes, taught with the same points",
                table=Table(summary.curve, "Students of other sizes", folded=True),
            )
        )
    if summary.rules is not None:
        rules = summary.rules
        shown = rules.to_frame().head(MAX_RULES)
        more = f"; the first {MAX_RULES} of {len(rules)}" if len(rules) > MAX_RULES else ""
        blocks.append(Table(shown, f"The rules: the first that holds decides, otherwise {rules.default}{more}"))
    if summary.confusion is not None and len(summary.confusion) <= MAX_CLASSES:
        k = len(summary.confusion)
        blocks.append(
            Figure.of(
                plot_confusion(summary.confusion, new_axes(2.2 + 0.45 * k, 1.6 + 0.45 * k)),
                alt="Confusion table of teacher and student; the numbers are in the table below.",
                caption="What the student says where the teacher says a class",
                table=Table(summary.confusion, "Teacher in rows, student in columns", folded=True),
            )
        )
    if len(summary.by_rule):
        blocks.append(
            Table(summary.by_rule.head(MAX_RULES), "Where the student is wrong: rules, the least faithful first")
        )
    return Section("student", "What the model knows", lead, blocks)


def _quality_table(summary: StudentSummary) -> pd.DataFrame:
    rows = [
        {"measure": name.replace("_", " "), "value": value, "meaning": MEANINGS.get(name, "")}
        for name, value in summary.quality.items()
    ]
    return pd.DataFrame(rows).set_index("measure")
