"""A low-pass filter, simulated by ngspice: a template in, a printed number and a table out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import surrogate as sg

low_pass = sg.CommandSimulator(
    ["ngspice", "-b", "filter.cir"],
    space=sg.Space(
        resistance=sg.Real(5, 60, unit="ohm"),
        inductance=sg.Real(0.2e-3, 5e-3, log=True, unit="H"),
        capacitance=sg.Real(0.2e-6, 5e-6, log=True, unit="F"),
    ),
    outputs={
        sg.Output("peak", unit="V"): sg.RegexParser(r"^peak\s*=\s*(\S+)"),
        sg.Series("voltage", at=np.linspace(0, 1e-3, 201), coordinate="time", coordinate_unit="s", unit="V"): (
            # ngspice chooses its own steps; the values are interpolated at ours.
            sg.CSVParser(1, along=0, file="step.txt", separator=None, header=False)
        ),
    },
    files={"filter.cir": Path(__file__).parent / "filter.cir"},
    name="low_pass",
)
