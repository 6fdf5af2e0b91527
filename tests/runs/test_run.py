"""Running designs: failures as data, resuming, seeds, and processes that must not survive."""

from __future__ import annotations

import contextlib
import os
import pickle
from pathlib import Path

import cloudpickle
import pandas as pd
import pytest

import surrogate as sg
from surrogate.runs.progress import Progress

from . import sims


def test_this_process_gives_the_same_as_workers():
    design = sg.sobol(sims.counted.space, 6, rng=0).assign(log="")
    here, there = (sg.run(sims.counted, design, n_jobs=jobs) for jobs in (0, 2))
    pd.testing.assert_frame_equal(here.outputs, there.outputs)


def test_rows_keep_the_designs_index_and_order():
    design = pd.DataFrame({"x": [0.9, 0.1, 0.5], "log": ""}, index=["c", "a", "b"])
    runs = sg.run(sims.counted, design, n_jobs=2)
    assert runs.outputs["y"].to_dict() == {"c": 0.45, "a": 0.05, "b": 0.25}


def test_only_what_is_missing_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    design = sg.latin_hypercube(sims.counted.space, 8, rng=0).assign(log="count.txt")
    sg.run(sims.counted, design.iloc[:5], store="runs.db", n_jobs=2)
    both = sg.run(sims.counted, design, store="runs.db", n_jobs=2)
    assert len(Path("count.txt").read_text().splitlines()) == 8
    assert both.counts["done"] == 8
    # Read back later, without the simulator.
    stored = sg.RunStore("runs.db").runs()
    pd.testing.assert_frame_equal(stored.outputs, both.outputs, check_index_type=False)
    pd.testing.assert_frame_equal(stored.inputs, both.inputs, check_index_type=False)


def test_equal_rows_are_one_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    design = pd.DataFrame({"x": [0.5, 0.5, 0.0, -0.0], "log": "count.txt"})
    runs = sg.run(sims.counted, design, n_jobs=0)
    assert runs.outputs["y"].tolist() == [0.25, 0.25, 0.0, 0.0]
    assert len(Path("count.txt").read_text().splitlines()) == 2


def test_failed_runs_are_tried_again_only_when_asked(tmp_path):
    design = [{"x": 0.5, "mode": "raise"}, {"x": 0.5, "mode": "ok"}]
    store = tmp_path / "runs.db"
    first = sg.run(sims.misbehaving, design, store=store, n_jobs=0)
    again = sg.run(sims.misbehaving, design, store=store, n_jobs=0)
    assert again.table["started"].tolist() == first.table["started"].tolist()
    forced = sg.run(sims.misbehaving, design, store=store, n_jobs=0, rerun_failures=True)
    assert forced.table["started"][0] > first.table["started"][0]
    assert forced.table["started"][1] == first.table["started"][1]


def test_abort_stops_at_the_first_failure_and_keeps_what_was_done(tmp_path):
    design = [{"x": 0.1, "mode": "ok"}, {"x": 0.5, "mode": "raise"}, {"x": 0.2, "mode": "hang"}]
    with pytest.raises(sg.RunAbortedError, match="no square"):
        sg.run(sims.misbehaving, design, store=tmp_path / "runs.db", on_failure="abort")
    assert sg.RunStore(tmp_path / "runs.db").runs().counts == {
        "done": 1,
        "failed": 1,
        "timeout": 0,
        "crashed": 0,
        "invalid": 0,
    }


def test_a_stochastic_simulator_gets_seeds_that_do_not_depend_on_the_workers(tmp_path):
    design = pd.DataFrame({"x": [0.5, 0.5, 0.25]})
    one = sg.run(sims.noisy, design, n_jobs=0, rng=1)
    two = sg.run(sims.noisy, design.iloc[::-1], n_jobs=2, rng=1)
    assert one.table["seed"].is_unique  # equal rows are replicates
    assert set(one.outputs["y"]) == set(two.outputs["y"])
    assert set(one.outputs["y"]).isdisjoint(sg.run(sims.noisy, design, n_jobs=0, rng=2).outputs["y"])
    y = sims.noisy(x=0.5, seed=int(one.table["seed"][0]))["y"]
    assert y == one.outputs["y"][0]


def test_a_simulator_defined_in_a_function_reaches_the_workers():
    factor = 3.0

    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def local(x):
        return {"y": factor * x}

    assert sg.run(local, [{"x": 0.5}], n_jobs=1).outputs["y"].tolist() == [1.5]


def test_what_cannot_reach_a_worker_says_so():
    lock = __import__("threading").Lock()

    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def unsendable(x):
        return {"y": x if lock else 0}

    with pytest.raises(sg.SurrogateError, match=r"cannot be sent to a worker process.*n_jobs=0"):
        sg.run(unsendable, [{"x": 0.5}], n_jobs=1)
    assert sg.run(unsendable, [{"x": 0.5}], n_jobs=0).counts["done"] == 1


def test_a_run_that_closes_its_output_or_forks_itself_costs_nothing():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def rude(x):
        with contextlib.suppress(OSError):
            os.close(1)
        if x > 0.5:
            os.fork()
        return {"y": x}

    runs = sg.run(rude, [{"x": 0.1}, {"x": 0.9}, {"x": 0.2}], n_jobs=1)
    assert runs.outputs["y"].tolist() == [0.1, 0.9, 0.2]


def test_a_bad_design_runs_nothing(tmp_path):
    with pytest.raises(sg.InvalidInputError, match=r"row 1, 'x' = 7.0 is out of range; allowed: \[0, 1\]"):
        sg.run(sims.noisy, [{"x": 0.5}, {"x": 7.0}], store=tmp_path / "runs.db")
    assert not (tmp_path / "runs.db").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_jobs": 1.5}, TypeError, "n_jobs must be a whole number"),
        ({"timeout": 0}, ValueError, "timeout must be a positive"),
        ({"timeout": 1, "n_jobs": 0}, ValueError, "need a worker process"),
        ({"retries": -1}, ValueError, "retries must not be negative"),
        ({"retries": 1.5}, TypeError, "retries must be a whole number"),
        ({"replicates": True}, TypeError, "replicates must be a whole number"),
        ({"memory": float("inf")}, TypeError, "memory must be a whole number"),
        ({"memory": 0}, ValueError, "memory must be at least 1"),
        ({"on_failure": "ignore"}, ValueError, "'record' or 'abort'"),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        sg.run(sims.noisy, [{"x": 0.5}], **options)


class Spring:
    name, version = "spring", "1"
    space, outputs = sg.Space(force=sg.Real(0, 10)), (sg.Output("stretch"),)

    def __call__(self, force):
        return {"stretch": force / 200.0}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ({"space": {"force": sg.Real(0, 10)}}, "simulator 'spring': space must be a Space"),
        ({"outputs": ("stretch",)}, r"outputs must be a tuple of Output or Series, .* got \('stretch',\)"),
        ({"outputs": sg.Output("stretch")}, "outputs must be a tuple of Output or Series"),
        ({"outputs": ()}, "outputs must be a tuple of Output or Series"),
    ],
)
def test_a_class_that_is_no_whole_simulator_is_told_what_to_write(attributes, message):
    assert sg.run(Spring(), [{"force": 5.0}], n_jobs=0).outputs["stretch"].tolist() == [0.025]
    wrong = type("Wrong", (Spring,), attributes)()
    with pytest.raises(TypeError, match=message):
        sg.run(wrong, [{"force": 5.0}], n_jobs=0)
    with pytest.raises(TypeError, match=message):
        sg.RunStore().open_study(wrong)


def test_a_count_may_be_written_as_a_float():
    assert sg.run(sims.noisy, [{"x": 0.5}], memory=4e9, retries=1.0).counts["done"] == 1


def test_progress_line_tells_counts_and_failures():
    import io

    screen = io.StringIO()
    bar = Progress(10, "lake", shown=True, stream=screen)
    bar.add(done=4, failed=1)
    assert "lake [############............] 5/10 runs, 1 failed" in bar.line()
    bar.add(done=5, failed=0)
    bar.close()
    assert "10/10 runs, 1 failed" in screen.getvalue()
    assert screen.getvalue().endswith("\n")
    silent = io.StringIO()
    Progress(1, "lake", stream=silent).add(1, 0)
    assert silent.getvalue() == ""


def test_runs_of_a_store_survive_pickling():
    runs = sg.run(sims.misbehaving, [{"x": 0.5, "mode": "ok"}], n_jobs=0)
    copy = pickle.loads(cloudpickle.dumps(runs))
    pd.testing.assert_frame_equal(copy.outputs, runs.outputs)
