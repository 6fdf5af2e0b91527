"""What was asked: the simulator, its inputs and outputs, what is of interest."""

from __future__ import annotations

import pandas as pd

from surrogate.outputs import Series
from surrogate.reports.content import Asked, Section, Table, Text
from surrogate.space import Real

__all__ = ["question_section"]


def question_section(asked: Asked) -> Section | None:
    """The section "What was asked", if there are runs."""
    runs = asked.runs
    if runs is None:
        return None
    inputs = pd.DataFrame(
        [
            {
                "input": name,
                "allowed": p.allowed,
                "distribution": _distribution(p),
                "role": p.role,
                "meaning": p.description,
            }
            for name, p in runs.space.items()
        ]
    ).set_index("input")
    outputs = pd.DataFrame(
        [
            {
                "output": out.label,
                "kind": f"series over {out.coordinate} ({len(out.at)} values)" if isinstance(out, Series) else "number",
                "meaning": out.description,
            }
            for out in runs.output_types
        ]
    ).set_index("output")
    lead = (
        f"The simulator {runs.simulator!r} (version {runs.version}) maps {runs.space.d} inputs to "
        f"{', '.join(runs.output_types)}."
    )
    if asked.interest:
        lead += f" Of interest is a run with {asked.interest}."
    blocks: list[Text | Table] = [Text(asked.question)] if asked.question else []
    blocks += [Table(inputs, "Inputs"), Table(outputs, "Outputs")]
    return Section("question", "What was asked", lead, list(blocks))


def _distribution(parameter: object) -> str:
    if isinstance(parameter, Real):
        if parameter.distribution is not None:
            described = parameter.to_dict()["distribution"]
            return f"{described['name']}({', '.join(f'{a:g}' for a in described['args'])})"
        return "uniform in the logarithm" if parameter.log else "uniform"
    return "equally likely"
