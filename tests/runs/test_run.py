"""Running designs: failures as data, resuming, seeds, and processes that must not survive."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.runs.progress import Progress

from . import sims

FAULTS = {
    "raise": ("failed", "ValueError: no square of 0.5"),
    "sysexit": ("failed", "SystemExit: 5"),
    "exit": ("crashed", "exited with code 3"),
    "segv": ("crashed", "killed by SIGSEGV"),
    "kill": ("crashed", "killed by SIGKILL"),
    "hang": ("timeout", "no answer within the timeout of 1 s"),
    "nan": ("invalid", "output 'square' is nan"),
    "inf": ("invalid", "series 'wave' is inf at time = 1"),
    "shape": ("invalid", r"series 'wave' must have shape (3,), got (4,)"),
    "missing": ("invalid", "missing output 'wave'"),
    "extra": ("invalid", "unknown output 'cube'"),
    "text": ("invalid", "output 'square' must be one number, got 'large'"),
}


@pytest.fixture(scope="module")
def faulty():
    """One run of every fault among ten good ones, on two workers."""
    good = [{"x": i / 20, "mode": "ok"} for i in range(10)]
    bad = [{"x": 0.5, "mode": mode} for mode in FAULTS]
    order = [*good[:3], *bad[:6], *good[3:6], *bad[6:], *good[6:]]
    return sg.run(sims.misbehaving, order, n_jobs=2, timeout=1)


@pytest.mark.parametrize("mode", FAULTS)
def test_a_fault_is_recorded_with_its_cause(faulty, mode):
    row = faulty.failures[faulty.failures["mode"] == mode].iloc[0]
    status, error = FAULTS[mode]
    assert row["status"] == status
    assert error in row["error"]


def test_faults_cost_only_their_own_runs(faulty):
    assert len(faulty) == 10 + len(FAULTS)
    assert faulty.counts["done"] == 10
    np.testing.assert_array_equal(faulty.outputs["square"], faulty.inputs["x"] ** 2)
    np.testing.assert_array_equal(faulty.series("wave"), np.outer(faulty.inputs["x"], [0, 1, 2]))
    assert list(faulty.series("wave").columns) == [0.0, 1.0, 2.0]


def test_a_hung_run_is_killed_with_its_children(faulty):
    # The search must not find itself: the pattern is no part of pgrep's own name.
    assert subprocess.run(["pgrep", "-f", "sleep 600.125"], capture_output=True).returncode == 1


def test_an_error_shows_the_simulators_own_frames_only(faulty):
    error = faulty.failures.set_index("mode").loc["raise", "error"]
    assert "sims.py" in error
    assert "surrogate/runs" not in error
    assert "surrogate/simulation.py" not in error


def test_health_counts_causes(faulty):
    health = faulty.health()
    assert health.loc["done", "runs"] == 10
    assert health.loc["timeout", "commonest_cause"] == "no answer within the timeout of 1 s"
    assert health["runs"].sum() == len(faulty)


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


@pytest.mark.parametrize("n_jobs", [0, 1])
def test_a_flaky_run_passes_on_the_second_try(tmp_path, n_jobs):
    mark = tmp_path / "tried"

    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def flaky(x):
        if not mark.exists():
            mark.touch()
            raise RuntimeError("licence server busy")
        return {"y": x}

    runs = sg.run(flaky, [{"x": 0.5}], retries=1, n_jobs=n_jobs)
    assert runs.counts["done"] == 1
    assert runs.table["attempt"].tolist() == [2]


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
        ({"on_failure": "ignore"}, ValueError, "'record' or 'abort'"),
    ],
)
def test_bad_options_are_named(options, error, message):
    with pytest.raises(error, match=message):
        sg.run(sims.noisy, [{"x": 0.5}], **options)


SLOW_STUDY = """
import sys
import surrogate as sg
from tests.runs import sims
design = sg.sobol(sims.counted.space, 400, rng=0).assign(log="count.txt")
if __name__ == "__main__":
    sg.run(sims.counted, design, store="runs.db", n_jobs=2)
    print("all done")
"""


def start(folder: Path) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(SLOW_STUDY)
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while time.monotonic() < until and not (folder / "count.txt").exists():
        time.sleep(0.05)
    time.sleep(0.7)
    return process


def children(process: subprocess.Popen[str]) -> list[int]:
    """Its workers and their guardian, now: other tests have workers of their own."""
    listed = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout
    return [int(pid) for pid in listed.split()]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_study_keeps_what_was_finished_and_goes_on(tmp_path, sent):
    process = start(tmp_path)
    started = children(process)
    assert len(started) == 3
    process.send_signal(sent)
    began = time.monotonic()
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode != 0
    if sent != signal.SIGKILL:
        assert "KeyboardInterrupt" in errors
    while alive(started) and time.monotonic() - began < 5:
        time.sleep(0.1)
    assert not alive(started)

    begun = (tmp_path / "count.txt").read_text().splitlines()
    stored = sg.RunStore(tmp_path / "runs.db").runs()
    assert 0 < len(stored) < 400
    # Begun and not stored: at most what the two workers had in hand and not delivered.
    assert len(begun) - len(stored) <= (8 if sent == signal.SIGKILL else 2)

    resumed = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "all done" in resumed.stdout
    assert sg.RunStore(tmp_path / "runs.db").runs().counts["done"] == 400
    again = (tmp_path / "count.txt").read_text().splitlines()[len(begun) :]
    assert len(again) == 400 - len(stored)


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
