"""Parameters and spaces: known values, round trips, and what is refused in which words."""

from __future__ import annotations

import datetime
import decimal
import fractions
import json
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from SALib.sample import latin
from SALib.sample import sobol as salib_sobol

from surrogate.errors import InvalidInputError, did_you_mean
from surrogate.space import Categorical, Integer, Ordinal, Real, Space

# A busy machine must not fail a test.
patient = settings(deadline=None)

MIXED = Space(
    x=Real(-4, 12, unit="deg"),
    rate=Real(1e-4, 1, log=True),
    gust=Real.distributed(scipy.stats.norm(1, 2)),
    n=Integer(1, 5),
    level=Ordinal([1, 10, 100]),
    kind=Categorical(["clean", "flap"]),
    wet=Categorical([True, False]),
)
POINT = {"x": 0.5, "rate": 0.01, "gust": -3.0, "n": 2, "level": 10, "kind": "flap", "wet": True}

DISTRIBUTIONS = [
    scipy.stats.norm(1, 2),
    scipy.stats.lognorm(0.5, scale=2),
    scipy.stats.triang(0.3, loc=-1, scale=4),
    scipy.stats.truncnorm(-1, 2, loc=3, scale=0.5),
    scipy.stats.loguniform(0.1, 10),
    scipy.stats.uniform(-2, 5),
    scipy.stats.beta(0.5, 2, loc=1, scale=3),
    scipy.stats.expon(2, 3),
]


@st.composite
def reals(draw):
    form = draw(st.sampled_from(["linear", "log", "distributed"]))
    if form == "distributed":
        return Real.distributed(draw(st.sampled_from(DISTRIBUTIONS)))
    if form == "log":
        low = draw(st.floats(1e-9, 10))
        return Real(low, low * draw(st.floats(1.01, 1e9)), log=True)
    low = draw(st.floats(-1e6, 1e6))
    return Real(low, low + draw(st.floats(1e-3, 1e6)), role=draw(st.sampled_from(["uncertainty", "lever"])))


@st.composite
def integers(draw):
    log = draw(st.booleans())
    low = draw(st.integers(1 if log else -(2**40), 2**40 - 1))
    return Integer(low, draw(st.integers(low + 1, 2**40)), log=log, unit=draw(st.sampled_from(["", "m"])))


@st.composite
def finites(draw):
    cells = draw(
        st.sampled_from(
            [
                st.booleans(),
                st.integers(),
                st.floats(allow_nan=False, allow_infinity=False),
                st.text(),
                st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
            ]
        )
    )
    return draw(st.sampled_from([Ordinal, Categorical]))(draw(st.lists(cells, min_size=2, max_size=6, unique=True)))


def spaces():
    names = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1)
    return st.dictionaries(names, reals() | integers() | finites(), min_size=1, max_size=5).map(Space)


def unit_points(space, n, seed):
    u = np.random.default_rng(seed).random((n, space.d))
    u[:1], u[-1:] = 0, 1
    return u


# Parameters


def test_real_known_values():
    assert_allclose(Real(-4, 12).from_unit([0, 0.25, 1]), [-4, 0, 12])
    assert_allclose(Real(-4, 12).to_unit([-4, 0, 12]), [0, 0.25, 1])
    assert_allclose(Real(0.01, 100, log=True).from_unit([0, 0.25, 0.5, 1]), [0.01, 0.1, 1, 100])
    assert_allclose(Real(0.01, 100, log=True).to_unit([0.1, 10]), [0.25, 0.75])
    normal = Real.distributed(scipy.stats.norm(1, 2))
    assert_allclose(normal.from_unit([0.5, 0.975]), [1, 1 + 2 * 1.959964], rtol=1e-6)
    assert_allclose(normal.to_unit([1, 3]), [0.5, 0.841345], rtol=1e-6)


def test_a_log_range_may_be_wider_than_a_float():
    real = Real(1e-200, 1e200, log=True)
    assert_allclose(real.to_unit([1e-200, 1, 1e200]), [0, 0.5, 1])
    assert_allclose(np.log10(real.from_unit([0, 0.5, 1])), [-200, 0, 200], atol=1e-10)


def test_integer_cells_are_closed_on_the_left():
    assert_array_equal(Integer(1, 4).from_unit([0, 0.2499, 0.25, 0.5, 0.75, 1]), [1, 1, 2, 3, 4, 4])
    assert_allclose(Integer(1, 4).to_unit([1, 2, 3, 4]), [0.125, 0.375, 0.625, 0.875])
    # Between negative numbers too, where truncation would go the other way.
    assert_array_equal(Integer(-2, 1).from_unit([0, 0.2499, 0.25, 0.5, 0.75, 1]), [-2, -2, -1, 0, 1, 1])


@given(low=st.integers(-50, 50), k=st.integers(2, 40), each=st.integers(1, 7))
def test_discrete_cells_are_equally_likely(low, k, each):
    u = (np.arange(k * each) + 0.5) / (k * each)
    values = list(range(low, low + k))
    for parameter in (Integer(low, low + k - 1), Ordinal(values), Categorical(values)):
        assert_array_equal(parameter.from_unit(u), np.repeat(values, each))
        assert_allclose(parameter.to_unit(values), (np.arange(k) + 0.5) / k)  # the middle of the cell


def test_log_integers_are_as_likely_as_their_cells_are_wide():
    integer = Integer(1, 6, log=True)
    drawn = integer.from_unit((np.arange(200_000) + 0.5) / 200_000)
    shares = [(drawn == k).mean() for k in range(1, 7)]
    assert_allclose(shares, np.log([(k + 0.5) / (k - 0.5) for k in range(1, 7)]) / np.log(6.5 / 0.5), atol=1e-5)


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda d: d.dist.name)
def test_distributions_are_finite_and_allowed_to_the_ends_of_the_unit_interval(distribution):
    space = Space(x=Real.distributed(distribution))
    x = space.from_unit([[0], [np.nextafter(0, 1)], [np.nextafter(1, 0)], [1]])
    assert np.isfinite(x.to_numpy()).all()
    pd.testing.assert_frame_equal(space.validate(x), x)


@given(low=st.floats(1e-12, 1e12), ratio=st.floats(1.0001, 1e12), u=st.floats(0, 1))
def test_no_real_leaves_its_range_by_rounding(low, ratio, u):
    high = low * ratio
    for real in (Real(low, high), Real(low, high, log=True), Real.distributed(scipy.stats.loguniform(low, high))):
        assert all(real.problem(x) is None for x in real.from_unit([0, u, 1]))


def test_an_axis_gets_finite_limits():
    assert_allclose(Real.distributed(scipy.stats.norm()).finite_range, [-3.090232, 3.090232], rtol=1e-6)
    assert_allclose(Real.distributed(scipy.stats.expon()).finite_range, [0, -math.log(1e-3)])
    assert Integer(2, 7).finite_range == (2, 7)


class _Impostor(scipy.stats.rv_continuous):
    def _pdf(self, x):
        return 2 * x


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Real(1, 1), ValueError, "low must be below high, got low=1, high=1"),
        (lambda: Real(2, 1), ValueError, "low must be below high"),
        (lambda: Real(0, math.nan), ValueError, "high must not be NaN"),
        (lambda: Real("0", 1), TypeError, "low must be a number, got '0'"),
        (lambda: Real(False, True), TypeError, "low must be a number, got False"),
        (lambda: Real(np.complex128(0), 1), TypeError, "low must be a number"),
        (lambda: Real(0, math.inf), ValueError, r"bounds must be finite.*Real\.distributed"),
        (lambda: Real(-1.7e308, 1.7e308), ValueError, "too far apart"),
        (lambda: Real(0, 1, log=True), ValueError, "a log scale needs low > 0, got low=0"),
        (lambda: Real(0, 1, role="knob"), ValueError, "role must be one of .* got 'knob'"),
        (lambda: Integer(0, 1.5), ValueError, "high must be a whole number, got 1.5"),
        (lambda: Integer(0, math.inf), ValueError, "high must lie within"),
        (lambda: Integer(0, 2**40 + 1), ValueError, "high must lie within"),
        (lambda: Integer(-(10**400), 0), ValueError, "low must lie within"),
        (lambda: Ordinal("abc"), TypeError, "values must be a list, got 'abc'"),
        (lambda: Ordinal([1]), ValueError, r"at least two values are needed, got \[1\]"),
        (lambda: Categorical(["a", "b", "a"]), ValueError, "values must differ"),
        (lambda: Categorical([1, True]), ValueError, "values must differ"),
        (lambda: Categorical(["a", None]), TypeError, "values must be text, numbers or booleans, got None"),
        (lambda: Categorical([["a"], "b"]), TypeError, r"got \['a'\]"),
        (lambda: Categorical([math.nan, 1.0]), ValueError, "values must be finite, got nan"),
        (lambda: Real.distributed(scipy.stats.norm), TypeError, "must be a frozen continuous scipy.stats"),
        (lambda: Real.distributed(scipy.stats.poisson(3)), TypeError, "must be a frozen continuous scipy.stats"),
        (lambda: Real.distributed(scipy.stats.norm([0, 1], 1)), TypeError, "must be of one number"),
        (lambda: Real.distributed(scipy.stats.norm(0, -1)), ValueError, "shapes or scale are not allowed"),
        (lambda: Real.distributed(_Impostor(a=0, b=1, name="norm")()), TypeError, "is not one of scipy.stats"),
        (lambda: Real(0, 1, distribution=scipy.stats.norm()), ValueError, r"support \(-inf, inf\), got \(0.0, 1.0\)"),
        (lambda: Real(0, 1, log=True, distribution=scipy.stats.uniform()), ValueError, "log scale|leave out log"),
        (lambda: Space(), ValueError, "at least one parameter"),
        (lambda: Space(x=3), TypeError, "parameter 'x' must be a Real, Integer, Ordinal or Categorical, got 3"),
        (lambda: Space({1: Real(0, 1)}), TypeError, "parameter names must be non-empty text, got 1"),
        (lambda: Space({"": Real(0, 1)}), TypeError, "parameter names must be non-empty text"),
        (lambda: Space({"a\nb": Real(0, 1)}), ValueError, r"must have no control characters, got 'a\\nb'"),
    ],
)
def test_wrong_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


# The unit cube


@patient
@given(space=spaces(), n=st.integers(1, 20), seed=st.integers(0, 2**32 - 1))
def test_round_trip_through_the_unit_cube(space, n, seed):
    x = space.from_unit(unit_points(space, n, seed))
    again = space.from_unit(space.to_unit(x))
    for name, parameter in space.items():
        if isinstance(parameter, Real):
            low, high = parameter.finite_range
            if parameter.distribution is not None:
                # A probability near 1 has few digits left, and the quantile fewer.
                middle = np.asarray(parameter.to_unit(x[name]) < 1 - 1e-6)
                assert_allclose(again[name][middle], x[name][middle], atol=1e-8 * (high - low))
            elif parameter.log:
                assert_allclose(again[name], x[name], rtol=1e-12)
            else:
                assert_allclose(again[name], x[name], atol=1e-14 * max(abs(low), abs(high)))
        else:
            assert again[name].tolist() == x[name].tolist()
            assert list(map(type, again[name])) == list(map(type, x[name]))


@patient
@given(space=spaces(), n=st.integers(0, 20), seed=st.integers(0, 2**32 - 1))
def test_points_from_the_unit_cube_are_valid_and_typed(space, n, seed):
    x = space.from_unit(unit_points(space, n, seed))
    pd.testing.assert_frame_equal(space.validate(x), x)
    u = space.to_unit(x)
    assert u.shape == (n, space.d)
    assert ((u >= 0) & (u <= 1)).all()


@pytest.mark.parametrize(
    ("u", "message"),
    [
        ([0.5, 0.5], r"shape \(n, 2\), got \(2,\)"),
        ([[0.5]], r"shape \(n, 2\), got \(1, 1\)"),
        ([[0.5, 1.1]], r"lie in \[0, 1\]"),
        ([[-1e-9, 0.5]], r"lie in \[0, 1\]"),
        ([[0.5, math.nan]], r"lie in \[0, 1\]"),
    ],
)
def test_from_unit_refuses_what_is_outside_the_cube(u, message):
    with pytest.raises(ValueError, match=message):
        Space(a=Real(0, 1), b=Integer(0, 1)).from_unit(u)


def test_from_unit_names_the_columns_in_order():
    x = MIXED.from_unit(np.full((2, 7), 0.5))
    assert list(x) == list(MIXED.names) == list(POINT)
    assert x.loc[1].to_dict() == {
        "x": 4.0, "rate": pytest.approx(0.01), "gust": 1.0, "n": 3, "level": 10, "kind": "flap", "wet": False,
    }  # fmt: skip


# Validation


def test_an_error_names_every_wrong_cell_by_row_and_what_is_allowed():
    frame = pd.DataFrame([POINT, POINT, POINT], index=[10, 20, 30])
    frame["kind"] = ["flap", "clean", "slat"]
    frame["n"] = [2.5, 6.0, 3.0]
    frame["rate"] = [0.01, math.nan, 2.0]
    with pytest.raises(InvalidInputError) as caught:
        MIXED.validate(frame, "design")
    assert str(caught.value).splitlines() == [
        "design: 5 values are not allowed",
        "  row 10, 'n' = 2.5 is not a whole number; allowed: whole numbers 1 to 5",
        "  row 20, 'rate' = nan is NaN; allowed: [0.0001, 1] (log scale)",
        "  row 20, 'n' = 6.0 is out of range; allowed: whole numbers 1 to 5",
        "  row 30, 'rate' = 2.0 is out of range; allowed: [0.0001, 1] (log scale)",
        "  row 30, 'kind' = 'slat' is not allowed; allowed: one of 'clean', 'flap'",
    ]


def test_allowed_ranges_are_told_with_unit_and_all_their_digits():
    with pytest.raises(InvalidInputError, match=r"'x' = 1234567\.9 is out of range; allowed: \[0, 1234567\.8\] Pa"):
        Space(x=Real(0, 1234567.8, unit="Pa")).validate({"x": 1234567.9})
    assert Real(-1234567.8, 0).allowed == "[-1234567.8, 0]"
    assert MIXED["gust"].allowed == "(-inf, inf)"
    assert Real.distributed(scipy.stats.expon(2)).allowed == "[2, inf)"
    assert Integer(1, 1234567, unit="m").allowed == "whole numbers 1 to 1234567 m"


@pytest.mark.parametrize(("wrong", "listed", "rest"), [(1, 1, None), (10, 10, None), (11, 10, 1), (500, 10, 490)])
def test_many_errors_are_counted_instead_of_listed(wrong, listed, rest):
    with pytest.raises(InvalidInputError) as caught:
        Space(a=Real(0, 1), b=Real(0, 1)).validate({"a": np.full(wrong, 7.0), "b": np.full(wrong, 0.5)})
    head, *lines = str(caught.value).splitlines()
    assert head == ("inputs: 1 value is not allowed" if wrong == 1 else f"inputs: {wrong} values are not allowed")
    assert [line.split(",")[0] for line in lines[:listed]] == [f"  row {row}" for row in range(listed)]
    assert lines[listed:] == ([] if rest is None else [f"  ... and {rest} more"])


def test_wrong_columns_are_all_named_with_a_hint():
    with pytest.raises(InvalidInputError) as caught:
        Space(alpha=Real(0, 1), beta=Real(0, 1)).validate({"alhpa": 0.5, "zz": 1, "beta": 0.5})
    assert str(caught.value).splitlines() == [
        "inputs: wrong columns",
        "  missing column 'alpha'",
        "  unknown column 'alhpa'; did you mean 'alpha'?",
        "  unknown column 'zz'; known: 'alpha', 'beta'",
    ]


def test_a_column_that_stands_twice_is_refused():
    with pytest.raises(InvalidInputError, match="more than one column 'a'"):
        Space(a=Real(0, 1)).validate(pd.DataFrame([[0.5, 0.6]], columns=["a", "a"]))


NOT_NUMBERS = [
    pd.NA, pd.NaT, True, np.True_, "1", "x", b"1", 1 + 0j, np.complex128(1 + 2j), [1.0], (1.0,), np.array([1.0]),
    {}, pd.Timestamp(0), datetime.timedelta(1), decimal.Decimal("sNaN"), object,
]  # fmt: skip


@pytest.mark.parametrize(
    "parameter", [Real(0, 2), Integer(0, 2), Real.distributed(scipy.stats.norm())], ids=["real", "integer", "normal"]
)
@pytest.mark.parametrize("value", NOT_NUMBERS, ids=repr)
def test_what_is_not_a_number_is_refused_as_such(parameter, value):
    with pytest.raises(InvalidInputError, match=r"row 1, 'a' = .* is not a number; allowed: "):
        Space(a=parameter).validate([{"a": 1}, {"a": value}])


@pytest.mark.parametrize(
    "column",
    [
        pd.Series([True, False]), pd.Series(["0", "1"]), pd.Series([0, 1j]), pd.to_datetime(["2020", "2021"]),
        pd.to_timedelta([0, 1]), pd.array([True, None], dtype="boolean"), pd.Categorical(["0", "1"]),
    ],
    ids=lambda column: str(column.dtype),
)  # fmt: skip
def test_a_whole_column_of_no_numbers_is_refused(column):
    with pytest.raises(InvalidInputError, match=r"2 values are not allowed\n.* is not a number"):
        Space(a=Real(-10, 10)).validate(pd.DataFrame({"a": column}))


@pytest.mark.parametrize(
    ("parameter", "value", "reason"),
    [
        (Real(0, 2), math.nan, "is NaN"),
        (Real(0, 2), None, "is not a number"),
        (Real(0, 2), np.nextafter(0, -1), "is out of range"),
        (Real(0, 2), np.nextafter(2, 3), "is out of range"),
        (Real(0, 2), 10**400, "is out of range"),
        (Real(0, 2), math.inf, "is infinite"),
        (Real.distributed(scipy.stats.norm()), -math.inf, "is infinite"),
        (Real.distributed(scipy.stats.expon()), -1e-300, "is out of range"),
        (Integer(0, 2), 3, "is out of range"),
        (Integer(0, 2), 1.0000001, "is not a whole number"),
        (Integer(0, 2), decimal.Decimal("0.5"), "is not a whole number"),
        (Categorical(["a", "b"]), None, "is not allowed"),
        (Categorical(["a", "b"]), math.nan, "is NaN"),
        (Categorical(["a", "b"]), pd.NA, "is not allowed"),
        (Categorical(["a", "b"]), "A", "is not allowed"),
        (Categorical(["a", "b"]), np.array(["a", "b"]), "is not allowed"),
        (Categorical([1, 2]), "1", "is not allowed"),
        (Ordinal([1.5, 2.5]), 2, "is not allowed"),
    ],
)
def test_values_are_refused_for_their_reason(parameter, value, reason):
    with pytest.raises(InvalidInputError, match=rf"row 0, 'a' = .* {reason}; allowed: "):
        Space(a=parameter).validate([{"a": value}])
    if isinstance(value, float):  # a column of floats takes another way through the code
        with pytest.raises(InvalidInputError, match=rf"row 0, 'a' = .* {reason}; allowed: "):
            Space(a=parameter).validate(pd.DataFrame({"a": [value]}))


anything = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary(), st.complex_numbers(), st.decimals(),
    st.fractions(), st.dates(), st.timedeltas(), st.lists(st.integers(), max_size=2), st.sampled_from(NOT_NUMBERS),
)  # fmt: skip


@patient
@given(value=anything, parameter=st.sampled_from([Real(-9, 9), Integer(-9, 9), Categorical([0, "a"]), Ordinal([0, 1])]))
def test_any_object_is_either_refused_politely_or_taken_for_what_it_is(value, parameter):
    try:
        found = Space(a=parameter).validate([{"a": value}])["a"][0]
    except InvalidInputError:
        return
    assert float(found) == float(value) if isinstance(parameter, (Real, Integer)) else found == value


@pytest.mark.parametrize(
    "value", [0, 2, 2.0, np.float32(0.5), np.int8(1), decimal.Decimal(1), fractions.Fraction(1, 2)]
)
def test_numbers_of_every_kind_are_taken(value):
    found = Space(a=Real(0, 2)).validate([{"a": value}])["a"]
    assert found.dtype == np.float64
    assert found[0] == float(value)


@pytest.mark.parametrize(
    "column",
    [[1.0, 3.0], np.array([1, 3], dtype=np.uint8), pd.array([1, 3], dtype="Int64"), pd.Categorical([1, 3]),
     np.array([1.0, 3], dtype=object)],
    ids=lambda column: str(getattr(column, "dtype", "list")),
)  # fmt: skip
def test_whole_numbers_of_every_kind_become_integers(column):
    found = Space(a=Integer(1, 3)).validate(pd.DataFrame({"a": column}))["a"]
    assert found.dtype == np.int64
    assert found.tolist() == [1, 3]


def test_a_missing_number_in_a_nullable_column_is_found():
    with pytest.raises(InvalidInputError, match="row 1, 'a' = <NA> is not a number"):
        Space(a=Integer(1, 3)).validate(pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}))
    with pytest.raises(InvalidInputError, match="row 1, 'a' = nan is NaN"):
        Space(a=Integer(1, 3)).validate([{"a": 1}, {"a": None}])
    with pytest.raises(InvalidInputError, match="row 1, 'b' = nan is NaN"):
        Space(a=Integer(1, 3), b=Categorical([0.5, "x"])).validate([{"a": 1, "b": "x"}, {"a": 1}])


def test_a_finite_value_becomes_the_listed_one_that_equals_it():
    # A run's identity hangs on its inputs' text: 1.0 and True must not be other runs than 1.
    space = Space(a=Ordinal([1, 10]), b=Categorical([True, False]), c=Categorical([0, "x"]))
    found = space.validate(pd.DataFrame({"a": [1.0, 10.0], "b": [1, 0], "c": [False, "x"]}))
    assert [type(cell) for cell in found["c"]] == [int, str]
    assert found.dtypes[["a", "b"]].tolist() == [np.int64, np.bool_]
    pd.testing.assert_frame_equal(found.iloc[:1], space.validate({"a": True, "b": True, "c": 0}))


@pytest.mark.parametrize(
    "index",
    [[7, 7], ["b", "a"], pd.MultiIndex.from_tuples([(1, "u"), (0, "v")]), pd.to_datetime(["2021", "2020"])],
    ids=["repeated", "text", "levels", "dates"],
)
def test_index_and_attrs_are_kept_and_the_argument_untouched(index):
    frame = pd.DataFrame([POINT | {"n": 2.0}, POINT | {"n": 4.0}], index=index)[list(POINT)[::-1]]
    frame.attrs = {"sampler": "mine"}
    before = frame.copy(deep=True)
    found = MIXED.validate(frame)
    assert list(found) == list(MIXED)
    assert found["n"].tolist() == [2, 4]
    assert found.index.equals(frame.index)
    assert found.attrs == {"sampler": "mine"}
    found.loc[:, "x"] = 9.0
    found.attrs["seed"] = 1
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == {"sampler": "mine"}


def test_the_index_is_kept_without_any_number_too():
    found = Space(a=Categorical(["u", "v"])).validate(pd.DataFrame({"a": ["v", "u"]}, index=[5, 3]))
    assert found.to_dict("index") == {5: {"a": "v"}, 3: {"a": "u"}}


def test_an_error_names_the_row_by_its_label():
    frame = pd.DataFrame({"a": [0.5, 9]}, index=pd.MultiIndex.from_tuples([(1, "u"), (0, "v")]))
    with pytest.raises(InvalidInputError, match=r"row \(0, 'v'\), 'a' = 9\.0"):
        Space(a=Real(0, 1)).validate(frame)


ROWS = [POINT, POINT | {"x": 12.0, "n": 5, "kind": "clean", "wet": False}]
FORMS = {
    "frame": pd.DataFrame(ROWS),
    "frame in another order": pd.DataFrame(ROWS)[sorted(POINT)],
    "mapping of columns": {name: [row[name] for row in ROWS] for name in POINT},
    "list of mappings": ROWS,
    "tuple of mappings": tuple(ROWS),
    "list of lists": [list(row.values()) for row in ROWS],
    "array of objects": np.array([list(row.values()) for row in ROWS], dtype=object),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_points_gives_the_same_frame(form):
    found = MIXED.validate(FORMS[form])
    assert found.to_dict("records") == ROWS
    pd.testing.assert_frame_equal(found, MIXED.validate(pd.DataFrame(ROWS)))


def test_a_single_point_may_be_a_mapping_or_a_series():
    assert MIXED.validate(POINT).to_dict("records") == [POINT]
    row = pd.DataFrame(ROWS, index=["one", "two"]).loc["two"]
    found = MIXED.validate(row)
    assert found.to_dict("index") == {"two": ROWS[1]}
    assert found.dtypes.tolist() == MIXED.validate(POINT).dtypes.tolist()


def test_an_array_has_its_columns_in_the_order_of_the_space():
    found = Space(b=Integer(0, 9), a=Real(0, 9)).validate(np.array([[1.0, 2.5], [3, 4]]))
    assert found.to_dict("list") == {"b": [1, 3], "a": [2.5, 4.0]}


def test_no_points_keep_their_columns_and_types():
    found = MIXED.validate(pd.DataFrame(columns=list(MIXED)))
    assert found.shape == (0, 7)
    assert found.dtypes[["x", "n", "level", "wet"]].tolist() == [np.float64, np.int64, np.int64, np.bool_]
    assert MIXED.to_unit(found).shape == (0, 7)


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (None, r"an array must have shape \(n, 2\), got \(\)"),
        ("abc", r"an array must have shape \(n, 2\), got \(\)"),
        ([], r"got \(0,\)"),
        ([0.5, 0.5], r"got \(2,\)"),
        ([[0.5, 0.5, 0.5]], r"got \(1, 3\)"),
        ([[0.5, 0.5], [0.5]], r"got \(2,\)"),
        (np.zeros((2, 2, 2)), r"got \(2, 2, 2\)"),
        ({}, "missing column 'a'"),
        ({"a": [0.5, 0.5], "b": [1]}, "cannot be read as a table"),
        ({"a": [[0.5], [1, 2]], "b": [1, 1]}, "cannot be read as a table|is not a number"),
        (np.array([["0.5", "1"]]), "'a' = '0.5' is not a number"),
    ],
)
def test_what_is_no_table_of_points_is_refused(points, message):
    with pytest.raises(InvalidInputError, match=message) as caught:
        Space(a=Real(0, 1), b=Integer(0, 2)).validate(points, "design")
    assert str(caught.value).startswith("design: ")
    assert isinstance(caught.value, ValueError)


# The space as a whole


def test_a_space_is_a_mapping_in_order():
    space = Space({"angle of attack": Real(0, 1, unit="deg")}, b=Integer(0, 1))
    assert space.names == ("angle of attack", "b")
    assert space.d == len(space) == 2
    assert space.label("angle of attack") == "angle of attack [deg]"
    assert space.label("b") == "b"
    assert "c" not in space
    with pytest.raises(KeyError, match="no parameter 'angle of atack'; did you mean 'angle of attack'"):
        space["angle of atack"]
    with pytest.raises(TypeError):
        space["b"] = Real(0, 1)


def test_order_makes_spaces_differ():
    # An array's columns have no other meaning than their order.
    space, turned = Space(a=Real(0, 1), b=Real(0, 1)), Space(b=Real(0, 1), a=Real(0, 1))
    assert space != turned
    assert space.fingerprint != turned.fingerprint
    assert space == Space({"a": Real(0, 1)}, b=Real(0.0, 1.0))
    assert space != dict(space)


@patient
@given(space=spaces())
def test_json_round_trip(space):
    again = Space.from_json(space.to_json())
    assert again == space
    assert hash(again) == hash(space)
    assert again.names == space.names
    assert again.fingerprint == space.fingerprint
    u = unit_points(space, 5, 0)
    pd.testing.assert_frame_equal(again.from_unit(u), space.from_unit(u))


def test_json_keeps_what_the_fingerprint_does_not_count():
    space = Space(x=Real(0, 1, unit="m", role="lever", description="how far"), n=Integer(0, 1))
    entry = json.loads(space.to_json())["x"]
    assert entry == {"type": "real", "low": 0.0, "high": 1.0, "unit": "m", "role": "lever", "description": "how far"}
    assert Space.from_json(space.to_json())["x"].description == "how far"
    assert space.fingerprint == Space(x=Real(0, 1), n=Integer(0, 1)).fingerprint
    assert space != Space(x=Real(0, 1), n=Integer(0, 1))


def test_the_fingerprint_stays_the_same_from_version_to_version():
    # Run stores hold it: a change makes every store of an earlier version that of another study.
    assert MIXED.fingerprint == "4623334509150f07"


@pytest.mark.parametrize(
    "change",
    [
        {"x": Real(-4, 12.000001)}, {"x": Real(-4.5, 12)}, {"x": Integer(-4, 12)}, {"rate": Real(1e-4, 1)},
        {"gust": Real.distributed(scipy.stats.norm(1, 2.1))}, {"gust": Real.distributed(scipy.stats.logistic(1, 2))},
        {"n": Integer(1, 6)}, {"n": Integer(1, 5, log=True)}, {"level": Ordinal([1, 100, 10])},
        {"level": Categorical([1, 10, 100])}, {"kind": Categorical(["clean", "slat"])},
        {"kind": Categorical(["clean", "flap", "slat"])}, {"more": Real(0, 1)},
    ],
    ids=str,
)  # fmt: skip
def test_the_fingerprint_tells_different_spaces_apart(change):
    changed = Space({**MIXED, **change})
    assert changed.fingerprint != MIXED.fingerprint
    assert changed != MIXED


def test_distributions_are_compared_by_their_numbers():
    one, same = scipy.stats.norm(1, 2), scipy.stats.norm(scale=2, loc=1)
    assert Real.distributed(one) == Real.distributed(same)
    assert hash(Real.distributed(one)) == hash(Real.distributed(same))
    assert Real.distributed(one) != Real.distributed(scipy.stats.norm(2, 1))
    assert Real.distributed(scipy.stats.uniform()) != Real(0, 1)


def test_a_pickled_space_is_equal():
    again = pickle.loads(pickle.dumps(MIXED))
    assert again == MIXED
    pd.testing.assert_frame_equal(again.from_unit(np.full((1, 7), 0.3)), MIXED.from_unit(np.full((1, 7), 0.3)))


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"type": "reel", "low": 0, "high": 1}, "parameter 'x': unknown type 'reel'; did you mean 'real'"),
        ({"low": 0, "high": 1}, "parameter 'x': unknown type None"),
        ({"type": ["real"]}, "parameter 'x': unknown type"),
        (3, "parameter 'x': must be described by a mapping, got 3"),
        ({"type": "real", "low": 2, "high": 1}, "parameter 'x': low must be below high"),
        ({"type": "real", "low": "0", "high": 1}, "parameter 'x': low must be a number"),
        ({"type": "real", "low": 0}, "parameter 'x': .*high"),
        ({"type": "real", "lo": 0, "high": 1}, "parameter 'x': .*'lo'"),
        ({"type": "integer", "distribution": {"name": "norm", "args": [0, 1]}}, "parameter 'x': .*'distribution'"),
        ({"type": "real", "low": 0, "distribution": {"name": "norm", "args": [0, 1]}}, "parameter 'x': .*'low'"),
        (
            {"type": "real", "distribution": {"name": "nrom", "args": [0, 1]}},
            "distribution 'nrom'; did you mean",
        ),
        ({"type": "real", "distribution": {"name": "gmean", "args": [[1]]}}, "no continuous distribution 'gmean'"),
        ({"type": "real", "distribution": {"name": "norm", "args": [0, -1]}}, "shapes or scale are not allowed"),
        ({"type": "real", "distribution": "norm"}, "parameter 'x': "),
        ({"type": "ordinal", "values": "low"}, "parameter 'x': values must be a list"),
    ],
)
def test_a_wrong_description_names_the_parameter(entry, message):
    with pytest.raises(ValueError, match=message):
        Space.from_dict({"x": entry})


def test_a_description_is_a_mapping():
    with pytest.raises(ValueError, match="a space is described by a mapping"):
        Space.from_json("[1]")


# SALib

COUNTERPARTS = {
    "linear": Real(-4, 12),
    "log": Real(0.01, 100, log=True),
    "uniform": Real.distributed(scipy.stats.uniform(2, 3)),
    "norm": Real.distributed(scipy.stats.norm(1, 2)),
    "truncnorm": Real.distributed(scipy.stats.truncnorm(-1, 2, loc=3, scale=0.5)),
    "half-open truncnorm": Real.distributed(scipy.stats.truncnorm(-1, np.inf, loc=3, scale=0.5)),
    "lognorm": Real.distributed(scipy.stats.lognorm(0.5, scale=2)),
    "loguniform": Real.distributed(scipy.stats.loguniform(0.1, 10)),
    "scaled loguniform": Real.distributed(scipy.stats.loguniform(0.1, 10, scale=3)),
    "triang": Real.distributed(scipy.stats.triang(0.3, loc=2, scale=4)),
    "triang below 0": Real.distributed(scipy.stats.triang(0.3, loc=-2, scale=4)),
    "triang falling": Real.distributed(scipy.stats.triang(0, loc=1, scale=4)),
}
BOTH = Space(COUNTERPARTS)


def _latin(problem):
    return latin.sample(problem, 1024, seed=3)


def _sobol(problem):
    # 12 parameters, no second order: 14 rows a point.
    return salib_sobol.sample(problem, 128, calc_second_order=False, scramble=True, seed=3)


@pytest.mark.parametrize("sample", [_latin, _sobol])
def test_salib_samples_the_same_points_as_the_space(sample):
    ours = BOTH.from_unit(sample(BOTH.to_salib(unit_cube=True)))
    pd.testing.assert_frame_equal(BOTH.validate(sample(BOTH.to_salib())), ours, rtol=1e-9)


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_salib_samples_the_distribution(name):
    real, sampled = COUNTERPARTS[name], _latin(BOTH.to_salib())[:, BOTH.names.index(name)]
    if real.distribution is None:
        family = scipy.stats.loguniform if real.log else scipy.stats.uniform
        expected = family(real.low, real.high if real.log else real.high - real.low)
    else:
        expected = real.distribution
    assert sampled.mean() == pytest.approx(expected.mean(), abs=0.02 * expected.std())
    assert sampled.std() == pytest.approx(expected.std(), rel=0.02)
    # A Latin hypercube has one point in every 1/n of probability.
    assert_array_equal(np.sort(np.floor(expected.cdf(sampled) * 1024)), np.arange(1024))


@pytest.mark.parametrize(
    "parameter",
    [
        Integer(1, 4), Categorical(["a", "b"]), Ordinal([1, 2]), Real.distributed(scipy.stats.gamma(2)),
        Real.distributed(scipy.stats.lognorm(0.5, loc=1)), Real.distributed(scipy.stats.loguniform(1, 2, loc=1)),
        Real.distributed(scipy.stats.triang(0.5, loc=-3, scale=2)), Real.distributed(scipy.stats.triang(1)),
    ],
    ids=repr,
)  # fmt: skip
def test_without_a_counterpart_in_salib_there_is_the_unit_cube(parameter):
    space = Space(a=Real(0, 1), odd=parameter)
    with pytest.raises(ValueError, match=r"no counterpart of parameter 'odd'.*unit_cube=True"):
        space.to_salib()
    x = space.from_unit(latin.sample(space.to_salib(unit_cube=True), 40, seed=1))
    pd.testing.assert_frame_equal(space.validate(x), x)


def test_salib_gets_plain_numbers_and_names():
    problem = BOTH.to_salib()
    assert json.loads(json.dumps(problem | {"bounds": problem["bounds"][:3]}))["names"] == list(COUNTERPARTS)
    assert problem["num_vars"] == 12
    assert problem["bounds"][:2] == [[-4.0, 12.0], [0.01, 100.0]]


# Hints


def test_hints():
    assert did_you_mean("Lake", ["lake", "airfoil"]) == "did you mean 'lake'?"
    assert did_you_mean("zzz", ["b", "a"]) == "known: 'a', 'b'"
    assert did_you_mean("zzz", []) == "known: none"
