"""Which inputs matter: sensitivity measures with their intervals."""

from __future__ import annotations

import pandas as pd

from surrogate.plots.sensitivity import MEASURES_SHOWN, plot_indices, plot_indices_heatmap, plot_morris
from surrogate.reports.content import Asked, Figure, Section, Table, Text, new_axes
from surrogate.sensitivity import by_output, second_order

__all__ = ["sensitivity_section"]

METHODS = {
    "sobol": "Sobol indices: the share of an output's variance that would go if the input were known (first order), "
    "and the share that would stay if all others were (total). A gap between the two is interaction.",
    "fast": "First-order and total indices by the extended Fourier amplitude sensitivity test.",
    "morris": "Elementary effects: how much the output changes when one input moves across two thirds of its range. "
    "mu* is their mean size; sigma is large where they differ from place to place.",
    "dgsm": "Upper bounds of the total indices from squared derivatives.",
    "delta": "Delta: how much of the output's whole distribution depends on the input, from 0 to 1.",
    "pawn": "PAWN: how far slices of the input move the output's distribution function. Up to the line marked chance "
    "an input without influence reaches as much.",
    "shapley": "Shapley effects: shares of the variance that add up to one, also if inputs depend on each other.",
}
MOST_FIGURES = 6


def sensitivity_section(asked: Asked) -> Section | None:
    """The section "Which inputs matter", if it was asked."""
    result = asked.sensitivity
    if result is None:
        return None
    method = result.attrs["method"]
    main = MEASURES_SHOWN[method][0]
    tables = by_output(result)
    labels = {} if asked.runs is None else {str(out): out.label for out in asked.runs.output_types}
    blocks: list[Text | Table | Figure] = [Text(METHODS[method])]
    if result.attrs.get("note"):
        blocks.append(Text(f"Note: {result.attrs['note']}."))
    if len(tables) > 1:
        height = min(9.0, 1.2 + 0.35 * len(next(iter(tables.values()))))
        ax = plot_indices_heatmap(result, ax=new_axes(height=height))
        blocks.append(Figure.of(ax, alt=_in_words(tables, main), caption="Every input and output"))
    for name, table in list(tables.items())[:MOST_FIGURES]:
        height = min(8.0, 1.2 + 0.4 * min(len(table), 15))
        ax = plot_indices(result, name, ax=new_axes(height=height))
        label = labels.get(name, name)
        shown = Table(table.sort_values(main, ascending=False), f"Numbers for {label}", folded=True)
        blocks.append(Figure.of(ax, _in_words({name: table}, main), f"Inputs that decide {label}", shown))
        if method == "morris" and table["sigma"].notna().any():
            plane = plot_morris(result, name, new_axes())
            told = f"Size against spread of the elementary effects on {name}."
            blocks.append(Figure.of(plane, told, f"Elementary effects on {label}"))
    if "second_order" in result.attrs:
        pairs = second_order(result).sort_values("second", ascending=False).head(15)
        pairs.index = pd.Index([" x ".join(map(str, key)) for key in pairs.index], name="pair")
        blocks.append(Table(pairs, "Strongest pairs: variance due to two inputs acting together"))
    return Section("sensitivity", "Which inputs matter", _in_words(tables, main), blocks)


def _in_words(tables: dict[str, pd.DataFrame], column: str) -> str:
    """The leading inputs of each output in a sentence."""
    told = []
    for name, table in list(tables.items())[:3]:
        ranked = table[column].sort_values(ascending=False)
        if not ranked.iloc[0] > 0:
            told.append(f"No input matters for {name}.")
            continue
        leading = [f"{label} ({value:.2g})" for label, value in ranked.head(3).items() if value > 0.05 * ranked.iloc[0]]
        told.append(f"{name} depends most on {', '.join(leading)}.")
    return " ".join(told)
