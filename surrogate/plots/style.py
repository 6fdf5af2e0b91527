"""Colours and the figure's frame, the same in every plot."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

__all__ = ["INTEREST", "LINE", "OTHER", "SHADE", "axes"]

# Distinguishable for the colour-blind and in grey: P. Tol's "bright" scheme.
INTEREST = "#CC3311"
OTHER = "#9AA5B1"
LINE = "#0077BB"
SHADE = "#0077BB22"


def axes(ax: Axes | None) -> Axes:
    """The given axes, or the current ones, without the box around them."""
    ax = plt.gca() if ax is None else ax
    ax.spines[["top", "right"]].set_visible(False)
    return ax
