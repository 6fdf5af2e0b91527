"""Boxes as plain objects."""

from __future__ import annotations

import json
import math
import sqlite3

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import surrogate as sg

INF = math.inf


@st.composite
def boxes(draw):
    limits = {}
    for name in draw(st.sets(st.sampled_from(["a", "b", "c"]))):
        ends = sorted(draw(st.tuples(st.floats(-2, 2), st.floats(-2, 2))))
        low, high = draw(st.sampled_from([tuple(ends), (-INF, ends[1]), (ends[0], INF)]))
        limits[name] = (low, high)
    if draw(st.booleans()):
        limits["kind"] = draw(st.sets(st.sampled_from(["u", "v", "it's"]), min_size=1))
    return sg.Box(limits)


def runs(seed=0, n=200):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.uniform(-2, 2, (n, 3)), columns=["a", "b", "c"])
    return frame.assign(kind=rng.choice(["u", "v", "it's"], n))


@settings(deadline=None)
@given(boxes())
def test_all_ways_to_say_a_box_mean_the_same_runs(box):
    frame = runs()
    inside = box.contains(frame)
    np.testing.assert_array_equal(sg.Box.from_dict(json.loads(json.dumps(box.to_dict()))).contains(frame), inside)
    python = eval(box.to_python(), {}, {name: frame[name] for name in frame})
    np.testing.assert_array_equal(np.broadcast_to(python, len(frame)), inside)
    with sqlite3.connect(":memory:") as database:
        frame.to_sql("runs", database, index_label="i")
        found = [i for (i,) in database.execute(f"SELECT i FROM runs WHERE {box.to_sql()} ORDER BY i")]
    np.testing.assert_array_equal(found, np.flatnonzero(inside))


@given(boxes())
def test_equal_after_a_round_trip(box):
    assert sg.Box.from_dict(box.to_dict()) == box
    assert hash(sg.Box.from_dict(box.to_dict())) == hash(box)


def test_ends_belong_to_the_box_and_nan_does_not():
    box = sg.Box({"x": (0.0, 1.0)})
    assert box.contains({"x": [0.0, 1.0, np.nextafter(1.0, 2.0), np.nan]}).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("limits", "rule"),
    [
        ({}, "no limits: every run"),
        ({"x": (0.123456, INF)}, "x >= 0.1235 m"),
        ({"x": (-INF, 2.0)}, "x <= 2 m"),
        ({"x": (1.0, 2.0), "k": {"b", "a"}}, "1 <= x <= 2 m and k is one of 'a', 'b'"),
        ({"x": (-INF, INF)}, "no limits: every run"),
    ],
)
def test_rule_reads_as_a_sentence(limits, rule):
    assert sg.Box(limits, units={"x": "m"}).rule() == rule


def test_impossible_boxes_are_refused():
    with pytest.raises(ValueError, match=r"'x' must be low <= high, got low=2.0, high=1.0"):
        sg.Box({"x": (2, 1)})
    for nowhere in ((INF, INF), (-INF, -INF)):
        with pytest.raises(ValueError, match="no number lies within the limits of 'x', got low="):
            sg.Box({"x": nowhere})
    with pytest.raises(ValueError, match="no value of 'k' is allowed"):
        sg.Box({"k": set()})
    with pytest.raises(KeyError, match="did you mean 'tau1'"):
        sg.Box({"tau": (0, 1)}).contains(pd.DataFrame({"tau1": [0.5]}))


@settings(deadline=None, max_examples=40)
@given(st.lists(boxes(), min_size=1, max_size=3))
def test_a_union_holds_what_any_of_its_boxes_holds(parts):
    frame, union = runs(), sg.BoxUnion(tuple(parts))
    inside = np.any([box.contains(frame) for box in parts], axis=0)
    np.testing.assert_array_equal(union.contains(frame), inside)
    assert sg.BoxUnion.from_dict(json.loads(json.dumps(union.to_dict()))) == union
    python = eval(union.to_python(), {}, {name: frame[name] for name in frame})
    np.testing.assert_array_equal(np.broadcast_to(python, len(frame)), inside)
    with sqlite3.connect(":memory:") as database:
        frame.to_sql("runs", database, index_label="i")
        found = [i for (i,) in database.execute(f"SELECT i FROM runs WHERE {union.to_sql()} ORDER BY i")]
    np.testing.assert_array_equal(found, np.flatnonzero(inside))
    assert list(union) == parts
    assert (len(union), union[0]) == (len(parts), parts[0])
    assert set(union.restricted) == {name for box in parts for name in box.limits}


def test_a_union_reads_as_a_sentence_and_needs_a_box():
    union = sg.BoxUnion((sg.Box({"x": (0, 1)}), sg.Box({"k": {"a"}})))
    assert union.rule() == "(0 <= x <= 1) or (k = 'a')"
    assert sg.BoxUnion((sg.Box({"x": (0, 1)}),)).rule() == "0 <= x <= 1"
    with pytest.raises(ValueError, match="at least one box"):
        sg.BoxUnion(())


def test_arrays_have_columns_by_number():
    box = sg.Box({"x1": (0.5, INF)})
    assert box.contains(np.array([[0.9, 0.1], [0.1, 0.9]])).tolist() == [False, True]
    with pytest.raises(KeyError, match="'x1', which is missing"):
        box.contains(np.zeros((3, 1)))
    with pytest.raises(ValueError, match=r"shape \(n, d\), got \(3,\)"):
        box.contains(np.zeros(3))


def test_labels_of_a_frame_that_are_no_text_are_named_by_it():
    frame = pd.DataFrame(np.array([[0.9, 0.1], [0.1, 0.9]]))
    assert sg.Box({"1": (0.5, INF)}).contains(frame).tolist() == [False, True]
    assert sg.Box({"1": (0.5, INF)}).contains({0: [0.9, 0.1], 1: [0.1, 0.9]}).tolist() == [False, True]


@pytest.mark.parametrize("name", ["growth rate", "lambda", "2nd"])
def test_a_name_that_python_does_not_take_is_refused(name):
    box = sg.Box({"x": (0, 1), name: (0, 1)})
    with pytest.raises(ValueError, match=f"'{name}' cannot be a variable's name in Python; rename .* to_sql"):
        box.to_python()
    assert f'"{name}" >= 0' in box.to_sql()


def test_missing_values_of_any_kind_are_outside():
    frame = pd.DataFrame({"x": [None, 0.5, np.nan], "k": ["a", None, "a"]})
    assert sg.Box({"x": (0, 1)}).contains(frame).tolist() == [False, True, False]
    assert sg.Box({"k": {"a"}}).contains(frame).tolist() == [True, False, True]
    assert sg.Box({}).contains(frame).all()


def test_a_notebook_shows_names_as_text():
    html = sg.Box({"<b>": (0, INF), "k": {"<i>"}}, units={"<b>": "m"})._repr_html_()
    assert "<th>&lt;b&gt;</th><td>&lt;b&gt; &gt;= 0 m</td>" in html
    assert "<i>" not in html
    assert "no limits" in sg.Box({})._repr_html_()
    union = sg.BoxUnion((sg.Box({"a": (0, 1)}), sg.Box({"b": (0, 1)})))._repr_html_()
    assert "Box 1" in union
    assert "Box 2" in union


def test_values_of_any_table_are_pythons_own():
    flags = np.random.default_rng(0).random(300) < 0.5
    box = sg.Prim().fit(pd.DataFrame({"k": pd.array(flags, dtype="boolean")}), flags).best_
    assert box.rule() == "k = True"
    assert json.loads(json.dumps(box.to_dict()))["limits"] == {"k": {"values": [True]}}
    json.dumps(sg.Box({"a": set(np.array([1, 2]))}).to_dict())
