"""Shared fixtures."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent


def _data_folder() -> Path | None:
    """Real data that the repository may not hold: ``$SURROGATE_DATA``, else ``shared/data`` beside the checkout."""
    named = os.environ.get("SURROGATE_DATA")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def data_file():
    """A function from a file's name to its path; skips the test where the file is absent."""

    def find(name: str) -> Path:
        folder = _data_folder()
        if folder is None or not (folder / name).is_file():
            pytest.skip(f"{name} is not here; set SURROGATE_DATA to a folder that holds it")
        return folder / name

    return find


@pytest.fixture(autouse=True)
def _no_figure_of_another_test():
    """A plot without ``ax`` goes to the current axes, which must not be those of a doctest that ran before."""
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
