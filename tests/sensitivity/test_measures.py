"""Sensitivity measures against exact values."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import surrogate as sg
from surrogate.sensitivity import MEASURES, by_output
from surrogate.sensitivity.given_data import _first_order

# Ishigami and Homma (1990), "An importance quantification technique in uncertainty analysis for computer models": for
# their a of 7 and b of 0.1 the parts of the variance in closed form.
V1, V2, V13 = 0.5 * (1 + 0.1 * np.pi**4 / 5) ** 2, 49 / 8, 0.01 * np.pi**8 * 8 / 225
FIRST = np.array([V1, V2, 0]) / (V1 + V2 + V13)
TOTAL = np.array([V1 + V13, V2, V13]) / (V1 + V2 + V13)

ANGLES = sg.Space({f"x{k}": sg.Real(-np.pi, np.pi) for k in (1, 2, 3)})


def ishigami(x):
    return np.sin(x[:, 0]) + 7 * np.sin(x[:, 1]) ** 2 + 0.1 * x[:, 2] ** 4 * np.sin(x[:, 0])


@sg.simulator(space=ANGLES, outputs=["y", "line", "constant"])
def angles(x1, x2, x3):
    """Ishigami, a line and a constant."""
    return {"y": ishigami(np.array([[x1, x2, x3]]))[0], "line": 3 * x1 + 4 * x2, "constant": 1.0}


class Exact:
    """An emulator that knows the truth."""

    def __init__(self, function, d=3):
        self.function, self.n_features_in_ = function, d

    def predict(self, X):
        return self.function(np.asarray(X, dtype=float))


def test_exact_values_themselves():
    # The numbers that are printed everywhere, e.g. in SALib's documentation.
    np.testing.assert_allclose(FIRST, [0.3139, 0.4424, 0], atol=5e-5)
    np.testing.assert_allclose(TOTAL, [0.5576, 0.4424, 0.2437], atol=5e-5)


def test_sobol_indices_of_a_simulator():
    found = sg.sobol_indices(angles, n=1024, n_jobs=0, second_order=True)
    assert found.index.names == ["output", "input"]
    y = found.loc["y"]
    np.testing.assert_allclose(y["first"], FIRST, atol=0.04)
    np.testing.assert_allclose(y["total"], TOTAL, atol=0.04)
    for column, exact in (("first", FIRST), ("total", TOTAL)):
        assert (y[f"{column}_low"] <= exact).all()
        assert (exact <= y[f"{column}_high"]).all()
        assert (y[f"{column}_high"] - y[f"{column}_low"]).max() < 0.3
    np.testing.assert_allclose(found.loc["line", "first"], [9 / 25, 16 / 25, 0], atol=0.02)
    assert (found.loc["constant"] == 0).all(axis=None)
    assert found.attrs["runs"] == 1024 * 8
    pairs = sg.second_order(found)
    assert pairs.loc[("y", "x1", "x3"), "second"] == pytest.approx(V13 / (V1 + V2 + V13), abs=0.05)
    assert abs(pairs.loc[("y", "x1", "x2"), "second"]) < 0.05
    json.dumps(found.attrs)


def test_one_output_is_indexed_by_input():
    found = sg.sobol_indices(angles, n=16, n_jobs=0, outputs="y")
    assert found.index.tolist() == ["x1", "x2", "x3"]
    assert list(by_output(found)) == ["y"]


def test_sobol_indices_of_an_emulator_that_knows_the_truth():
    emulator = Exact(ishigami)
    found = sg.sobol_indices(emulator, ANGLES, coordinates="own", second_order=True)
    np.testing.assert_allclose(found["first"], FIRST, atol=0.01)
    np.testing.assert_allclose(found["total"], TOTAL, atol=0.01)
    assert sg.second_order(found).loc[("x1", "x3"), "second"] == pytest.approx(V13 / (V1 + V2 + V13), abs=0.01)
    assert "tell no error" in found.attrs["note"]
    in_cube = Exact(lambda u: ishigami(-np.pi + 2 * np.pi * u))
    again = sg.sobol_indices(in_cube, ANGLES, coordinates="unit", second_order=True)
    np.testing.assert_allclose(again, found, atol=1e-8)
    with pytest.raises(ValueError, match="coordinates='unit'"):
        sg.sobol_indices(emulator, ANGLES)


def test_an_emulator_fitted_on_named_columns_gets_them():
    class Named(Exact):
        feature_names_in_ = np.array(["x3", "x1", "x2"], dtype=object)

        def predict(self, X):
            assert list(X.columns) == ["x3", "x1", "x2"]
            return ishigami(X[["x1", "x2", "x3"]].to_numpy())

    np.testing.assert_allclose(sg.sobol_indices(Named(None), ANGLES)["total"], TOTAL, atol=0.01)
    with pytest.raises(ValueError, match="pass space="):
        sg.sobol_indices(Named(None))


G = np.array([0.0, 1.0, 4.5, 9.0])


def test_g_function_through_a_gaussian_process_covers_the_truth():
    # Saltelli and Sobol (1995), "About the use of rank transformation in sensitivity analysis", eq. for the G-function.
    partial = 1 / 3 / (1 + G) ** 2
    variance = np.prod(1 + partial) - 1
    total = np.array([partial[i] * np.prod(np.delete(1 + partial, i)) for i in range(4)]) / variance
    space = sg.Space({f"x{k}": sg.Real(0, 1) for k in range(4)})
    x = sg.maximin(space, 80, rng=0, effort=0.3)
    gp = sg.GaussianProcess().fit(x.to_numpy(), np.prod((np.abs(4 * x.to_numpy() - 2) + G) / (1 + G), axis=1))
    found = sg.sobol_indices(gp, space, n=256)
    np.testing.assert_allclose(found["first"], partial / variance, atol=0.05)
    np.testing.assert_allclose(found["total"], total, atol=0.05)
    inside = (found["total_low"] <= total) & (total <= found["total_high"])
    assert inside.sum() >= 3
    # The emulator is not certain, and says so.
    assert (found["total_high"] - found["total_low"]).max() > 0.01


@pytest.mark.parametrize("draws", [False, True])
def test_uncertainty_of_an_emulator_widens_the_intervals(draws):
    class Unsure(Exact):
        std = 0.0

        def predict(self, X, return_std=False):
            mean = self.function(X)
            return (mean, np.full(len(X), self.std)) if return_std else mean

    class Drawing(Unsure):
        def draws(self, X, n, rng):
            waves = np.random.default_rng(rng).standard_normal((n, 5)) * self.std
            return self.function(X) + waves @ np.cos(np.pi * np.outer(np.arange(1, 6), X[:, 0]))

    emulator = (Drawing if draws else Unsure)(lambda u: u[:, 0] + u[:, 1], d=2)
    width = {}
    for std in (0.0, 0.03, 0.3):
        emulator.std = std
        found = sg.sobol_indices(emulator, n=128)
        width[std] = (found["first_high"] - found["first_low"]).mean()
        assert (found["first_low"] <= 0.5).all()
        assert (found["first_high"] >= 0.5).all()
    assert width[0.0] < 0.05 < width[0.3]
    assert width[0.0] < width[0.03] < width[0.3]


def test_draws_move_the_indices_as_their_population_says():
    # y = x0 + x1 with an unknown slope of x0, 1 + s with s normal: first order (1 + s)^2 / ((1 + s)^2 + 1).
    class Slope(Exact):
        def draws(self, X, n, rng):
            self.slopes = 1 + 0.3 * np.random.default_rng(rng).standard_normal(n)
            return self.slopes[:, None] * X[:, 0] + X[:, 1]

    emulator = Slope(lambda u: u[:, 0] + u[:, 1], d=2)
    found = sg.sobol_indices(emulator, n=512)
    exact = emulator.slopes**2 / (emulator.slopes**2 + 1)
    low, high = np.percentile(exact, [2.5, 97.5])
    assert found.loc["x0", "first"] == pytest.approx(exact.mean(), abs=0.02)
    assert found.loc["x0", "first_low"] == pytest.approx(low, abs=0.04)
    assert found.loc["x0", "first_high"] == pytest.approx(high, abs=0.04)


def test_a_polynomial_chaos_is_asked_for_its_exact_indices():
    class Polynomial(Exact):
        def sobol_indices(self):
            return pd.DataFrame({"first": [0.7, 0.3], "total": [0.7, 0.3]}, index=["x0", "x1"])

    emulator = Polynomial(lambda u: u[:, 0], d=2)  # not what the indices say, to see which is taken
    found = sg.sobol_indices(emulator)
    assert found["first"].tolist() == [0.7, 0.3]
    assert "exact" in found.attrs["note"]
    grouped = sg.sobol_indices(emulator, groups={"all": ["x0", "x1"]})
    assert grouped.loc["all", "total"] == pytest.approx(1, abs=1e-6)


def test_exact_indices_go_to_the_inputs_that_the_emulator_names():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))
    x = space.from_unit(np.random.default_rng(0).random((60, 2)))
    for own in (None, sg.Space(b=sg.Real(0, 1), a=sg.Real(0, 1))):
        found = sg.sobol_indices(sg.PolynomialChaos().fit(x[["b", "a"]], 2 * x["a"] + x["b"], own), space, n=64)
        assert "exact" in found.attrs["note"]
        np.testing.assert_allclose(found["first"], [0.8, 0.2], atol=0.01)


def test_exact_indices_of_another_space_than_the_one_asked_about_are_not_taken():
    space, wide = (sg.Space(a=sg.Real(0, high), b=sg.Real(0, 1)) for high in (1, 3))
    x = wide.from_unit(np.random.default_rng(0).random((60, 2)))
    y = x["a"] + x["b"]
    for emulator, exact_of, coordinates in (
        (sg.PolynomialChaos().fit(x, y, wide), wide, None),
        (sg.PolynomialChaos().fit(x, y), None, None),
        (sg.PolynomialChaos().fit(x.to_numpy(), y), None, "own"),
        (sg.PolynomialChaos().fit(wide.to_unit(x), y), wide, "unit"),
        # All of its runs in a third of the space.
        (sg.PolynomialChaos().fit(wide.to_unit(x) * [1 / 3, 1], 3 * y - 2 * x["b"]), None, "unit"),
    ):
        found = sg.sobol_indices(emulator, wide, n=256, coordinates=coordinates)
        assert ("exact" in found.attrs.get("note", "")) == (exact_of is wide)
    sampled = sg.sobol_indices(sg.PolynomialChaos().fit(x, y, wide), space, n=256)
    np.testing.assert_allclose(sampled["first"], [0.5, 0.5], atol=0.02)


def test_an_array_outside_the_unit_cube_needs_a_space():
    x = -np.pi + 2 * np.pi * np.random.default_rng(0).random((40, 3))
    x[:, 0] = np.random.default_rng(1).random(40)
    for emulator in (sg.RadialBasis(), sg.GaussianProcess(kernel="matern52", n_starts=1)):
        emulator.fit(x, x[:, 1])
        with pytest.raises(ValueError, match=r"column 1 goes from -2\.\d+ to 3\.\d+; pass space="):
            sg.sobol_indices(emulator)
    sg.sobol_indices(emulator, ANGLES, n=8, coordinates="own")
    u = np.vstack([np.full((1, 3), -1e-12), np.random.default_rng(0).random((20, 3))])
    sg.sobol_indices(sg.RadialBasis().fit(u, u[:, 0]), n=8)


def test_emulators_of_different_spaces_need_one():
    spaces = [sg.Space(a=sg.Real(0, high)) for high in (1, 2)]
    x = [space.from_unit(np.linspace(0, 1, 9)[:, None]) for space in spaces]
    small, large = (sg.RadialBasis().fit(part, part["a"], space) for part, space in zip(x, spaces))
    with pytest.raises(ValueError, match="'y' and 'z' were fitted to different spaces: pass space="):
        sg.sobol_indices({"y": small, "z": large}, n=8)
    assert len(sg.sobol_indices({"y": small, "z": large}, spaces[0], n=8)) == 2
    assert len(sg.sobol_indices({"y": small, "z": large}, n=8, outputs="z")) == 1


@pytest.mark.parametrize("source", [Exact(lambda u: u[:, 0], d=1), sg.Space(x=sg.Real(0, 1))])
def test_one_input_has_no_pairs(source):
    if isinstance(source, sg.Space):
        source = sg.simulator(space=source, outputs=["y"])(lambda x: {"y": x})
    running = {} if isinstance(source, Exact) else {"n_jobs": 0}
    pairs = sg.second_order(sg.sobol_indices(source, n=8, second_order=True, **running))
    assert len(pairs) == 0
    assert pairs.index.names == ["input", "other"]
    assert pairs.columns.tolist() == ["second", "second_low", "second_high"]


def test_groups():
    found = sg.sobol_indices(angles, n=1024, n_jobs=0, outputs="y", groups={"together": ["x1", "x3"]})
    assert found.index.tolist() == ["together", "x2"]
    np.testing.assert_allclose(found["first"], [1 - FIRST[1], FIRST[1]], atol=0.05)
    through = sg.sobol_indices(Exact(ishigami), ANGLES, coordinates="own", groups={"together": ["x1", "x3"]})
    np.testing.assert_allclose(through["total"], [1 - FIRST[1], FIRST[1]], atol=0.01)
    with pytest.raises(ValueError, match="both"):
        sg.sobol_indices(angles, n=16, groups={"a": ["x1"], "b": ["x1"]})
    with pytest.raises(ValueError, match="did you mean 'x1'"):
        sg.sobol_indices(angles, n=16, groups={"a": ["x11"]})


@sg.simulator(space=sg.Space(x1=sg.Real(0, 1), x2=sg.Real(0, 1), x3=sg.Real(0, 1)), outputs=["y"])
def fragile(x1, x2, x3):
    """Fails in a corner."""
    if x1 > 0.9 and x2 > 0.5:
        raise ValueError("no convergence")
    return {"y": x1 + 2 * x2}


def test_failed_runs_cost_their_blocks_and_are_told():
    found = sg.sobol_indices(fragile, n=256, n_jobs=0)
    assert found.attrs["failed"] > 0
    assert 0 < found.attrs["dropped"] < 256
    assert f"{found.attrs['failed']} of {256 * 5} runs failed" in found.attrs["note"]
    assert np.isfinite(found.to_numpy()).all()
    assert found.loc["x3", "total"] == pytest.approx(0, abs=1e-9)


def test_failed_runs_can_be_filled():
    found = sg.sobol_indices(fragile, n=128, n_jobs=0, failures="fill")
    assert "predicted from the others" in found.attrs["note"]
    assert found.attrs["dropped"] == 0
    # A line goes on as a line: the exact indices of x1 + 2 x2 are 0.2 and 0.8.
    np.testing.assert_allclose(found["first"], [0.2, 0.8, 0.0], atol=0.05)


def test_failed_runs_can_be_refused_and_too_many_always_are():
    with pytest.raises(sg.TooManyFailuresError, match="runs failed"):
        sg.sobol_indices(fragile, n=16, n_jobs=0, failures="raise")

    @sg.simulator(space=ANGLES, outputs=["y"])
    def hopeless(x1, x2, x3):
        return {"y": 1.0 if x1 < -3 else float("nan")}

    with pytest.raises(sg.TooManyFailuresError, match=r"runs\.failures"):
        sg.sobol_indices(hopeless, n=64, n_jobs=0)


@pytest.mark.parametrize("method", sorted(set(MEASURES) - {"delta"}))
def test_failures_never_become_nan(method):
    options = {"n": 100} if method == "fast" else {"n": 64}
    found = MEASURES[method](fragile, n_jobs=0, **options)
    assert np.isfinite(found.to_numpy()).all()
    assert found.attrs["failed"] > 0
    assert "failed" in found.attrs["note"]


def test_runs_are_stored_and_not_made_twice(tmp_path):
    calls = []

    @sg.simulator(space=ANGLES, outputs=["y"])
    def counted(x1, x2, x3):
        calls.append(1)
        return {"y": x1}

    store = tmp_path / "runs.db"
    first = sg.sobol_indices(counted, n=32, n_jobs=0, store=store)
    assert len(calls) == 32 * 5
    again = sg.sobol_indices(counted, n=32, n_jobs=0, store=store)
    assert len(calls) == 32 * 5
    pd.testing.assert_frame_equal(first, again)
    stored = sg.RunStore(store)
    assert len(stored.runs()) == 32 * 5
    # The same from the store alone.
    np.testing.assert_array_equal(sg.sobol_indices(stored, n=32), first)
    assert len(calls) == 32 * 5


@pytest.mark.parametrize("method", sorted(MEASURES))
def test_same_seed_same_result_and_nothing_global_is_touched(method):
    np.random.seed(1)  # noqa: NPY002 - the global generator is what must not be touched
    before, shown, filters = np.random.get_state()[1].copy(), warnings.formatwarning, list(warnings.filters)  # noqa: NPY002
    options = {"n": 70} if method == "fast" else {"n": 32}
    first = MEASURES[method](angles, rng=0, n_jobs=0, outputs="line", **options)
    np.random.seed(2)  # noqa: NPY002
    pd.testing.assert_frame_equal(first, MEASURES[method](angles, rng=0, n_jobs=0, outputs="line", **options))
    np.random.seed(1)  # noqa: NPY002
    MEASURES[method](angles, rng=0, n_jobs=0, outputs="line", **options)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert warnings.formatwarning is shown
    assert warnings.filters == filters


@sg.simulator(space=sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1)), outputs=["y"])
def noisy(a, b, seed):
    """A line and noise."""
    return {"y": a + 0.5 * np.random.default_rng(seed).random()}


@pytest.mark.parametrize("method", sorted(set(MEASURES) - {"delta"}))
def test_same_seed_same_result_of_a_stochastic_simulator(method, tmp_path):
    options = {"n": 70 if method == "fast" else 32, "n_jobs": 0}
    for make in (lambda: 3, lambda: np.random.default_rng(3)):
        first = MEASURES[method](noisy, rng=make(), **options)
        pd.testing.assert_frame_equal(MEASURES[method](noisy, rng=make(), **options), first)
    # A store goes on with the seed that it began with.
    store = tmp_path / "runs.db"
    begun = sg.run(noisy, [{"a": 0.5, "b": 0.5}], rng=9, store=store, n_jobs=0)
    MEASURES[method](noisy, rng=3, store=store, **options)
    pd.testing.assert_frame_equal(sg.RunStore(store).runs().scalars.iloc[:1], begun.scalars)


@pytest.mark.parametrize("method", ["sobol", "morris", "fast", "pawn", "shapley"])
def test_inputs_of_every_type(method):
    space = sg.Space(
        g=sg.Real.distributed(scipy.stats.norm(0, 1)),
        rate=sg.Real(0.01, 1, log=True),
        n=sg.Integer(1, 4),
        kind=sg.Categorical(["a", "b", "c"]),
    )

    @sg.simulator(space=space, outputs=["y"])
    def mixed(g, rate, n, kind):
        assert abs(g) < 9
        return {"y": g + 10 * (kind == "b") + 0.01 * n + 0 * rate}

    found = MEASURES[method](mixed, n=100 if method in ("fast", "pawn") else 64, n_jobs=0)
    # Two of three categories have the same outputs: by PAWN's median they are a third away from all, "b" two thirds.
    column = found[{"morris": "mu_star", "pawn": "maximum"}.get(method, found.columns[0])]
    assert column.idxmax() == "kind"
    assert column.idxmin() in ("rate", "n")


def test_morris_of_a_line_is_exact():
    found = sg.morris(angles, n=6, n_jobs=0, outputs="line")
    np.testing.assert_allclose(found["mu"], np.array([3, 4, 0]) * 2 * np.pi)
    np.testing.assert_allclose(found["sigma"], 0, atol=1e-9)
    grouped = sg.morris(angles, n=6, n_jobs=0, outputs="line", groups={"g": ["x1", "x3"]})
    assert grouped.index.tolist() == ["g", "x2"]


def test_fast_of_ishigami():
    found = sg.fast(angles, n=1025, n_jobs=0, outputs="y")
    # FAST takes a little too much for first order, wherever harmonics of the inputs meet.
    np.testing.assert_allclose(found["first"], FIRST, atol=0.03)
    np.testing.assert_allclose(found["total"], TOTAL, atol=0.06)


def test_dgsm_of_a_line_and_its_bound():
    found = sg.dgsm(angles, n=64, n_jobs=0, outputs="line")
    np.testing.assert_allclose(found["derivative"], (np.array([3, 4, 0]) * 2 * np.pi) ** 2, rtol=1e-6)
    # Total indices are 9/25 and 16/25; for a line the bound is 12 / pi^2 times as much.
    np.testing.assert_allclose(found["bound"], np.array([9, 16, 0]) / 25 * 12 / np.pi**2, rtol=0.05)
    bound = sg.dgsm(angles, n=512, n_jobs=0, outputs="y")["bound"]
    assert (bound >= TOTAL).all()
    with pytest.raises(ValueError, match="'n' is not a real number"):
        sg.dgsm(Exact(lambda u: u[:, 0], d=1), sg.Space(n=sg.Integer(1, 3)), n=8)


def test_given_runs(tmp_path):
    store = tmp_path / "given.db"
    runs = sg.run(angles, sg.latin_hypercube(ANGLES, 256, rng=0), store=store, n_jobs=0)
    for source in (runs, sg.RunStore(store)):
        found = sg.delta(source, outputs="y")
        np.testing.assert_allclose(found["first"], FIRST, atol=0.06)
    assert (found["delta"] > 0.05).all()
    assert found.attrs["estimates"] == {"y": "densities"}
    distances = sg.pawn(runs, outputs=["y", "line"])
    assert distances.loc[("line", "x3"), "median"] < distances.loc[("line", "x3"), "chance"] * 1.3
    assert distances.loc[("line", "x2"), "median"] > 2 * distances.loc[("line", "x2"), "chance"]
    for refused in (sg.sobol_indices, sg.morris, sg.fast, sg.dgsm, sg.shapley_effects):
        with pytest.raises(TypeError, match="of its own"):
            refused(runs)
    with pytest.raises(sg.TooManyFailuresError, match="at least 30"):
        sg.pawn(sg.run(angles, sg.sobol(ANGLES, 8, rng=0), n_jobs=0))


def test_levels_of_given_runs_are_not_mixed(tmp_path):
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))

    @sg.simulator(space=space, outputs=["y"], levels={0: 10, 1: 1})
    def leveled(a, b, level):
        return {"y": 10 * b if level else a}

    store = tmp_path / "levels.db"
    points = sg.sobol(space, 64, rng=0)
    true = sg.run(leveled, points, store=store, n_jobs=0)
    sg.run(leveled, points, level=1, store=store, n_jobs=0)
    for measure in (sg.delta, sg.pawn):
        for source in (sg.RunStore(store), sg.RunStore(store).runs()):
            found = measure(source)
            pd.testing.assert_frame_equal(found, measure(true))
            assert found.attrs["note"].startswith("64 runs at other levels than 0")
        # Who asks about another level gets it.
        assert measure(source.at_level(1)).iloc[:, 0].idxmax() == "b"
    # The same points at both levels.
    sg.sobol_indices(leveled, n=16, store=store, n_jobs=0, level=1)
    expected = sg.sobol_indices(leveled, n=16, store=store, n_jobs=0)
    np.testing.assert_array_equal(sg.sobol_indices(sg.RunStore(store), n=16), expected)


@pytest.mark.parametrize(
    ("function", "truth"),
    [
        # An input that decides between two outputs of probability p: 2 p (1 - p).
        (lambda a, b: a > 0.5, [0.5, 0, 0]),
        (lambda a, b: a > 0.3, [0.42, 0, 0]),
        # From the frequencies of four million runs.
        (lambda a, b: np.maximum(0, a - 0.5) * (1 + 0.3 * b), [0.71, 0.04, 0]),
        (lambda a, b: np.floor(6 * a + b), [0.72, 0.05, 0]),
    ],
)
def test_delta_of_outputs_that_repeat_values(function, truth):
    found = sg.delta(Exact(lambda u: function(u[:, 0], u[:, 1]).astype(float)))
    # Slices of a tenth blur what happens within them.
    np.testing.assert_allclose(found["delta"], truth, atol=0.08)
    assert found.attrs["estimates"] == {"output": "frequencies"}


def test_delta_of_frequencies_is_not_made_by_chance():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))

    @sg.simulator(space=space, outputs=["y"], batch=500)
    def clipped(a, b):
        return {"y": np.maximum(a - 0.5, 0)}

    found = [sg.delta(sg.run(clipped, np.random.default_rng(k).random((500, 2)), n_jobs=0)) for k in range(10)]
    # As mere distances of the frequencies those of an input without influence would be 0.11 on average.
    assert np.mean([one.loc["b", "delta"] for one in found]) < 0.09


def test_first_order_from_given_data_covers_the_truth():
    hits = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        u = rng.random((300, 3))
        y = ishigami(-np.pi + 2 * np.pi * u)
        for k in range(3):
            _, low, high = _first_order(u[:, k], y, 1.96, rng)
            hits.append(low <= FIRST[k] <= high)
    # 120 intervals at 95%: fewer than 106 hits would have a chance of one in a thousand.
    assert sum(hits) >= 106


def test_shapley_effects_of_independent_inputs_lie_between_first_and_total():
    found = sg.shapley_effects(Exact(ishigami), ANGLES, coordinates="own", n=1024)
    # Without correlation each shares its interactions equally: first + half of the pair.
    np.testing.assert_allclose(found["shapley"], (FIRST + TOTAL) / 2, atol=0.02)
    assert found["shapley"].sum() == pytest.approx(1)


@pytest.mark.parametrize("r", [-0.6, 0.0, 0.8])
def test_shapley_effects_of_correlated_normal_inputs(r):
    # Y = b1 X1 + b2 X2, normal with correlation r. Owen and Prieur (2017), "On Shapley value for measuring importance
    # of dependent inputs", SIAM/ASA JUQ 5, sec. 3: b1^2 (1 - r^2/2) + r b1 b2 s + b2^2 s^2 r^2 / 2, over the variance.
    space = sg.Space(a=sg.Real.distributed(scipy.stats.norm(0, 1)), b=sg.Real.distributed(scipy.stats.norm(0, 2)))
    emulator = Exact(lambda x: 1.5 * x[:, 0] + x[:, 1], d=2)
    variance = 2.25 + 4 + 2 * r * 1.5 * 2
    expected = (2.25 * (1 - r**2 / 2) + r * 1.5 * 2 + 4 * r**2 / 2) / variance
    found = sg.shapley_effects(emulator, space, n=1024, correlation={("a", "b"): r}, coordinates="own")
    assert found.loc["a", "shapley"] == pytest.approx(expected, abs=0.02)
    assert found.loc["a", "shapley_low"] <= expected <= found.loc["a", "shapley_high"]


def test_shapley_effects_of_many_inputs_by_random_orders():
    weights = np.array([3.0, 2.0, 1.0] + [0.0] * 9)
    found = sg.shapley_effects(Exact(lambda u: u @ weights, d=12), n=64)
    np.testing.assert_allclose(found["shapley"], weights**2 / (weights**2).sum(), atol=0.06)
    assert found["shapley"].sum() == pytest.approx(1)


def test_intervals_of_shapley_effects_hold_the_chance_of_the_orders():
    # Whichever of the two comes second in an order gets all of that order.
    product = Exact(lambda u: (u[:, 0] - 0.5) * (u[:, 1] - 0.5), d=11)
    found = [sg.shapley_effects(product, n=64, rng=seed).loc["x0"] for seed in range(4)]
    assert sum(one["shapley_low"] <= 0.5 <= one["shapley_high"] for one in found) >= 3
    # An order with its reverse is fair to both, so that few of them are enough.
    assert np.mean([abs(one["shapley"] - 0.5) for one in found]) < 0.03


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda: sg.sobol_indices(3), TypeError, "a simulator, a fitted emulator"),
        (lambda: sg.sobol_indices(angles, outputs="lime"), ValueError, "did you mean 'line'"),
        (lambda: sg.sobol_indices(angles, sg.Space(x=sg.Real(0, 1))), ValueError, "brings its own space"),
        (lambda: sg.sobol_indices(Exact(ishigami), n_jobs=2), TypeError, "need no run"),
        (lambda: sg.sobol_indices(angles, n=0), ValueError, "n must be at least 1"),
        (lambda: sg.sobol_indices(angles, failures="ignore"), ValueError, "failures must be one of"),
        (lambda: sg.sobol_indices(angles, confidence=95), ValueError, "between 0 and 1"),
        (lambda: sg.sobol_indices(Exact(ishigami), sg.Space(x=sg.Real(0, 1))), ValueError, "has 3 inputs"),
        (lambda: sg.fast(angles, n=64), ValueError, "more than 64"),
        (lambda: sg.morris(angles, n=1), ValueError, "at least 2 trajectories"),
        (lambda: sg.second_order(sg.sobol_indices(Exact(ishigami), n=8)), ValueError, "second_order=True"),
    ],
)
def test_mistakes_are_told(call, error, told):
    with pytest.raises(error, match=told):
        call()


def test_the_highest_value_of_a_discrete_input_has_a_slice():
    space = sg.Space(kind=sg.Categorical(["a", "b", "c"]), x=sg.Real(0, 1))

    @sg.simulator(space=space, outputs=["y"])
    def last(kind, x):
        return {"y": float(kind == "c")}

    # Of y = 0 two thirds in all, none among the runs of the last value, all among those of the others.
    found = sg.pawn(last, n=192, n_jobs=0)
    np.testing.assert_allclose(found.loc["kind", ["minimum", "median", "maximum"]], [1 / 3, 1 / 3, 2 / 3], atol=0.01)
