"""Active discovery: what it spends, where it asks, when it ends, and what it says."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.cli import main
from surrogate.discovery.known import Known
from surrogate.discovery.proposals import _n_exploring, distance_to_faces, next_points

SPACE = sg.Space(a=sg.Real(0, 1), b=sg.Real(10, 20), c=sg.Real(0, 1))
SMALL = sg.Reds(n_new=4_000)
# One metamodel instead of the choice between four: where the choice is not what is tested.
QUICK = sg.Reds(sg.ProbabilityEmulator("< 0", emulator=sg.GaussianProcess()), n_new=4_000)


@pytest.fixture
def corner():
    """A simulator whose output is negative in a corner of `a` and `b`, and how often it was asked."""
    calls = []

    @sg.simulator(space=SPACE, outputs=["y", "z"], version="1")
    def corner(a, b, c):
        calls.append((a, b, c))
        return {"y": a + (b - 10) / 10 - 0.6, "z": c}

    corner.calls = calls
    return corner


def find(sim, **options):
    options = {"of_interest": {"y": "< 0"}, "budget": 40, "batch": 5, "reds": QUICK, "n_jobs": 0} | options
    return sg.discover(sim, **options)


def test_the_box_and_its_quality_are_those_of_the_function(corner):
    found = find(corner, stop=False)
    assert found.best_.restricted == ("a", "b")
    points = SPACE.from_unit(np.random.default_rng(5).random((20_000, 3)))
    truth = points["a"] + (points["b"] - 10) / 10 < 0.6
    quality = sg.box_quality(found.best_, points, truth)
    for name in ("coverage", "density"):
        row = found.intervals.loc[name]
        assert row["value"] == pytest.approx(quality[name], abs=0.03)
        assert row["low"] - 0.02 <= quality[name] <= row["high"] + 0.02
        assert row["high"] - row["low"] < 0.2
    assert found.intervals_from == "posterior draws"
    assert found.of_interest_.tolist() == (found.runs.outputs["y"] < 0).tolist()
    assert found.boxes_[found.best_index_] == found.best_
    assert found.best_.rule() in str(found)


def test_the_budget_is_spent_and_not_passed(corner):
    found = find(corner, budget=33, batch=4, stop=False)
    assert len(found.runs) == len(corner.calls) == 33
    assert found.history.index.tolist() == [16, 20, 24, 28, 32, 33]
    changes = found.history["coverage"].diff().abs()
    pd.testing.assert_series_equal(found.history["coverage_change"], changes, check_names=False)
    assert "33 runs" in found.message


def test_it_ends_once_the_box_has_settled(corner):
    found = find(corner, budget=80, first=20, tolerance=0.2, patience=2)
    assert found.converged
    assert len(corner.calls) == 30
    assert found.message.startswith("settled after 30 of 80 runs")
    strict = find(corner, budget=35, first=20, tolerance=0.2, patience=4)
    assert not strict.converged
    assert len(strict.runs) == 35


def test_an_interrupted_discovery_goes_on_as_if_it_had_not_been(corner, tmp_path):
    whole = find(corner, stop=False, store=tmp_path / "whole.db")
    wanted = list(corner.calls)
    corner.calls.clear()
    function, stops = corner.function, [7, 25]

    def interrupted(a, b, c):
        if len(corner.calls) in stops:
            stops.remove(len(corner.calls))
            raise KeyboardInterrupt
        return function(a, b, c)

    object.__setattr__(corner, "function", interrupted)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            find(corner, stop=False, store=tmp_path / "parts.db")
    again = find(corner, stop=False, store=tmp_path / "parts.db")
    # Both interruptions fell on the border of a design or batch, or into the design.
    assert corner.calls == wanted
    assert again.best_ == whole.best_


def test_a_finished_discovery_makes_no_new_runs(corner, tmp_path):
    options = {"budget": 80, "first": 20, "tolerance": 0.2, "patience": 2, "store": tmp_path / "runs.db"}
    first = find(corner, **options)
    corner.calls.clear()
    second = find(corner, **options)
    assert corner.calls == []
    assert second.converged
    pd.testing.assert_frame_equal(first.history, second.history)


def test_stored_runs_of_another_design_count_and_are_used(corner, tmp_path):
    sg.run(corner, sg.latin_hypercube(SPACE, 15, rng=1), store=tmp_path / "runs.db", n_jobs=0)
    corner.calls.clear()
    found = find(corner, budget=30, first=20, stop=False, store=tmp_path / "runs.db")
    assert len(corner.calls) == 15
    assert len(found.runs) == len(found.of_interest_) == 30


def test_a_rare_outcome_is_found_where_a_design_misses_it(corner):
    rare = {"y": "< -0.54"}  # a triangle of 0.18% of the space
    design = sg.sobol(SPACE, 40, rng=0)
    assert not (design["a"] + (design["b"] - 10) / 10 < 0.06).any()
    found = find(corner, of_interest=rare, reds=SMALL, stop=False)
    # One may be enough: a Gaussian process knows a plane exactly.
    assert found.of_interest_.sum() >= 1
    assert found.history["n_of_interest"].iloc[0] == 0
    assert set(found.best_.restricted) >= {"a", "b"}
    assert found.best_.contains({"a": [0.01], "b": [10.1], "c": [0.5]})[0]


def test_intervals_do_without_a_first_design_that_met_nothing():
    @sg.simulator(space=SPACE, outputs=["y", "z"], version="1")
    def rare(a, b, c):
        return {"y": a, "z": b}

    # Two conditions leave labels; of the first design none, of the explored points one or more meet both.
    found = find(rare, of_interest=["y < 0.2", "z < 12.5"], budget=90, first=8, batch=82, reds=SMALL, stop=False)
    assert not found.of_interest_[:8].any()
    assert found.of_interest_.any()
    assert found.intervals_from.startswith("all runs")
    assert found.intervals.loc["coverage", "value"] > 0


def test_what_is_nowhere_is_said(corner):
    found = find(corner, of_interest={"y": "< -5"}, budget=20)
    assert found.reds is None
    assert not found.converged
    assert re.search(r"no run meets y < -5.*y lies in \[-0\..* over 20 runs", found.message)
    with pytest.raises(ValueError, match="there is no box: no run meets"):
        _ = found.best_
    assert "no box" in str(found)
    assert "every run meets" in find(corner, of_interest={"y": "< 5"}, budget=20).message


def test_failed_runs_are_left_out_and_told():
    @sg.simulator(space=SPACE, outputs=["y"], version="1")
    def partly(a, b, c):
        if c > 0.8:
            raise RuntimeError("no convergence")
        return {"y": a - 0.4}

    found = find(partly, stop=False)
    failed = int((~found.runs.done).sum())
    assert len(found.runs) == 40
    assert failed > 0
    assert f"{failed} of 40 runs failed and are left out" in found.message
    assert found.best_.restricted == ("a",)

    @sg.simulator(space=SPACE, outputs=["y"], version="1")
    def never(a, b, c):
        raise RuntimeError("no licence")

    assert "only 0 of 12 runs finished" in find(never, budget=12).message


@pytest.fixture
def failing():
    @sg.simulator(space=SPACE, outputs=["y", "z"], version="1")
    def failing(a, b, c):
        if c > 0.7:
            raise RuntimeError("no convergence")
        return {"y": a, "z": b}

    return failing


def test_intervals_of_stored_runs_rest_on_all_that_finished(failing):
    runs = sg.run(failing, sg.sobol(SPACE, 64, rng=0), n_jobs=0)
    found = sg.Discovery.of_runs(runs, ["y < 0.5", "z < 15"], reds=SMALL)
    assert found.intervals_from == "runs"
    expected = sg.quality_intervals(found.best_, runs.inputs, found.of_interest_)
    pd.testing.assert_frame_equal(found.intervals, expected.loc[["coverage", "density"]])


@pytest.fixture
def levels(tmp_path):
    """A store of a simulator whose cheap level knows nothing."""

    @sg.simulator(space=SPACE, outputs=["y"], version="1", levels={0: 10, 1: 1})
    def levels(a, b, c, level):
        return {"y": c if level else a - 0.4}

    with sg.RunStore(tmp_path / "levels.db") as store:
        sg.run(levels, sg.sobol(SPACE, 64, rng=1), store=store, n_jobs=0, level=1)
        sg.run(levels, sg.sobol(SPACE, 32, rng=0), store=store, n_jobs=0, level=0)
    return tmp_path / "levels.db"


def test_only_the_truest_level_tells(levels, capsys, tmp_path):
    with sg.RunStore(levels) as store:
        found = sg.Discovery.of_runs(store.runs(), "y < 0", reds=QUICK)
    assert len(found.runs) == len(found.of_interest_) == found.history.index[0] == 32
    assert found.best_.restricted == ("a",)
    assert main(["discover", str(levels), "--where", "y < 0", "--output", str(tmp_path / "found.md")]) == 0
    assert "32 stored runs" in capsys.readouterr().out


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10])
def test_every_fifth_run_explores_whatever_the_size_of_a_batch(size):
    exploring = [_n_exploring(made, size, 0.2) for made in range(20, 20 + 70 * size, size)]
    assert sum(exploring) >= 70 * size // 5
    assert sum(exploring) <= 70 * size // 5 + 70 * (size == 3)
    assert _n_exploring(40, size, 1.0) == size


def test_batches_of_one_go_on_with_the_design(corner):
    found = find(corner, budget=25, first=20, batch=1, stop=False)
    design = SPACE.to_unit(sg.sobol(SPACE, 25, rng=0).iloc[20:])
    made = SPACE.to_unit(found.runs.inputs.iloc[20:])
    assert sum(np.abs(design - place).max(axis=1).min() < 1e-9 for place in made) == 1


def test_several_conditions_and_categories():
    space = sg.Space(kind=sg.Categorical(["x", "y", "z"]), size=sg.Integer(1, 50), q=sg.Real(0, 1))

    @sg.simulator(space=space, outputs=["u", "v"], version="1")
    def mixed(kind, size, q):
        return {"u": float(kind == "y"), "v": size / 50}

    found = find(mixed, of_interest=["u == 1", "v > 0.4"], budget=60, batch=10, first=40, reds=SMALL, stop=False)
    assert "kind" in found.best_.restricted
    assert found.best_.contains({"kind": ["y"], "size": [40], "q": [0.5]})[0]
    assert not found.best_.contains({"kind": ["x"], "size": [40], "q": [0.5]})[0]
    assert found.intervals_from == "runs"


def test_a_space_of_few_points_is_asked_once_each():
    space = sg.Space(i=sg.Integer(0, 3), j=sg.Integer(0, 2))

    @sg.simulator(space=space, outputs=["y"], version="1")
    def grid(i, j):
        return {"y": i + j}

    found = find(grid, of_interest="y < 2", budget=40, first=8, reds=SMALL, stop=False)
    assert len(found.runs) == 12
    assert not found.runs.inputs.duplicated().any()
    assert "no new points" in found.message


def test_a_narrower_space_is_kept_to(corner, tmp_path):
    sg.run(corner, sg.sobol(SPACE, 16, rng=3), store=tmp_path / "runs.db", n_jobs=0)
    narrow = sg.Space(c=sg.Real(0.2, 0.4), b=sg.Real(10, 20), a=sg.Real(0, 1))
    found = find(corner, budget=24, space=narrow, store=tmp_path / "runs.db", stop=False)
    assert len(found.runs) == 24
    assert found.runs.inputs["c"].between(0.2, 0.4).all()


def test_batches_go_to_the_threshold_and_the_faces(corner):
    runs = sg.run(corner, sg.sobol(SPACE, 32, rng=0), n_jobs=0)
    # Two conditions leave labels, of which no metamodel is as sure as one is of a plane.
    known = Known.of(runs, (sg.Condition.parse("y < 0"), sg.Condition.parse("z < 2")))
    points = next_points(known, known.fit(SMALL), 20, np.random.default_rng(0))
    assert len(points.drop_duplicates()) == 20
    off = (points["a"] + (points["b"] - 10) / 10 - 0.6).abs().sort_values()
    # Four of the twenty explore; of uniform points a quarter lies so close to the threshold.
    assert (off < 0.15).sum() >= 10


def test_distance_to_faces_is_that_of_geometry():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 2), kind=sg.Categorical(["x", "y"]))
    points = pd.DataFrame(
        {"a": [0.25, 0.5, 0.8, 0.8, 0.25, 1.0, 0.0], "b": [1.0, 1.0, 1.0, 2.0, 1.0, 0.0, 1.2], "kind": [*"xxxxyxx"]}
    )
    # Limits that the points show as they are.
    box = sg.Box({"a": (-np.inf, 0.5), "b": (-np.inf, 1.2), "kind": frozenset(["x"])})
    expected = [0.1, 0.0, 0.3, np.hypot(0.3, 0.4), 1.0, 0.5, 0.0]
    np.testing.assert_allclose(distance_to_faces(box, space, points, space.to_unit(points)), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"of_interest": {"yy": "< 0"}}, sg.ConditionError, "no scalar output 'yy'"),
        ({"of_interest": "y"}, sg.ConditionError, "not a condition"),
        ({"budget": 3}, ValueError, "budget must be at least 4, got 3"),
        ({"budget": 30.5}, TypeError, "budget must be a whole number"),
        ({"batch": 0}, ValueError, "batch must be at least 1"),
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"first": 50}, ValueError, "first design of 50 runs is larger than the budget of 40"),
        ({"tolerance": 0}, ValueError, "tolerance must be positive"),
        ({"space": sg.Space(a=sg.Real(0, 1))}, ValueError, r"simulator's inputs \(a, b, c\), got a"),
        ({"space": {"a": 1}}, TypeError, "space must be a Space"),
        ({"reds": sg.Prim()}, TypeError, "reds must be a Reds"),
    ],
)
def test_wrong_arguments_are_told_before_any_run(corner, options, error, words):
    with pytest.raises(error, match=words):
        find(corner, **options)
    assert corner.calls == []


def test_no_simulator():
    with pytest.raises(TypeError, match="simulator must be a Simulator"):
        sg.discover(42, "y < 0", budget=10)


def test_a_store_of_another_simulator_is_refused(corner, tmp_path):
    @sg.simulator(space=SPACE, outputs=["y"], version="1")
    def other(a, b, c):
        return {"y": a}

    sg.run(other, sg.sobol(SPACE, 4, rng=0), store=tmp_path / "runs.db", n_jobs=0)
    with pytest.raises(sg.StoreMismatchError):
        find(corner, store=tmp_path / "runs.db")


class TestCommand:
    @pytest.fixture
    def store(self, corner, tmp_path):
        file = tmp_path / "runs.db"
        sg.run(corner, sg.sobol(SPACE, 48, rng=0), store=file, n_jobs=0)
        return file

    def test_the_rule_and_its_quality_are_printed(self, store, tmp_path, capsys):
        assert main(["discover", str(store), "--where", "y < 0", "--output", str(tmp_path / "found.html")]) == 0
        told = capsys.readouterr().out
        assert re.search(r"y < 0 where .*a .*b ", told)
        assert re.search(r"coverage 0\.\d\d \(0\.\d\d to [01]\.\d\d\), density", told)
        assert "Gaussian process on the output; it has the smallest log loss" in told
        assert "48 stored runs" in told
        page = (tmp_path / "found.html").read_text()
        assert "Where it is of interest" in page

    def test_all_conditions_must_hold(self, store, capsys):
        assert main(["discover", str(store), "--where", "y < 0.2", "--where", "z < 0.5"]) == 0
        assert capsys.readouterr().out.startswith("y < 0.2 and z < 0.5 where")

    @pytest.mark.parametrize(
        ("where", "words"), [("q < 0", "no scalar output 'q'"), ("y < -9", "no run meets y < -9"), ("y", "condition")]
    )
    def test_a_wrong_condition_is_2(self, store, capsys, where, words):
        assert main(["discover", str(store), "--where", where]) == 2
        assert words in capsys.readouterr().err

    def test_a_store_that_is_not_there_is_3_and_not_made(self, tmp_path, capsys):
        assert main(["discover", str(tmp_path / "none.db"), "--where", "y < 0"]) == 3
        assert "there is no run store" in capsys.readouterr().err
        assert not (tmp_path / "none.db").exists()

    @pytest.mark.parametrize(
        ("name", "words"), [("absent/found.html", "no folder"), ("found.pdf", "must end in one of")]
    )
    def test_a_report_that_cannot_be_written_is_told_first(self, store, tmp_path, capsys, name, words):
        asked = ["discover", str(store), "--where", "y < 0", "--output", str(tmp_path / name)]
        assert main(asked) == 2
        said = capsys.readouterr()
        assert words in said.err
        assert said.out == ""  # nothing was computed


def test_a_report_says_what_the_metamodel_expects_and_how_sure_it_is(tmp_path):
    @sg.simulator(space=sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1)), outputs=["y"])
    def corner(a, b):
        return {"y": a + b}

    runs = sg.run(corner, sg.sobol(corner.space, 64, rng=0), n_jobs=0)
    found = sg.Discovery.of_runs(runs, "y < 0.6")
    text = sg.report(tmp_path / "found.md", runs=runs, boxes=found, of_interest="y < 0.6").read_text()
    inside, labels = found.best_.contains(runs.inputs), found.of_interest_
    assert f"holds {labels[inside].sum() / labels.sum():.0%} of them" in text
    assert "a metamodel labelled" in text
    low, high = found.intervals.loc["density", ["low", "high"]]
    assert f"({low:.0%} to {high:.0%}): 95% intervals from {found.intervals_from}" in text


def test_few_runs_of_a_rare_outcome_are_no_error_after_they_were_made(corner):
    found = find(corner, of_interest={"y": "> 0.8", "z": "> 0.8"}, budget=30, reds=sg.Reds(n_new=1000))
    assert len(found.runs) == 30


def test_whole_numbers_have_one_share_of_interest_however_the_condition_is_written():
    space = sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1))

    @sg.simulator(space=space, outputs=["count"])
    def counting(a, b):
        return {"count": np.floor(4 * (a + b))}

    runs = sg.run(counting, sg.sobol(space, 128, rng=1), n_jobs=0)
    told = [sg.Discovery.of_runs(runs, f"count {text}", reds=SMALL) for text in ("> 4", ">= 5")]
    assert told[0].reds.best_ == told[1].reds.best_
    pd.testing.assert_frame_equal(told[0].intervals, told[1].intervals)
