"""What makes a peel or a paste good."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["OBJECTIVES", "Score"]

# Of density before, density after, weight after, weight moved.
Score = Callable[[Any, Any, Any, Any], Any]

# Friedman and Fisher (1999), eqs. 14.1 (the new density alone), 14.5 and 14.6 (its gain by the support given up, and
# times the support kept).
OBJECTIVES: dict[str, Score] = {
    "original": lambda before, after, kept, moved: after,
    "lenient1": lambda before, after, kept, moved: (after - before) / moved,
    "lenient2": lambda before, after, kept, moved: kept * (after - before) / moved,
}
