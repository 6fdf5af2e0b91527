"""The search behind PRIM: counted cells give what sorting gives, and what slow counting of the boxes gives."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import binom

import surrogate as sg
from surrogate.boxes import cells as cells_module
from surrogate.boxes.box import Box
from surrogate.boxes.cells import Cells
from surrogate.boxes.labels import Labels
from surrogate.boxes.prim import path_limits
from surrogate.boxes.search import find_path
from surrogate.boxes.table import InputTable

SPACE = sg.Space(
    a=sg.Real(0, 1),
    b=sg.Real(0, 1),
    skewed=sg.Real(0, 1e9),
    n=sg.Integer(0, 400),
    level=sg.Ordinal(["low", "mid", "high", "top"]),
    kind=sg.Categorical(["u", "v", "w"]),
)


@st.composite
def searches(draw, plain=False):
    """A table of all kinds of inputs, labels and options."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(20, 220))
    x = pd.DataFrame(
        {
            "a": rng.random(n).round(draw(st.sampled_from([1, 2, 12]))),
            "b": rng.random(n),
            "skewed": np.exp(rng.normal(0, 4, n)).clip(0, 1e9),
            "n": rng.integers(0, 400, n),
            "level": rng.choice(["low", "mid", "high", "top"], n),
            "kind": rng.choice(["u", "v", "w"], n),
        }
    )
    near = x["a"].to_numpy() + x["b"].to_numpy() - (x["kind"] == "v") * 0.4 + rng.normal(0, 0.2, n)
    y = (near > np.quantile(near, 0.6)).astype(float)
    if not plain and draw(st.booleans()):
        y = np.clip(near, 0, 1)
    weight = rng.integers(0, 4, n).astype(float) if not plain and draw(st.booleans()) else None
    if weight is not None and draw(st.booleans()):
        weight *= rng.random(n)
    if draw(st.booleans()):
        x = x.astype(object).mask(rng.random(x.shape) < 0.1)
    options = {
        "alpha": draw(st.sampled_from([0.02, 0.05, 0.13, 0.3])),
        "objective": draw(st.sampled_from(["lenient1", "lenient2", "original"])),
        "least": 5.0,
    }
    table = InputTable.of(x, SPACE, missing="outside")
    return table, Labels.of(y, n, weight), options


def coarse(table):
    """Cells that hold several values each, as those of a large table do."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"SORTED_ROWS": 0, "N_CELLS": 9, "STEPS": 64, "SAMPLE": 60}.items():
            patch.setattr(cells_module, name, value)
        return Cells.of(table)


@settings(max_examples=150, deadline=None)
@given(searches())
def test_counting_cells_finds_what_sorting_finds(search):
    table, labels, options = search
    fine, rough = Cells.of(table), coarse(table)
    for j in range(table.d):  # a cell never lies above one with larger values
        code, v = rough.codes[j], table.values[:, j]
        assert (code[np.isnan(v)] == rough.missing).all()
        order = np.argsort(v[~np.isnan(v)])
        assert (np.diff(code[~np.isnan(v)][order].astype(int)) >= 0).all()
    one, other = find_path(fine, labels, **options), find_path(rough, labels, **options)
    assert_array_equal(one.low, other.low)
    assert_array_equal(one.high, other.high)
    assert one.allowed == other.allowed
    assert_array_equal(one.n_inside, other.n_inside)
    assert_array_equal(one.weight, other.weight)
    assert_array_equal(one.positive, other.positive)
    assert_array_equal(one.quasi_p, other.quasi_p)


@settings(max_examples=100, deadline=None)
@given(searches(), st.booleans())
def test_a_path_tells_what_its_boxes_hold(search, rough):
    table, labels, options = search
    path = find_path(coarse(table) if rough else Cells.of(table), labels, **options)
    weight = np.ones(table.n) if labels.weight is None else labels.weight * labels.weight_unit
    y = labels.y
    names = [column.name for column in table.columns]
    for b, limits in enumerate(path_limits(table, path)):
        box = Box(limits)
        inside = table.inside(box.limits) & (weight > 0)
        assert inside.sum() == path.n_inside[b]
        assert_allclose(weight[inside].sum(), path.weight[b], rtol=1e-9)
        assert_allclose((weight * y)[inside].sum(), path.positive[b], rtol=1e-9, atol=1e-9)
        # Dropping one limit at a time, counted anew.
        for name, limit in box.limits.items():
            j = names.index(name)
            for side in (0, 1):
                p = path.quasi_p[b, j, side]
                if isinstance(limit, frozenset) and table.columns[j].kind == "categorical":
                    without = {k: v for k, v in box.limits.items() if k != name}
                    assert np.isnan(p) == (side == 1)
                elif np.isinf((path.low, path.high)[side][b, j]):
                    assert np.isnan(p)
                    continue
                else:
                    low, high = path.low[b, j], path.high[b, j]
                    wider = (-math.inf, high) if side == 0 else (low, math.inf)
                    found = table.columns[j].limits(*wider)
                    without = dict(box.limits) | {name: found}
                    if found is None:
                        del without[name]
                if side == 1 and np.isnan(p):
                    continue
                more = table.inside(without) & (weight > 0)
                share = (weight * y)[more].sum() / weight[more].sum()
                if labels.binary:
                    assert_allclose(p, binom.sf(path.positive[b] - 1, path.weight[b], share), rtol=1e-9)
                else:
                    assert 0 <= p <= 1
                    if more.sum() == inside.sum() and inside.any():
                        assert p > 0.3  # a limit that leaves out nothing is no evidence


def slow_paste(x, y, low, high, least, alpha):
    """Pasting with the lenient objective on real inputs, from the notes of Friedman and Fisher, by loops.

    Returns the row sets after each paste.
    """
    low, high, out = low.copy(), high.copy(), []
    while True:
        inside = ((x >= low) & (x <= high)).all(axis=1)
        n, mean, best = inside.sum(), y[inside].mean(), None
        for j in range(x.shape[1]):
            for side in ("low", "high"):
                ends = (low, high)[side == "high"].copy()
                if np.isinf(ends[j]):
                    continue
                ends[j] = math.inf if side == "high" else -math.inf
                wide = (x >= (ends if side == "low" else low)) & (x <= (ends if side == "high" else high))
                v = np.sort(x[wide.all(axis=1) & ~inside, j])
                v = v if side == "high" else v[::-1]
                if not len(v):
                    continue
                rest = v[math.floor((len(v) - 1) * alpha)]
                beyond = v[v > rest] if side == "high" else v[v < rest]
                ends[j] = (rest + beyond[0]) / 2 if len(beyond) else ends[j]
                new = wide.all(axis=1) & ((x[:, j] <= ends[j]) if side == "high" else (x[:, j] >= ends[j]))
                if new.sum() < least or new.sum() <= n or y[new].mean() <= mean:
                    continue
                key = (
                    (y[new].mean() - mean) / (new.sum() - n),
                    np.isinf(low[j] if side == "high" else high[j]) and not len(beyond),
                )
                if best is None or key > best[0]:
                    best = key, side, ends
        if best is None:
            return out
        if best[1] == "low":
            low = best[2]
        else:
            high = best[2]
        out.append(((x >= low) & (x <= high)).all(axis=1))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 10**6), st.integers(60, 250), st.sampled_from([0.05, 0.2]), st.booleans())
def test_pastes_are_the_slow_ones(seed, n, alpha, rough):
    rng = np.random.default_rng(seed)
    x = rng.random((n, 3))
    y = ((x[:, 0] > 0.5) & (x[:, 1] < 0.7)).astype(float)
    y = np.where(rng.random(n) < 0.25, 1 - y, y)
    if y.min() == y.max():
        return
    table, labels = InputTable.of(x), Labels.of(y, n)
    cells = coarse(table) if rough else Cells.of(table)
    path = find_path(cells, labels, alpha=0.15, least=10, paste_alpha=alpha)
    last = path.n_peeled - 1
    expected = slow_paste(x, y, path.low[last], path.high[last], 10, alpha)
    assert len(path.low) == path.n_peeled + len(expected)
    for low, high, rows in zip(path.low[last + 1 :], path.high[last + 1 :], expected, strict=True):
        assert_array_equal(((x >= low) & (x <= high)).all(axis=1), rows)


@settings(max_examples=60, deadline=None)
@given(searches(plain=True), st.integers(0, 1000))
def test_a_weight_of_two_is_the_row_twice(search, seed):
    table, labels, options = search
    times = np.random.default_rng(seed).integers(1, 4, table.n)
    times[0] = 1  # the lightest row is what a rank counts in
    again = np.repeat(np.arange(table.n), times)
    longer = InputTable(table.columns, table.values[again], table.has_missing)
    one = find_path(Cells.of(table), Labels.of(labels.y, table.n, times * 1.0), **options)
    other = find_path(Cells.of(longer), Labels.of(labels.y[again], len(again)), **options)
    assert_array_equal(one.low, other.low)
    assert_array_equal(one.high, other.high)
    assert one.allowed == other.allowed
    assert_allclose(one.weight, other.weight)


@settings(max_examples=60, deadline=None)
@given(searches(), st.integers(0, 1000))
def test_rows_that_do_not_take_part_are_as_if_left_out(search, seed):
    table, labels, options = search
    rows = np.random.default_rng(seed).random(table.n) < 0.7
    rows[labels.y.argmax()] = rows[labels.y.argmin()] = True
    if labels.weight is not None or not rows.any():
        return
    shorter = InputTable(table.columns, table.values[rows], bool(np.isnan(table.values[rows]).any()))
    one = find_path(Cells.of(table), labels, rows=rows, **options)
    other = find_path(Cells.of(shorter), Labels.of(labels.y[rows], rows.sum()), **options)
    assert_array_equal(one.low, other.low)
    assert_array_equal(one.high, other.high)
    assert_array_equal(one.n_inside, other.n_inside)
    assert_allclose(one.quasi_p, other.quasi_p, rtol=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(100, 600), st.integers(1, 6), st.sampled_from([0.05, 0.1]), st.booleans())
def test_the_limits_are_those_of_the_prim_package(seed, n, d, alpha, ties):
    prim = pytest.importorskip("prim")
    rng = np.random.default_rng(seed)
    x = rng.random((n, d))
    if ties:
        x = x.round(1)
    y = (x[:, 0] > 0.4) ^ (rng.random(n) < 0.2)
    theirs = prim.Prim(pd.DataFrame(x), y, peel_alpha=alpha).find_box()
    ours = sg.Prim(alpha=alpha, min_support=0.05).fit(x, y)
    initial = theirs._box_lims[0]
    peeled = ours._path.n_peeled
    same = 0
    for limits, box, path_low, path_high in zip(theirs._box_lims, ours.boxes_, ours._path.low, ours._path.high):
        if same >= peeled and ties:
            break  # which of equal pastes comes first depends on how open sides are counted
        for name in limits.dtype.names:
            low, high = limits[name]
            j = int(name)
            rest = {k: v for k, v in box.limits.items() if k != f"x{j}"}
            inside = x[sg.Box(rest).contains(x), j]
            # An open side is theirs closed at the outermost row, or where their pasting found no further row.
            assert path_low[j] == low or (path_low[j] == -np.inf and (low == initial[name][0] or (inside >= low).all()))
            assert path_high[j] == high or (
                path_high[j] == np.inf and (high == initial[name][1] or (inside <= high).all())
            )
        same += 1
    # We go on with another input where theirs stops because the best peel is too small.
    assert same >= min(peeled, len(theirs._box_lims)) if ties else same == len(theirs._box_lims) == len(ours.boxes_)


def test_categories_are_told_apart_however_many_there_are():
    rng = np.random.default_rng(0)
    names = [f"{i:03}" for i in range(300)]
    x = pd.DataFrame({"a": rng.random(6000), "c": rng.choice(names, 6000)})
    cells = Cells.of(InputTable.of(x))
    assert_array_equal(cells.codes[1], x["c"].astype(int))
    assert cells.n_cells[1] == 300
    found = sg.Prim().fit(x, (x["c"] < "150") & (x["a"] > 0.5))
    assert found.best_.limits["c"] <= set(names[:150])
    assert found.trajectory_["density"].iloc[found.best_index_] > 0.9
