"""Engines of other people: futures, joblib, Dask; and simulators that answer many points, or at several levels."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest

import surrogate as sg

from . import sims

DESIGN = sg.sobol(sims.counted.space, 16, rng=0).assign(log="")
MIXED = [
    {"x": i / 8, "mode": mode}
    for i, mode in enumerate(["ok", "raise", "ok", "kill", "nan", "ok", "hang", "hang_child"])
]
STATUSES = ["done", "failed", "done", "crashed", "invalid", "done", "timeout", "timeout"]


class JobLikeExecutor:
    """An executor as submitit has them: its jobs are no futures, they can only be asked."""

    class Job:
        def __init__(self, function, arguments):
            self._function, self._arguments = function, arguments

        def done(self):
            return True

        def result(self):
            return self._function(*self._arguments)

        def cancel(self):
            return False

    def submit(self, function, *arguments):
        return self.Job(function, arguments)


@pytest.mark.parametrize("kind", ["threads", "processes", "factory", "loky", "threading", "joblib", "jobs"])
def test_every_engine_gives_the_same_answers_and_statuses(kind):
    made = {
        "threads": lambda: ThreadPoolExecutor(2),
        "processes": lambda: ProcessPoolExecutor(2),
        "factory": lambda: lambda: ThreadPoolExecutor(2),
        "jobs": JobLikeExecutor,
    }.get(kind, lambda: kind)()
    with joblib.parallel_config(backend="threading", n_jobs=2):
        runs = sg.run(sims.misbehaving, MIXED, executor=made, timeout=1.5, n_jobs=None if kind == "threads" else 2)
    assert runs.table["status"].tolist() == STATUSES
    np.testing.assert_array_equal(runs.outputs["square"], runs.inputs["x"] ** 2)
    assert "killed by SIGKILL" in runs.failures["error"][3]
    if isinstance(made, Executor):
        made.shutdown()


def test_an_executor_runs_one_study_after_the_other(tmp_path):
    # Its processes are forked while the store is open.
    with ProcessPoolExecutor(2) as executor:
        for n in (2, 4):
            runs = sg.run(sims.counted, DESIGN[:n], store=tmp_path / "runs.db", executor=executor)
            assert runs.counts["done"] == n


class DyingExecutor(Executor):
    """Breaks with every third chunk, as a pool of processes does whose worker is killed."""

    def __init__(self):
        self._count = 0
        self._broken = False

    def submit(self, fn, /, *args, **kwargs):
        if self._broken:
            raise BrokenExecutor("broken before")
        self._count += 1
        future = Future()
        if self._count == 3:
            self._broken = True
            future.set_exception(BrokenExecutor("a worker died"))
        else:
            future.set_result(fn(*args))
        return future


def test_a_broken_executor_is_made_again():
    made = []

    def make():
        made.append(DyingExecutor())
        return made[-1]

    runs = sg.run(sims.counted, DESIGN, executor=make, n_jobs=2)
    assert runs.counts["done"] == 16
    assert len(made) > 2


def test_a_broken_executor_that_cannot_be_made_again_says_so_and_loses_nothing(tmp_path):
    store = tmp_path / "runs.db"
    with pytest.raises(sg.SurrogateError, match=r"takes no more runs.*call run again with a new executor"):
        sg.run(sims.counted, DESIGN, executor=DyingExecutor(), n_jobs=2, store=store)
    kept = len(sg.RunStore(store).runs())
    assert 1 <= kept < 16
    assert sg.run(sims.counted, DESIGN, n_jobs=0, store=store).counts["done"] == 16


def test_workers_without_the_package_are_told_from_bad_runs():
    class Lost(Executor):
        def submit(self, fn, /, *args, **kwargs):
            future = Future()
            future.set_exception(ModuleNotFoundError("No module named 'surrogate'"))
            return future

    with pytest.raises(sg.SurrogateError, match=r"has not answered a single run.*is surrogate-learn installed"):
        sg.run(sims.counted, DESIGN, executor=Lost())


class RoundsOnly(joblib._parallel_backends.ThreadingBackend):
    """A backend as Ray's is: it gives nothing back before all is done."""

    supports_return_generator = False


def test_a_joblib_backend_that_gives_back_in_rounds_works_too():
    joblib.register_parallel_backend("rounds", RoundsOnly)
    runs = sg.run(sims.misbehaving, MIXED, executor="rounds", timeout=1.5, n_jobs=2)
    assert runs.table["status"].tolist() == STATUSES


def test_a_joblib_backend_that_does_not_start_is_told():
    with pytest.raises(sg.SurrogateError, match=r"has not answered a single run.*no_such_backend"):
        sg.run(sims.counted, DESIGN, executor="no_such_backend", n_jobs=2)


def test_what_is_no_executor_is_named():
    with pytest.raises(TypeError, match=r"executor must be an executor.*got 7"):
        sg.run(sims.counted, DESIGN, executor=7)


def dask_worker(folder: Path, address: str) -> subprocess.Popen[bytes]:
    project = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "distributed.cli.dask_worker", address, "--nworkers", "1", "--nthreads", "1"),
            *("--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--local-directory", str(folder)),
        ],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([project, os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_faults_a_dask_worker_that_is_killed_costs_nothing(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="needs the extra 'distributed'")
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "count.txt"
    design = sg.sobol(sims.counted.space, 200, rng=1).assign(log=str(log))
    space = sg.Space({**sims.counted.space, "log": sg.Categorical(["", str(log)])})
    counted = sg.simulator(space=space, outputs=["y"], name="counted")(sims.counted.function)
    options = {"n_workers": 0, "processes": False, "dashboard_address": None, "host": "127.0.0.1", "protocol": "tcp"}
    with distributed.LocalCluster(**options) as cluster, distributed.Client(cluster) as client:
        workers = [dask_worker(tmp_path, cluster.scheduler_address) for _ in range(2)]
        try:
            client.wait_for_workers(2, timeout=60)

            def kill_one_half_way():
                while not log.exists() or len(log.read_text().splitlines()) < 60:
                    time.sleep(0.02)
                workers[0].send_signal(signal.SIGKILL)

            killer = threading.Thread(target=kill_one_half_way)
            killer.start()
            runs = sg.run(counted, design, executor=client.get_executor(), store="runs.db")
            killer.join()
            assert workers[0].wait(10) == -signal.SIGKILL
            assert workers[1].poll() is None
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()
    assert runs.counts["done"] == 200
    assert sg.RunStore("runs.db").runs().counts["done"] == 200
    # Again were run only the chunks that the dead worker had.
    assert 200 <= len(log.read_text().splitlines()) < 300


# Batches


@pytest.mark.parametrize("n_jobs", [0, 1])
def test_a_batch_simulator_gives_each_point_its_own_answer(n_jobs):
    design = pd.DataFrame({"x": np.linspace(0, 1, 19), "n": [0, 1, 2] * 6 + [4]})
    runs = sg.run(sims.vectorised, design, n_jobs=n_jobs)
    assert runs.outputs["y"].tolist() == (design["x"] + design["n"]).tolist()
    np.testing.assert_array_equal(runs.series("w")[1.0], 2 * design["x"])


def test_faults_in_a_batch_cost_only_their_own_points():
    design = pd.DataFrame({"x": np.linspace(0, 1, 20), "n": [0, 5, 1, 2, 3, 1, 0, 7, 1, 2] * 2})
    runs = sg.run(sims.vectorised, design, n_jobs=2, timeout=20)
    expected = {5: "invalid", 3: "failed", 7: "crashed"}
    assert runs.table["status"].tolist() == [expected.get(n, "done") for n in design["n"]]


def test_a_batch_of_the_wrong_length_is_invalid():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], batch=4)
    def short(x):
        return {"y": x[:1]}

    runs = sg.run(short, [{"x": 0.1}, {"x": 0.2}], n_jobs=0)
    assert runs.counts["invalid"] == 2
    assert "output 'y' of a batch of 2 points has 1 rows" in runs.table["error"][0]


def test_a_batch_answers_by_position_whatever_labels_it_has():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y", sg.Series("w", at=[0, 1])], batch=3)
    def shuffled(x):
        table = pd.DataFrame({"y": x, 0: x, 1: 2 * x}, index=[1, 2, 0][: len(x)])
        return {"y": table["y"], "w": table[[0, 1]]}

    runs = sg.run(shuffled, [[0.1], [0.2], [0.3], [0.4]], n_jobs=0)
    assert runs.outputs["y"].tolist() == [0.1, 0.2, 0.3, 0.4]
    assert runs.series("w")[1.0].tolist() == [0.2, 0.4, 0.6, 0.8]


@pytest.mark.parametrize("answer", [{0: 0.1, 1: 0.2}, 0.1, iter([0.1, 0.2])])
def test_a_batch_of_no_rows_is_invalid(answer):
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], batch=4)
    def mapped(x):
        return {"y": answer}

    runs = sg.run(mapped, [[0.1], [0.2]], n_jobs=0)
    assert runs.counts["invalid"] == 2
    assert f"output 'y' of a batch must be an array of 2 rows, got {answer!r}" in runs.table["error"][0]


# Levels and replicates


def test_another_seed_than_the_stores_is_told(tmp_path):
    store = tmp_path / "runs.db"
    first = sg.run(sims.noisy, [[0.5]], store=store, rng=0, n_jobs=0)
    for same in ({}, {"rng": 0}):
        sg.run(sims.noisy, [[0.5]], store=store, n_jobs=0, **same)
    with pytest.warns(UserWarning, match="was begun with another seed than rng=1"):
        again = sg.run(sims.noisy, [[0.5]], store=store, rng=1, n_jobs=0)
    assert again.table["seed"].tolist() == first.table["seed"].tolist()


def test_levels_come_from_the_argument_or_the_design_and_are_stored(tmp_path):
    store = tmp_path / "runs.db"
    design = pd.DataFrame({"x": [0.1, 0.2, 0.1], "level": [0, 1, 1]})
    runs = sg.run(sims.levelled, design, store=store, n_jobs=0)
    assert runs.outputs["y"].tolist() == pytest.approx([0.1, 0.3, 0.2])
    assert runs.table["level"].tolist() == [0, 1, 1]
    more = sg.run(sims.levelled, [{"x": 0.1}, {"x": 0.3}], level=1, store=store, n_jobs=0)
    assert more.outputs["y"].tolist() == pytest.approx([0.2, 0.4])
    stored = sg.RunStore(store).runs()
    assert len(stored) == 4  # the point 0.1 at level 1 was there
    assert stored.levels == {0: 100.0, 1: 2.5}
    assert stored.at_level(0).inputs["x"].tolist() == [0.1]
    with pytest.raises(ValueError, match=r"no level 3; levels: \[0, 1\]"):
        stored.at_level(3)


@pytest.mark.parametrize(
    ("design", "expected"),
    [
        ({"x": 0.5}, [0.5]),
        ({"x": [0.1, 0.2]}, [0.1, 0.2]),
        ([[0.5]], [0.5]),
        (np.array([[0.1], [0.2]]), [0.1, 0.2]),
        (pd.Series({"x": 0.5}), [0.5]),
        ({"x": 0.5, "level": 1}, [0.6]),
        ({"x": [0.1, 0.2], "level": [0, 1]}, [0.1, 0.3]),
        ({"x": [0.1, 0.2], "level": 1}, [0.2, 0.3]),
        ([{"x": 0.1, "level": 1}, {"x": 0.2, "level": 0}], [0.2, 0.2]),
        (pd.Series({"x": 0.5, "level": 1}), [0.6]),
    ],
)
def test_a_simulator_with_levels_takes_every_form_of_design(design, expected):
    assert sg.run(sims.levelled, design, n_jobs=0).outputs["y"].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("design", "told"),
    [
        ({"x": [0.1, 0.2], "level": [0, 1, 1]}, "there are 2 points, but 'level' has 3 values"),
        ([[0.1, 1]], r"an array must have shape \(n, 1\)"),
        ([{"x": 0.1, "level": 1}, [0.2]], "an array must have shape"),
    ],
)
def test_a_design_with_levels_that_is_none_is_refused(design, told):
    with pytest.raises(sg.InvalidInputError, match=told):
        sg.run(sims.levelled, design, n_jobs=0)


def test_levels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"level 2.0 of the design is none of simulator 'levelled': \[0, 1\]"):
        sg.run(sims.levelled, pd.DataFrame({"x": [0.1], "level": [2.0]}), n_jobs=0)
    with pytest.raises(ValueError, match="'noisy' has no levels"):
        sg.run(sims.noisy, [{"x": 0.1}], level=0, n_jobs=0)
    with pytest.raises(ValueError, match="from 0, the truest"):
        sg.simulator(space=sims.levelled.space, outputs=["y"], levels={1: 2.0})(sims.levelled.function)
    with pytest.raises(TypeError, match="does not take the space's parameter 'level'"):
        sg.simulator(space=sims.levelled.space, outputs=["y"], levels={0: 2.0})(lambda x: {"y": x})


def test_replicates_have_seeds_of_their_own_and_the_rows_index(tmp_path):
    design = pd.DataFrame({"x": [0.5, 0.25]}, index=["a", "b"])
    runs = sg.run(sims.noisy, design, replicates=3, rng=1, n_jobs=0, store=tmp_path / "runs.db")
    assert runs.inputs.index.tolist() == ["a", "a", "a", "b", "b", "b"]
    assert runs.table["seed"].is_unique
    more = sg.run(sims.noisy, design, replicates=5, n_jobs=0, store=tmp_path / "runs.db")
    assert set(runs.table["seed"]) < set(more.table["seed"])
    twice = sg.run(sims.noisy, pd.concat([design, design]), replicates=2, n_jobs=0)
    assert twice.inputs.index.tolist() == ["a", "a", "b", "b"] * 2
    assert twice.inputs["x"].tolist() == [0.5, 0.5, 0.25, 0.25] * 2
    with pytest.raises(ValueError, match="takes no seed"):
        sg.run(sims.counted, DESIGN, replicates=2)
