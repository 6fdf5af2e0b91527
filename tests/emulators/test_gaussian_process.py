"""The Gaussian process: against formulas and brute force, and where data are awkward."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.utils.estimator_checks import parametrize_with_checks

import surrogate as sg
import surrogate.emulators.gp.gaussian_process as module
from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.likelihood import MAX_NUGGET
from surrogate.emulators.slices import Formula


@parametrize_with_checks([sg.GaussianProcess()])
def test_is_a_regressor(estimator, check):
    check(estimator)


def smooth(x):
    return np.sin(5 * x[:, 0]) + x[:, 1] ** 2


def data(n=30, d=3, seed=0):
    x = np.random.default_rng(seed).random((n, d))
    return x, smooth(x)


PLAIN = {
    "kernel": "matern52",
    "trend": "constant",
    "anova": False,
    "warp": None,
    "hyper_uncertainty": False,
    "calibrate": False,
}


def product_matern52(a, b, scales):
    # Rasmussen and Williams (2006), eq. 4.17, one input at a time.
    r = np.sqrt(5) * np.abs(a[:, None, :] - b[None, :, :]) / scales
    return ((1 + r + r**2 / 3) * np.exp(-r)).prod(axis=2)


def test_prediction_is_universal_kriging_written_out():
    # Sacks et al. (1989), eqs. 7-9, with plain inverses.
    x, y = data(n=15)
    gp = sg.GaussianProcess(nugget=1e-8, **PLAIN).fit(x, y)
    new = np.random.default_rng(1).random((5, 3))
    inverse = np.linalg.inv(product_matern52(x, x, gp.length_scales_) + gp.nugget_ * np.eye(15))
    cross = product_matern52(new, x, gp.length_scales_)
    ones = np.ones(15)
    information = ones @ inverse @ ones
    mean = (ones @ inverse @ y) / information
    residual = y - mean
    variance = residual @ inverse @ residual / 14
    expected = mean + cross @ inverse @ residual
    trend = (1 - cross @ inverse @ ones) ** 2 / information
    spread = variance * (1 - np.einsum("ij,jk,ik->i", cross, inverse, cross) + trend)
    predicted, std = gp.predict(new, return_std=True)
    assert_allclose(predicted, expected, rtol=1e-5)
    # Of Student's t with 14 degrees of freedom.
    assert_allclose(std, np.sqrt(spread * 14 / 12), rtol=1e-3)
    assert_allclose(gp.variance_, variance, rtol=1e-5)


def test_interpolates_and_is_sure_of_it():
    x, y = data(n=40)
    mean, std = sg.GaussianProcess().fit(x, y).predict(x, return_std=True)
    assert_allclose(mean, y, atol=1e-5)
    assert (std < 1e-3).all()


def test_accuracy_and_calibration_on_new_points():
    x, y = data(n=60)
    gp = sg.GaussianProcess().fit(x, y)
    new = np.random.default_rng(9).random((2000, 3))
    mean, std = gp.predict(new, return_std=True)
    found = sg.diagnose(smooth(new), mean, std)
    assert found.q2 > 0.999
    assert found.interval_coverage > 0.9
    # The standard deviation grows with the error, it is no constant.
    error = np.abs(smooth(new) - mean)
    assert error[std > np.median(std)].mean() > 1.5 * error[std <= np.median(std)].mean()


def test_an_input_without_effect_gets_the_longest_scale():
    x, y = data(n=60)
    assert np.argmax(sg.GaussianProcess().fit(x, y).length_scales_) == 2


@pytest.mark.parametrize("scale", [1e-300, 1e-12, 1e12, 1e300])
def test_units_do_not_matter(scale):
    x, y = data()
    base, base_std = sg.GaussianProcess().fit(x, y).predict(x[:4] * 0.9, return_std=True)
    mean, std = sg.GaussianProcess().fit(x * 1e6, scale * y).predict(x[:4] * 0.9e6, return_std=True)
    assert_allclose(mean / scale, base, rtol=1e-4, atol=1e-7)
    assert_allclose(std / scale, base_std, rtol=1e-2, atol=1e-7)


def test_awkward_data_are_fitted_without_a_warning():
    rng = np.random.default_rng(0)
    x = rng.random((20, 2))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        doubled = sg.GaussianProcess().fit(np.vstack([x, x]), np.tile(x[:, 0], 2))
        assert_allclose(doubled.predict(x), x[:, 0], atol=1e-3)
        near = sg.GaussianProcess().fit(np.vstack([x, x + 1e-12]), np.tile(x[:, 0], 2))
        assert_allclose(near.predict(x), x[:, 0], atol=1e-3)
        constant_column = sg.GaussianProcess().fit(np.column_stack([x[:, 0], np.full(20, 3.0)]), x[:, 0])
        assert_allclose(constant_column.predict([[0.5, 3.0]]), 0.5, atol=1e-2)
        constant, std = sg.GaussianProcess().fit(x, np.full(20, 7.0)).predict([[0.5, 0.5]], return_std=True)
        assert_allclose(constant, 7.0)
        assert std[0] < 1e-6
        two = sg.GaussianProcess().fit([[0.0], [1.0]], [0.0, 1.0])
        assert_allclose(two.predict([[0.0], [1.0]]), [0.0, 1.0], atol=1e-4)


def test_contradicting_duplicates_are_noise_and_meet_in_the_middle():
    x = np.repeat(np.linspace(0, 1, 6), 2)[:, None]
    y = np.tile([0.0, 1.0], 6)
    gp = sg.GaussianProcess().fit(x, y)
    assert gp.nugget_ <= MAX_NUGGET
    assert 0.3 < gp.noise_std_ < 0.8
    assert_allclose(gp.predict([[0.2]]), 0.5, atol=0.01)


def test_leave_one_out_is_refitting_without_each_point():
    x, y = data(n=14)
    gp = sg.GaussianProcess(nugget=1e-6, warp=None).fit(x, y)
    mean, std = gp.leave_one_out()
    posterior, scale = gp._posterior, gp._outputs.unit * gp._outputs.scale
    for i in (0, 5, 13):
        rest = np.arange(14) != i
        rows = np.flatnonzero(rest)
        without = ExactPosterior.of(posterior.problem.rows(rows), posterior.theta)
        at = posterior.problem.z[[i]]
        expected, variance = without.predict(at, gp._trend.basis(at), with_variance=True)
        assert_allclose(mean[i], gp._outputs.moments(expected, variance)[0][0], rtol=1e-4, atol=1e-5)
        # The closed form keeps the process variance of all points, and has their nugget at the point itself.
        relative = variance[0] / without.variance + gp.nugget_
        assert_allclose(std[i], gp.inflation_ * scale * np.sqrt(posterior.variance * relative), rtol=1e-3)


def test_of_a_repeated_point_all_copies_are_left_out():
    x, y = data(n=20)
    once, twice = sg.GaussianProcess().fit(x, y), sg.GaussianProcess().fit(np.vstack([x, x]), np.tile(y, 2))
    assert_allclose(twice.leave_one_out()[0], np.tile(once.leave_one_out()[0], 2))
    assert_allclose(twice.predict(x * 0.9), once.predict(x * 0.9))


@pytest.mark.parametrize(
    "options",
    [
        {"warp": None},
        {"warp": None, "trend": "quadratic", "hyper_uncertainty": False},
        {"warp": "log", "kernel": "matern52"},
        {"warp": "sqrt", "kernel": "matern32"},
        {"noise": "estimate", "kernel": "rational_quadratic"},
        {"approximation": "vecchia", "warp": None},
    ],
)
def test_gradients_are_differences(options):
    x, y = data(n=40)
    # A nugget that leaves enough digits to difference.
    gp = sg.GaussianProcess(**({"kernel": "matern52", "nugget": 1e-8} | options)).fit(10 * x, np.exp(y))
    new, step = 10 * np.random.default_rng(3).random((6, 3)), 1e-3
    found = gp.gradient(new)
    for j in range(3):
        ends = [gp.predict(new + sign * step * np.eye(3)[j], return_std=True) for sign in (1, -1)]
        for k in (0, 1):
            numeric = (ends[0][k] - ends[1][k]) / (2 * step)
            assert_allclose(found[k][:, j], numeric, rtol=0.01, atol=2e-3 * np.abs(found[k]).max())


@pytest.mark.parametrize("approximation", ["exact", "vecchia"])
@pytest.mark.parametrize("warp", [None, "log"])
def test_draws_have_the_posteriors_moments_and_go_through_the_runs(approximation, warp):
    x, y = data(n=25)
    gp = sg.GaussianProcess(approximation=approximation, warp=warp, kernel="matern52").fit(x, np.exp(y))
    new = np.random.default_rng(3).random((30, 3))
    mean, std = gp.predict(new, return_std=True)
    draws = gp.draws(np.vstack([new, x[:3]]), 4000, rng=0)
    assert draws.shape == (4000, 33)
    # The neighbours' posterior conditions later points on earlier ones: no more than nearly the same.
    slack = 1 if approximation == "exact" else 3
    assert (np.abs(draws[:, :30].mean(axis=0) - mean) < slack * 5 * std / np.sqrt(4000) + 1e-6).all()
    assert_allclose(draws[:, :30].std(axis=0), std, rtol=0.1 * slack)
    assert_allclose(draws[:, 30:], np.exp(y[:3]) * np.ones((4000, 1)), rtol=5e-3)
    assert_allclose(gp.draws(new, 3, rng=1), gp.draws(new, 3, rng=np.random.default_rng(1)))


def test_draws_are_joint():
    x, y = data(n=25)
    gp = sg.GaussianProcess(kernel="matern52", warp=None).fit(x, y)
    close = np.array([[0.5, 0.5, 0.5], [0.5, 0.501, 0.5], [0.01, 0.99, 0.01]])
    correlation = np.corrcoef(gp.draws(close, 5000, rng=0).T)
    assert correlation[0, 1] > 0.999
    assert abs(correlation[0, 2]) < 0.9


@pytest.mark.parametrize("options", [{}, {"noise": "estimate"}, {"hyper_uncertainty": False, "kernel": "matern52"}])
def test_update_is_factorising_anew_at_the_same_hyper_parameters(options):
    x, y = data(n=40)
    gp = sg.GaussianProcess(**({"nugget": 1e-8} | options)).fit(x[:30], y[:30])
    assert gp.update(x[30:36], y[30:36]) is gp
    gp.update(x[36:], y[36:])
    posterior = gp._posterior
    anew = ExactPosterior.of(posterior.problem, posterior.theta, posterior.theta_covariance)
    assert len(posterior.problem.y) == 40
    z = np.random.default_rng(1).random((20, 3))
    ours = posterior.predict(z, gp._trend.basis(z), with_variance=True)
    theirs = anew.predict(z, gp._trend.basis(z), with_variance=True)
    assert_allclose(ours[0], theirs[0], atol=1e-6)
    assert_allclose(ours[1], theirs[1], rtol=1e-3)
    assert_allclose(posterior.variance, anew.variance, rtol=1e-5)
    if not options.get("noise"):
        assert_allclose(gp.predict(x), y, atol=1e-3)
        assert len(gp.leave_one_out()[0]) == 40


def test_update_tells_which_output_the_warp_does_not_take():
    x = np.linspace(0, 1, 10)[:, None]
    for warp, y, told in (("log", 0.0, "must be positive.*logarithm"), ("sqrt", -1.0, "not negative.*square root")):
        gp = sg.GaussianProcess(warp=warp).fit(x, np.exp(3 * x[:, 0]))
        with pytest.raises(ValueError, match=f"{told}.*got {y} in row 1; fit anew"):
            gp.update([[0.05], [0.15]], [1.2, y])


def test_update_widens_the_range_of_the_inputs():
    x = np.linspace(0, 1, 10)[:, None]
    gp = sg.GaussianProcess(n_starts=1).fit(x, np.sin(x[:, 0])).update([[-2.0]], [np.sin(-2.0)])
    assert gp.input_range_.tolist() == [[-2.0], [1.0]]


def test_update_knows_repeated_points():
    x, y = data(n=30)
    gp = sg.GaussianProcess().fit(x, y)
    before = gp.predict(x * 0.9)
    assert_allclose(gp.update(x[:4], y[:4]).predict(x * 0.9), before)
    assert_allclose(gp.leave_one_out()[0][30:], gp.leave_one_out()[0][:4])
    with pytest.raises(ValueError, match="row 1 repeats a point with another output"):
        gp.update(x[:2], [y[0], y[1] + 0.5])
    with pytest.raises(ValueError, match="noise_std must be given where the fit had it"):
        gp.update(x[:2], y[:2], noise_std=[0.1, 0.1])


@pytest.mark.parametrize("warp", [None, "log", "sqrt"])
def test_probabilities_are_shares_of_draws(warp):
    x, y = data(n=20)
    gp = sg.GaussianProcess(warp=warp).fit(x, np.exp(y))
    new = np.random.default_rng(3).random((8, 3))
    draws = gp.draws(new, 20_000, rng=0)
    below = float(np.median(np.exp(y)))
    assert_allclose(gp.probability(new, below=below), (draws < below).mean(axis=0), atol=0.015)
    assert_allclose(gp.probability(new, above=below), 1 - gp.probability(new, below=below), atol=1e-12)
    both = gp.probability(new, above=1.0, below=below)
    assert_allclose(both, ((draws > 1.0) & (draws < below)).mean(axis=0), atol=0.015)
    flat = sg.GaussianProcess().fit(x, np.full(20, 2.0))
    assert_allclose([flat.probability(new, below=3.0).min(), flat.probability(new, above=3.0).max()], [1, 0])
    with pytest.raises(ValueError, match="give below, above"):
        gp.probability(new)


@settings(max_examples=10, deadline=None)
@given(st.floats(-1e3, 1e3), st.floats(1e-3, 1e3), st.integers(0, 10))
def test_units_and_offsets_of_the_output_and_the_order_of_rows_do_not_matter(shift, scale, seed):
    x, y = data(n=25)
    new = np.random.default_rng(2).random((10, 3))
    mean, std = sg.GaussianProcess(warp=None).fit(x, y).predict(new, return_std=True)
    order = np.random.default_rng(seed).permutation(25)
    gp = sg.GaussianProcess(warp=None).fit(3 * x[order] - 7, (shift + scale * y)[order])
    other, other_std = gp.predict(3 * new - 7, return_std=True)
    # As far as the climb's tolerance lets the hyper-parameters differ.
    assert_allclose((other - shift) / scale, mean, atol=2e-3)
    assert_allclose(other_std / scale, std, rtol=0.1, atol=1e-5)


def test_noise_is_found_and_smoothed():
    rng = np.random.default_rng(0)
    x = rng.random((150, 2))
    truth = np.sin(5 * x[:, 0]) + x[:, 1]
    gp = sg.GaussianProcess(noise="estimate").fit(x, truth + rng.normal(0, 0.2, 150))
    assert_allclose(gp.noise_std_, 0.2, rtol=0.2)
    mean, std = gp.predict(x, return_std=True)
    assert np.sqrt(np.mean((mean - truth) ** 2)) < 0.08
    # Of the function without noise, while leaving one out predicts the noisy output.
    assert np.mean(np.abs(mean - truth) < 1.96 * std) > 0.85
    assert (gp.leave_one_out()[1] > 0.15).all()


def test_known_noise_weighs_each_point():
    x = np.linspace(0, 1, 12)[:, None]
    y, noise = np.sin(4 * x[:, 0]), np.full(12, 1e-3)
    y[6], noise[6] = 5.0, 10.0  # an outlier that says so itself
    gp = sg.GaussianProcess().fit(x, y, noise_std=noise)
    assert_allclose(gp.predict(x[[6]]), np.sin(4 * x[6]), atol=0.02)
    assert_allclose(gp.noise_std_, noise)
    assert gp.predict(x[[3]], return_std=True)[1][0] < 3e-3
    same = sg.GaussianProcess(noise=1e-3).fit(x, np.sin(4 * x[:, 0]))
    assert_allclose(same.predict(x), np.sin(4 * x[:, 0]), atol=5e-3)
    with pytest.raises(ValueError, match=r"noise_std must have shape \(12,\)"):
        sg.GaussianProcess().fit(x, y, noise_std=noise[1:])
    with pytest.raises(ValueError, match="noise_std must be finite and not negative"):
        sg.GaussianProcess().fit(x, y, noise_std=-noise)
    with pytest.raises(ValueError, match="cannot be used with known noise"):
        sg.GaussianProcess(warp="log").fit(x, np.abs(y) + 1, noise_std=noise)


def test_replicates_average_out():
    rng = np.random.default_rng(0)
    x = np.repeat(np.linspace(0, 1, 10), 20)[:, None]
    y = np.sin(4 * x[:, 0]) + rng.normal(0, 0.5, 200)
    gp = sg.GaussianProcess(noise="estimate").fit(x, y)
    assert_allclose(gp.noise_std_, 0.5, rtol=0.15)
    assert_allclose(gp.predict(x[::20]), np.sin(4 * x[::20, 0]), atol=0.3)


def test_warps_are_taken_where_they_help_and_only_there():
    rng = np.random.default_rng(0)
    x = rng.random((60, 3))
    # Ten to the power of a smooth function is a hundred times as steep at one end as at the other.
    y = 10 ** (2 * smooth(x))
    gp = sg.GaussianProcess().fit(x, y)
    assert gp.warp_ == "log"
    new = rng.random((500, 3))
    plain = sg.GaussianProcess(warp=None).fit(x, y)
    truth = 10 ** (2 * smooth(new))
    assert np.abs(gp.predict(new) - truth).mean() < 0.2 * np.abs(plain.predict(new) - truth).mean()
    assert sg.GaussianProcess().fit(x, smooth(x) + 5).warp_ is None
    with pytest.raises(ValueError, match="needs positive outputs"):
        sg.GaussianProcess(warp="log").fit(x, y - y.mean())


def test_moments_of_warped_outputs_are_those_of_the_distribution():
    x, y = data(n=20)
    for warp in ("log", "sqrt"):
        gp = sg.GaussianProcess(warp=warp).fit(x, np.exp(y))
        scaled, variance = np.array([0.3]), np.array([0.04])
        t = scipy.stats.norm(0.3, 0.2).ppf((np.arange(100_000) + 0.5) / 100_000)
        sample = gp._outputs.backward(t)
        mean, std = gp._outputs.moments(scaled, variance)
        assert_allclose([mean[0], std[0]], [sample.mean(), sample.std()], rtol=1e-3)


def mixed_space():
    return sg.Space(
        a=sg.Real(0, 2),
        rate=sg.Real(1e-3, 1, log=True),
        kind=sg.Categorical(["u", "v", "w"]),
        level=sg.Ordinal([1, 2, 5]),
        flag=sg.Categorical([True, False]),
    )


def mixed_output(frame):
    kind = frame["kind"].map({"u": 0.0, "v": 0.2, "w": 3.0}).astype(float)
    return np.sin(3 * frame["a"]) + np.log(frame["rate"]) + kind + frame["level"] * (1 + frame["flag"].astype(float))


def test_mixed_inputs():
    space = mixed_space()
    inputs, new = sg.latin_hypercube(space, 80, rng=0), sg.latin_hypercube(space, 200, rng=1)
    gp = sg.GaussianProcess().fit(inputs, mixed_output(inputs), space=space)
    found = sg.diagnose(mixed_output(new), *gp.predict(new, return_std=True))
    assert found.q2 > 0.99
    assert found.interval_coverage > 0.85
    assert gp.length_scales_.shape == (5,)
    assert list(gp.feature_names_in_) == list(space.names)
    # The order of columns is the space's, whatever that of the DataFrame.
    assert_allclose(gp.predict(new[list(space.names)[::-1]]), gp.predict(new))
    with pytest.raises(sg.InvalidInputError, match="'x' is not allowed"):
        gp.predict(new.assign(kind="x"))
    mean, std = gp.gradient(new)
    assert np.isnan(mean[:, 2:]).all()
    assert np.isnan(std[:, 2:]).all()
    assert_allclose(mean[:, 0], 3 * np.cos(3 * new["a"]), atol=0.5)
    # In the rate's own unit, not in its logarithm's.
    assert_allclose(mean[:, 1] * new["rate"], 1.0, atol=0.3)


def test_gradients_undo_integers_and_distributions():
    space = sg.Space(n=sg.Integer(1, 50), gust=sg.Real.distributed(scipy.stats.norm(0, 2)))
    inputs = sg.latin_hypercube(space, 60, rng=0)
    gp = sg.GaussianProcess().fit(inputs, 0.1 * inputs["n"] + inputs["gust"] / 2, space=space)
    new = pd.DataFrame({"n": [10, 30], "gust": [0.5, -1.0]})
    assert_allclose(gp.gradient(new)[0], [[0.1, 0.5], [0.1, 0.5]], rtol=0.05)


def test_neighbours_agree_with_the_whole_where_they_are_all():
    x, y = data(n=90)
    whole = sg.GaussianProcess(kernel="matern52", trend="constant", hyper_uncertainty=False).fit(x, y)
    near = sg.GaussianProcess(kernel="matern52", trend="constant", approximation="vecchia").fit(x, y)
    new = np.random.default_rng(2).random((50, 3))
    for ours, theirs in zip(near.predict(new, return_std=True), whole.predict(new, return_std=True)):
        # The trend counts as known.
        assert_allclose(ours, theirs, rtol=0.05, atol=1e-5)
    assert_allclose(near.leave_one_out()[0], whole.leave_one_out()[0], atol=1e-3)
    added = near.update(new[:5], smooth(new[:5])).predict(new, return_std=True)
    assert_allclose(added[0][:5], smooth(new[:5]), atol=1e-5)


def test_many_runs_are_predicted_from_their_neighbours_and_that_is_told(caplog, monkeypatch):
    monkeypatch.setattr(module, "EXACT_ROWS", 400)
    x = np.random.default_rng(0).random((800, 4))
    truth = np.sin(6 * x[:, 0] * x[:, 1]) + x[:, 2] ** 2
    with caplog.at_level(logging.INFO, logger="surrogate"):
        gp = sg.GaussianProcess().fit(x[:600], truth[:600])
    assert gp.approximation_ == "vecchia"
    assert "600 runs: each prediction from the nearest runs" in caplog.text
    found = sg.diagnose(truth[600:], *gp.predict(x[600:], return_std=True))
    assert found.q2 > 0.999
    assert found.interval_coverage > 0.88


def test_predictions_do_not_depend_on_how_they_are_chunked(monkeypatch):
    x, y = data(n=30)
    gp = sg.GaussianProcess().fit(x, y)
    new = np.random.default_rng(2).random((50, 3))
    whole = gp.predict(new, return_std=True)
    monkeypatch.setattr(module, "CHUNK_ROWS", 7)
    for ours, theirs in zip(gp.predict(new, return_std=True), whole):
        assert_allclose(ours, theirs, rtol=2e-3)


def awkward():
    rng = np.random.default_rng(0)
    x = rng.random((40, 3))
    y = smooth(x)
    cluster = np.vstack([x[:20], 0.5 + 1e-7 * rng.random((20, 3))])
    yield "duplicates", np.vstack([x, x]), np.tile(y, 2)
    yield "near duplicates", np.vstack([x, x + 1e-13]), np.tile(y, 2)
    yield "a cluster", cluster, smooth(cluster)
    yield "a constant column", np.column_stack([x, np.full(40, 1e9)]), y
    yield "all columns constant but one", np.column_stack([x[:, 0], np.ones((40, 5))]), np.sin(5 * x[:, 0])
    yield "constant outputs", x, np.full(40, 7.0)
    yield "nearly constant outputs", x, 1e9 + 1e-6 * y
    yield "two runs", x[:2], y[:2]
    yield "three runs", x[:3], y[:3]
    yield "more columns than runs", rng.random((5, 30)), rng.random(5)
    yield "tiny outputs", x, 1e-300 * y
    yield "huge outputs", x, 1e300 * y
    yield "positive tiny outputs", x, 1e-300 * (y + 3)
    yield "tiny and huge inputs", x * [1e-200, 1.0, 1e200], y
    yield "an outlier", x, np.where(np.arange(40) == 7, 1e6, y)
    yield "a jump", x, np.where(x[:, 0] > 0.5, 100.0, 0.0) + y
    yield "zeros and ones", x, (x[:, 0] > 0.5).astype(float)
    yield "noise", x, rng.normal(size=40)
    yield "a lattice", np.array(np.meshgrid([0, 1], [0, 1], [0, 1, 2])).reshape(3, -1).T.astype(float), np.arange(12.0)
    yield "a line in space", np.outer(np.linspace(0, 1, 30), [1, 2, 3]), np.linspace(0, 1, 30) ** 2
    yield "outputs over twenty decades", x, 10.0 ** (20 * x[:, 0] - 10)
    yield "integers", np.arange(20)[:, None], np.arange(20) % 3


@pytest.mark.parametrize("options", [{}, {"noise": "estimate"}, {"approximation": "vecchia"}], ids=str)
@pytest.mark.parametrize(("x", "y"), [pytest.param(x, y, id=name) for name, x, y in awkward()])
def test_awkward_data_give_finite_silent_predictions(x, y, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gp = sg.GaussianProcess(**options).fit(x, y)
        mean, std = gp.predict(x, return_std=True)
        new = gp.predict(x[:1] + 0.3 * (x[-1:] - x[:1]), return_std=True)
        gp.leave_one_out()
    assert np.isfinite(mean).all()
    assert np.isfinite(std).all()
    assert (std >= 0).all()
    assert np.isfinite(new).all()
    span = np.ptp(np.asarray(y, dtype=float) / np.abs(y).max())
    assert (np.abs((mean - y) / np.abs(y).max()) <= (1.0 if options.get("noise") else 0.02) * span + 1e-9).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel": "matern"}, "kernel must be 'auto' or one of"),
        ({"trend": "cubic"}, "trend must be"),
        ({"warp": "exp"}, "warp must be"),
        ({"noise": -1.0}, "noise must be None, 'estimate' or a standard deviation"),
        ({"approximation": "sparse"}, "approximation must be"),
        ({"nugget": -1.0}, "nugget must not be negative"),
        ({"n_starts": 0}, "n_starts must be at least 1"),
        ({"trend": "quadratic"}, "has 10 terms and needs more points than that, got 8"),
    ],
)
def test_options_that_are_not_allowed_are_named(options, message):
    x, y = data(n=8)
    with pytest.raises(ValueError, match=message):
        sg.GaussianProcess(**options).fit(x, y)


def test_a_probability_between_crossed_thresholds_is_refused():
    gp = sg.GaussianProcess(n_starts=1).fit([[0.0], [0.5], [1.0]], [0.0, 0.5, 1.0])
    with pytest.raises(ValueError, match=r"above must be less than below.*got above=0\.8, below=0\.2"):
        gp.probability([[0.5]], below=0.2, above=0.8)
    assert gp.probability([[0.5]], below=0.8, above=0.2) > 0.9


def test_predictions_from_neighbours_have_no_formula():
    x = np.linspace(0, 1, 10)[:, None]
    gp = sg.GaussianProcess(approximation="vecchia", n_starts=1).fit(x, np.sin(x[:, 0]))
    with pytest.raises(TypeError, match="have no formula"):
        Formula.of(gp, [x], np.zeros(1, dtype=np.int64))


def test_bad_input_is_named():
    x, y = data()
    with pytest.raises(ValueError, match="NaN"):
        sg.GaussianProcess().fit(np.where(x < 0.01, np.nan, np.nan), y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        sg.GaussianProcess().fit(x, y[:-1])
    with pytest.raises(ValueError, match="too far apart for a float"):
        sg.GaussianProcess().fit(x, np.resize([-1.7e308, 1.7e308], len(y)))
    with pytest.raises(ValueError, match="features"):
        sg.GaussianProcess().fit(x, y).predict(x[:, :2])
