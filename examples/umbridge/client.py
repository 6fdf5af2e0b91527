"""The model behind `server.py` as a simulator: all that is known here is its address and what goes in and out."""

from __future__ import annotations

import os

import numpy as np

import surrogate as sg

remote_airfoil = sg.UMBridgeSimulator(
    os.environ.get("AIRFOIL_URL", "http://127.0.0.1:4242"),
    "airfoil",
    # The model's input vector is filled in this order.
    space=sg.Space(
        camber=sg.Real(0, 0.06, unit="chord"),
        camber_position=sg.Real(0.2, 0.7, unit="chord"),
        thickness=sg.Real(0.06, 0.20, unit="chord"),
        alpha=sg.Real(-6, 12, unit="deg"),
    ),
    outputs=[
        "lift",
        "moment",
        sg.Series("pressure", at=np.linspace(0, 2 * np.pi, 81), coordinate="theta", coordinate_unit="rad"),
    ],
)
