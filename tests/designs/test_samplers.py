"""What every sampler must do, whatever its method."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import qmc

import surrogate as sg
from surrogate.designs import SAMPLERS
from surrogate.designs.where import check_where

SPACE = sg.Space(
    x=sg.Real(-4, 12, unit="deg"),
    rate=sg.Real(1e-4, 1, log=True),
    gust=sg.Real.distributed(scipy.stats.norm(1, 2)),
    n=sg.Integer(1, 5),
    level=sg.Ordinal([1, 10, 100]),
    kind=sg.Categorical(["clean", "flap"]),
)

# A hundredth of the usual search: what must hold of a sampler holds however long it searched.
SHORT = {"effort": 0.01}
CASES = {
    name: functools.partial(sampler, **SHORT) if name in ("maximin", "maxpro") else sampler
    for name, sampler in SAMPLERS.items()
}
samplers = pytest.mark.parametrize("sampler", CASES.values(), ids=CASES)

SEQUENCE = [
    {},
    {"where": ["x > 0", "rate < 0.1"]},
    {"correlation": {("x", "rate"): 0.7}, "where": "x > 0"},
]
OPTIONS = {
    "latin_hypercube": [
        *({"criterion": c} | SHORT for c in ("centred", "ese", "discrepancy", "maxpro", "correlation", "maximin")),
        {"where": "x > 0 and kind == 'flap'"},
        {"where": "x > 0", "criterion": "maximin"},
        {"correlation": {("x", "rate"): 0.7, ("gust", "n"): -0.5}},
    ],
    "maximin": [SHORT, {"where": "n < level"}],
    "maxpro": [SHORT, {"where": "n < level"}],
    "lattice": [{}, {"correlation": {("x", "rate"): 0.7}}],
    "sobol": SEQUENCE,
    "halton": SEQUENCE,
}
with_options = pytest.mark.parametrize(
    ("sampler", "options"), [(SAMPLERS[name], given) for name, several in OPTIONS.items() for given in several]
)


def enough(sampler, n):
    """`n`, or the fewest points from which on a lattice always has a generator for each of the six parameters."""
    return max(n, 31) if sampler is sg.lattice else n


@samplers
@settings(max_examples=25, deadline=None)
@given(n=st.integers(1, 70), seed=st.integers(0, 2**32 - 1))
def test_points_belong_to_the_space(sampler, n, seed):
    n = enough(sampler, n)
    design = sampler(SPACE, n, rng=seed)
    assert design.shape == (n, SPACE.d)
    pd.testing.assert_frame_equal(SPACE.validate(design), design)
    assert np.isfinite(design[["x", "rate", "gust"]].to_numpy()).all()


@samplers
def test_same_seed_same_points_and_another_seed_others(sampler):
    n = enough(sampler, 16)
    pd.testing.assert_frame_equal(sampler(SPACE, n, rng=3), sampler(SPACE, n, rng=3))
    assert not sampler(SPACE, n, rng=3)["x"].equals(sampler(SPACE, n, rng=4)["x"])


@samplers
def test_a_design_made_without_a_seed_can_be_made_again(sampler):
    n = enough(sampler, 8)
    first = sampler(SPACE, n)
    again = sampler(SPACE, n, rng=first.attrs["seed"])
    pd.testing.assert_frame_equal(first, again)
    assert not first["x"].equals(sampler(SPACE, n)["x"])


@samplers
def test_attrs_tell_sampler_seed_and_number(sampler, request):
    name = request.node.callspec.id
    n = enough(sampler, 5)
    assert sampler(SPACE, n, rng=7).attrs == {"sampler": name, "seed": 7, "n": n}


@samplers
def test_marginals_follow_the_distributions(sampler):
    design = sampler(SPACE, 1024, rng=1)
    # Stratified in every margin: empirical distribution functions are within 2/n of the true ones. Halton's are only
    # where n is a power of the base; in between they are within (base - 1) log(n) / (2 log(base)) / n, below 16/n here.
    loose = 16 if sampler is sg.halton else 2
    for name in ("x", "rate", "gust"):
        u = SPACE[name].to_unit(design[name])
        assert scipy.stats.kstest(u, "uniform").statistic < loose / 1024 + 1e-9
    assert design["n"].value_counts().between(1024 / 5 - loose, 1024 / 5 + loose).all()
    assert design["level"].value_counts().between(1024 / 3 - loose, 1024 / 3 + loose).all()


@with_options
@pytest.mark.parametrize("n", [1, 2, 37])
def test_options_keep_bounds_types_and_seeds(sampler, options, n):
    n = enough(sampler, n)
    design = sampler(SPACE, n, rng=5, **options)
    assert design.shape == (n, SPACE.d)
    pd.testing.assert_frame_equal(SPACE.validate(design), design)
    assert np.isfinite(design[["x", "rate", "gust"]].to_numpy()).all()
    pd.testing.assert_frame_equal(sampler(SPACE, n, rng=5, **options), design)
    if "where" in options:
        told = design.attrs["where"]
        assert check_where(told, SPACE)(design).all()
    if "correlation" in options:
        assert design.attrs["correlation"][0] == ["x", "rate", 0.7]


@samplers
@pytest.mark.parametrize("parameter", [sg.Real(2, 3), sg.Integer(1, 2), sg.Categorical(["a", "b"])])
@pytest.mark.parametrize("n", [1, 2, 9])
def test_one_parameter(sampler, parameter, n):
    space = sg.Space(only=parameter)
    design = sampler(space, n, rng=0)
    assert design.shape == (n, 1)
    pd.testing.assert_frame_equal(space.validate(design), design)


@samplers
@pytest.mark.parametrize(("n", "error"), [(0, ValueError), (-1, ValueError), (2.5, TypeError), (True, TypeError)])
def test_a_wrong_number_of_points_is_refused(sampler, n, error):
    with pytest.raises(error, match="n must be"):
        sampler(SPACE, n)


@samplers
def test_a_wrong_seed_is_refused(sampler):
    with pytest.raises(TypeError, match="rng must be"):
        sampler(SPACE, 4, rng="seven")


def test_latin_hypercube_has_one_point_in_every_slice():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))
    design = sg.latin_hypercube(space, 50, rng=0)
    for name in space:
        assert sorted((design[name] * 50).astype(int)) == list(range(50))


def test_sobol_is_scipys_sequence_and_a_longer_one_begins_with_it():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1), c=sg.Real(0, 1))
    expected = qmc.Sobol(3, scramble=True, rng=np.random.default_rng(5)).random_base2(5)
    np.testing.assert_array_equal(sg.sobol(space, 32, rng=5), expected)
    np.testing.assert_array_equal(sg.sobol(space, 20, rng=5), expected[:20])
