"""Stacked inputs: bins in words, and inputs of which nothing is known."""

from __future__ import annotations

import numpy as np
import pandas as pd

from surrogate.boxes.stacking import stack_dimensions


def test_bins_are_told_apart_in_words():
    years = pd.DataFrame({"year": np.repeat([2020, 2021, 2022], 10), "x": np.linspace(1000, 1000.1, 30)})
    bins = stack_dimensions(years, years["year"] > 2020).bins
    assert bins["year"] == ("2020", "2021", "2022")
    # The thirds end at 1000.03 and 1000.07.
    assert bins["x"] == ("< 1000", "1000 to 1000.1", ">= 1000.1")


def test_an_input_without_any_value_is_left_out():
    x = pd.DataFrame({"a": [0.0, 0.0, 1.0, 1.0], "none": np.nan, "empty": [None] * 4})
    stacked = stack_dimensions(x, [False, False, False, True])
    assert (stacked.columns, stacked.rows) == (("a",), ())
    assert stacked.count.tolist() == [[2, 2]]


def test_the_smallest_value_has_a_bin_of_its_own_where_it_is_common():
    rng = np.random.default_rng(0)
    often = np.where(rng.random(600) < 0.7, 0.0, rng.random(600))
    table = pd.DataFrame({"o": rng.random(600), "often": often})
    stacked = stack_dimensions(table, often > 0, n_inputs=1)
    assert stacked.columns == ("often",)
    assert stacked.bins["often"][0] == "= 0"
    assert stacked.share.tolist() == [[0.0, 1.0, 1.0]]
    assert stacked.count.sum() == 600
    two = stack_dimensions(table, often > 0, ["often"], n_bins=2)
    assert two.count.tolist() == [[int((often == 0).sum()), int((often > 0).sum())]]
