"""Conditions on outputs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surrogate as sg
from surrogate.conditions import Condition, parse_conditions


@given(
    name=st.from_regex(r"[a-z_]{1,8}", fullmatch=True),
    operator=st.sampled_from(["<", "<=", ">", ">=", "==", "!="]),
    value=st.floats(allow_nan=False, allow_infinity=False),
)
def test_text_round_trip(name, operator, value):
    condition = Condition(name, operator, value)
    assert Condition.parse(str(condition)) == condition


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("y<0", [False, True, False]),
        ("y <= 0", [True, True, False]),
        ("y >= 1e-3", [False, False, True]),
        ("y == 0", [True, False, False]),
        ("y != 0", [False, True, True]),
    ],
)
def test_each_operator(text, expected):
    np.testing.assert_array_equal(Condition.parse(text).holds([0.0, -1.0, 2.0]), expected)


def test_nan_meets_no_condition():
    # "!=" would hold for NaN in IEEE arithmetic.
    assert not Condition.parse("y != 0").holds([np.nan]).any()


def test_several_conditions_must_all_hold():
    values = pd.DataFrame({"lift": [0.4, 0.6, 0.7], "drag": [0.01, 0.01, 0.03]})
    np.testing.assert_array_equal(sg.of_interest(values, ["lift >= 0.5", "drag < 0.02"]), [False, True, False])
    np.testing.assert_array_equal(sg.of_interest(values, {"lift": ">= 0.5", "drag": "< 0.02"}), [False, True, False])


@pytest.mark.parametrize("text", ["lift", "lift >=", "lift >= high", "lift => 2", ">= 2", "lift >= nan", ""])
def test_what_is_no_condition_is_refused(text):
    with pytest.raises(sg.ConditionError):
        parse_conditions(text)


@pytest.mark.parametrize(("text", "which"), [("y < 0", "no run meets"), ("y < 9", "every run meets")])
def test_a_condition_that_tells_nothing_apart_names_the_range(text, which):
    with pytest.raises(sg.ConditionError, match=rf"{which} .*y lies in \[1, 3\] over 3 runs"):
        sg.of_interest(pd.DataFrame({"y": [1.0, 2.0, 3.0]}), text)


def test_an_unknown_column_is_named_with_a_hint():
    with pytest.raises(sg.ConditionError, match="no column 'lfit'; did you mean 'lift'"):
        sg.of_interest(pd.DataFrame({"lift": [1.0, 2.0]}), "lfit > 1")


def test_a_mapping_may_hold_conditions():
    told = pd.DataFrame({"p": [0.0, 2.0]})
    assert sg.of_interest(told, {"p": sg.Condition("p", "<", 1.0)}).tolist() == [True, False]
    with pytest.raises(sg.ConditionError, match="got None"):
        sg.of_interest(told, None)
    with pytest.raises(sg.ConditionError, match="condition on 'k': its values must be numbers"):
        sg.of_interest(pd.DataFrame({"k": ["a", "b"]}), "k < 1")


@pytest.mark.parametrize("operator", ["<", "<=", ">", ">="])
def test_between_values_it_tells_the_same_apart_and_lies_on_none(operator):
    values = np.array([1.0, 2.0, 2.0, 3.0, 5.0, np.nan])
    condition = Condition("count", operator, 2.0)
    moved = condition.between(values)
    assert moved.holds(values).tolist() == condition.holds(values).tolist()
    assert moved.value in (1.5, 2.5)
    assert condition.between(values[[0, 1, 3]]) == condition  # one value on the number may be chance
    assert condition.between([2.0, 2.0]) == condition
    assert Condition("count", "==", 2.0).between(values) == Condition("count", "==", 2.0)
