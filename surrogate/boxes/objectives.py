"""What makes a peel or a paste good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["OBJECTIVES", "Score"]

# Of the gain, the density after, and the weight after. The gain of a peel is how far the density of the rows that it
# takes off lies below the box's; of a paste, how far that of the rows that it gives back lies above.
Score = Callable[[Any, Any, Any], Any]

# Friedman and Fisher (1999), eqs. 14.1 (the new density alone), 14.5 and 14.6 (its change by the weight moved, and
# times the weight kept). The change is the gain, times the weight moved, by the weight kept. Said so, nothing is a
# difference of two nearly equal densities, and peels that are equally good have the very same score.
OBJECTIVES: dict[str, Score] = {
    "original": lambda gain, after, kept: after,
    "lenient1": lambda gain, after, kept: gain / kept,
    "lenient2": lambda gain, after, kept: gain,
}
