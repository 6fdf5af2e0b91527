"""Minimising a simulator: stores, workers, interruptions, and what ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from tests.conftest import REPOSITORY

SPACE = sg.Space(a=sg.Real(-5, 10), b=sg.Real(0, 15))


@sg.simulator(space=SPACE, outputs=[sg.Output("y", unit="kg"), "z", sg.Series("wave", coordinate="t", at=[0, 1])])
def bowl(a, b):
    """A valley, whose right edge gives no answer."""
    if a > 9:
        raise ValueError("no answer there")
    return {"y": (a - 1) ** 2 + 0.5 * (b - 4) ** 2 + 0.3 * a * b, "z": a + b, "wave": [a, b]}


@sg.simulator(space=SPACE, outputs=["y"])
def noisy(a, b, seed):
    """Differs from run to run."""
    return {"y": (a - 1) ** 2 + (b - 4) ** 2 + np.random.default_rng(seed).standard_normal()}


@sg.simulator(space=sg.Space(a=sg.Real(0, 1)), outputs=["y"], levels={0: 10, 1: 1})
def leveled(a, level):
    """Forrester's function and its cheap version."""
    y = (6 * a - 2) ** 2 * np.sin(12 * a - 4)
    return {"y": y if level == 0 else 0.5 * y + 10 * (a - 0.5) - 5}


def minimize(store=None, **more):
    return sg.minimize(bowl, "y", **{"budget": 14, "n_jobs": 0, "rng": 0, "store": store, **more})


@pytest.fixture(scope="module")
def found():
    return minimize(budget=25)


def test_the_result_tells_what_scipy_would_and_more(found):
    # The stationary point of the quadratic: 2 (a - 1) + 0.3 b = 0, (b - 4) + 0.3 a = 0.
    a, b = np.linalg.solve([[2, 0.3], [0.3, 1]], [2, 4])
    assert abs(found.x["a"] - a) < 0.01
    assert abs(found.x["b"] - b) < 0.02
    assert found.fun == found.outputs["y"] == found.history["y"].min()
    assert found.outputs["z"] == pytest.approx(a + b, abs=0.03)
    assert found.nfev == 25 == len(found.history)
    assert found.message == "the budget of 25 runs was spent"
    assert found.success
    assert not found.converged
    assert 0 <= found.regret_bound < 0.1
    assert found.front is None
    best = found.history["best"].dropna()
    assert (np.diff(best) <= 0).all()
    assert best.iloc[-1] == found.fun
    assert "y = " in repr(found)
    assert "25 runs" in repr(found)
    copy = found.to_frame()
    copy["y"] = 0.0
    assert found.history["y"].max() > 0


def test_what_the_store_holds_is_not_run_again_and_the_seed_is_remembered(tmp_path):
    first = minimize(tmp_path / "a.db", rng=None)
    calls = len(sg.RunStore(tmp_path / "a.db").runs())
    again = minimize(tmp_path / "a.db", rng=None)
    assert again.history.equals(first.history)
    assert len(sg.RunStore(tmp_path / "a.db").runs()) == calls == 14
    longer = minimize(tmp_path / "a.db", rng=None, budget=17)
    assert longer.history.iloc[:14]["y"].equals(first.history["y"])
    assert longer.nfev == 17
    told = minimize(tmp_path / "a.db", rng=None, budget=0)
    assert told.history.equals(longer.history)
    assert told.x == longer.x


def test_earlier_runs_are_known_from_the_start(tmp_path):
    design = sg.latin_hypercube(SPACE, 12, rng=3)
    runs = sg.run(bowl, design, store=tmp_path / "a.db", n_jobs=0)
    warm = minimize(tmp_path / "a.db", budget=6)
    assert (warm.history.index < 0).sum() == 12
    assert warm.nfev == 6
    assert not (warm.history["step"] == "design").any()
    # The same runs given by hand, as in another store.
    given = minimize(budget=6, runs=runs)
    assert given.history.equals(warm.history)
    # Given and stored they count once; another seed knows what the first found.
    other = minimize(tmp_path / "a.db", budget=2, runs=runs, rng=5)
    assert len(other.history) == 12 + 6 + 2
    with pytest.raises(ValueError, match="runs must be of this simulator"):
        minimize(runs=sg.run(leveled, [{"a": 0.5}], n_jobs=0))


def test_workers_in_batches_find_the_same_as_in_this_process():
    alone = minimize(batch=2, asynchronous=False, budget=12)
    workers = minimize(batch=2, asynchronous=False, budget=12, n_jobs=2)
    assert workers.history.equals(alone.history)
    assert minimize(batch=2, n_jobs=2, budget=12).nfev == 12


def test_every_run_is_made_once_on_busy_workers(tmp_path):
    found = minimize(tmp_path / "a.db", n_jobs=2, batch=3, budget=16)
    assert found.nfev == 16
    assert not found.history[["a", "b"]].duplicated().any()
    assert len(sg.RunStore(tmp_path / "a.db").runs()) == 16


SCRIPT = """
    import os, sys, time
    import surrogate as sg

    @sg.simulator(space=sg.Space(a=sg.Real(-5, 10), b=sg.Real(0, 15)), outputs=["y"], version="1")
    def slow(a, b):
        time.sleep(float(os.environ["SECONDS"]))
        if a >= 8:
            raise ValueError("no answer there")
        return {"y": (a - 1) ** 2 + 0.5 * (b - 4) ** 2 + 0.3 * a * b}

    if __name__ == "__main__":
        sg.minimize(slow, "y", budget=16, n_jobs=int(sys.argv[2]), batch=1, rng=0, store=sys.argv[1])
"""


@pytest.mark.parametrize("n_jobs", [0, 1])
def test_killed_and_called_again_it_goes_on_as_if_nothing_had_happened(tmp_path, n_jobs):
    script = tmp_path / "loop.py"
    script.write_text(textwrap.dedent(SCRIPT))
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    def start(store, seconds):
        command = [sys.executable, str(script), str(tmp_path / store), str(n_jobs)]
        return subprocess.Popen(command, env=environment | {"SECONDS": str(seconds)})

    killed = start("killed.db", 0.2)
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        if (tmp_path / "killed.db").exists() and _n_runs(tmp_path / "killed.db") >= 8:
            break
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    before = _n_runs(tmp_path / "killed.db")
    assert 8 <= before < 16
    assert start("killed.db", 0).wait(timeout=150) == 0
    assert start("whole.db", 0).wait(timeout=150) == 0
    ran = [sg.RunStore(tmp_path / name).runs().table[["a", "b", "status"]] for name in ("killed.db", "whole.db")]
    same = [table.sort_values(["a", "b"]).reset_index(drop=True) for table in ran]
    assert len(same[0]) == 16
    assert same[0].equals(same[1])


def _n_runs(path):
    try:
        with sg.RunStore(path) as store:
            return len(store.runs().table)
    except sg.StoreError:  # it is being made
        return 0


def test_it_stops_when_the_predicted_regret_is_small():
    found = minimize(budget=60, stop=sg.regret(0.05))
    assert found.converged
    assert found.nfev < 60
    assert found.message.startswith("the best run is within ")
    a, b = np.linalg.solve([[2, 0.3], [0.3, 1]], [2, 4])
    assert found.fun - ((a - 1) ** 2 + 0.5 * (b - 4) ** 2 + 0.3 * a * b) < 0.05
    with pytest.raises(ValueError, match="tolerance must be positive, got 0"):
        sg.regret(0)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 95"):
        sg.regret(1, 95)


def test_a_callback_sees_every_run_and_ends_it():
    seen = []

    def callback(optimizer):
        seen.append(sum(t.status != "pending" for t in optimizer.trials))
        return len(seen) == 9

    found = minimize(callback=callback)
    assert seen == list(range(1, 10))
    assert found.nfev == 9
    assert found.message == "the callback ended it"


def test_time_ends_it():
    began = time.monotonic()
    found = minimize(budget=None, seconds=0.5)
    assert time.monotonic() - began < 10
    assert found.nfev >= 1
    assert found.message == "the 0.5 s were over"


def test_a_space_that_is_used_up_ends_it():
    @sg.simulator(space=sg.Space(n=sg.Integer(1, 5)), outputs=["y"])
    def small(n):
        return {"y": (n - 2) ** 2}

    found = sg.minimize(small, "y", budget=50, n_jobs=0, rng=0)
    assert found.nfev == 5
    assert found.x == {"n": 2}
    assert found.message == "every point of the space was run"


def test_failures_are_counted_and_told():
    found = minimize(constraints="z >= 18", budget=16)
    failed = found.history[found.history["status"] == "failed"]
    assert len(failed) >= 1
    assert (failed["a"] > 9).all()
    assert failed["error"].str.contains("no answer there").all()
    assert found.nfev == 16
    assert found.success
    assert found.met == {"z >= 18": True}
    assert found.outputs["z"] >= 18


def test_several_objectives_give_a_front():
    found = sg.minimize(bowl, ["y", "-z"], budget=18, n_jobs=0, rng=0)
    assert found.fun == (found.outputs["y"], -found.outputs["z"])
    assert found.knee in found.front.index
    assert np.isnan(found.regret_bound)
    assert (np.diff(found.history["hypervolume"]) >= 0).all()


def test_levels_are_paid_by_their_cost():
    found = sg.minimize(leveled, "y", budget=8, n_jobs=0, rng=0)
    levels = found.history["level"]
    assert 8 <= (levels == 0).sum() + 0.1 * (levels == 1).sum() < 9
    assert (levels == 1).any()
    assert found.outputs["y"] == (6 * found.x["a"] - 2) ** 2 * np.sin(12 * found.x["a"] - 4)


@pytest.mark.parametrize("batch", [4, 8])
def test_a_batch_over_levels_does_not_overspend(batch):
    found = sg.minimize(leveled, "y", budget=4, batch=batch, n_jobs=0, rng=0)
    levels = found.history["level"]
    assert 4 <= (levels == 0).sum() + 0.1 * (levels == 1).sum() < 5


def test_levels_are_modelled_after_a_design_at_the_truest_only():
    before = sg.run(leveled, sg.sobol(leveled.space, 6, rng=0), n_jobs=0)
    found = sg.minimize(leveled, "y", budget=4, n_jobs=0, rng=0, runs=before)
    assert found.success
    assert (found.history["level"] == 1).any()


def test_the_best_run_is_told_by_its_id():
    found = sg.minimize(leveled, "y", budget=6, n_jobs=0, rng=0)
    assert found.history.loc[found.id, "level"] == 0
    assert found.history.loc[found.id, "y"] == found.fun
    assert found.at_truest.sum() == (found.history["level"] == 0).sum()


def test_failed_proposals_are_run_again_once_the_cause_is_mended(tmp_path):
    licence = tmp_path / "licence"

    def made():
        @sg.simulator(space=sg.Space(x=sg.Real(-2, 2)), outputs=["y"], name="licensed", version="1")
        def licensed(x):
            if x > 0.5 and not licence.exists():
                raise ValueError("licence server down")
            return {"y": (x - 1) ** 2}

        return licensed

    options = {"budget": 8, "n_jobs": 0, "rng": 0, "store": tmp_path / "l.db"}
    first = sg.minimize(made(), "y", **options)
    assert first.failures == {"ValueError: licence server down": int((first.history["status"] == "failed").sum())}
    assert first.failures.total() >= 1
    licence.touch()
    assert sg.minimize(made(), "y", **options).failures == first.failures
    again = sg.minimize(made(), "y", rerun_failures=True, **options)
    assert again.failures.total() == 0
    assert again.history["x"].tolist() == first.history["x"].tolist()
    assert again.fun == again.history["y"].min() < first.fun


def test_a_regret_of_several_objectives_is_refused_before_anything_is_run(tmp_path):
    with pytest.raises(ValueError, match=r"stop=regret\(...\) is of one objective"):
        sg.minimize(bowl, ["y", "z"], budget=40, stop=sg.regret(1e-3), n_jobs=0, rng=0, store=tmp_path / "r.db")
    with sg.RunStore(tmp_path / "r.db") as store:
        assert len(store.runs()) == 0


def test_a_simulator_that_draws_is_taken_to_be_noisy():
    first, again = (sg.minimize(noisy, "y", budget=12, n_jobs=0, rng=0) for _ in range(2))
    assert first.history.equals(again.history)
    assert abs(first.x["a"] - 1) < 2


def test_mistakes_are_told():
    for options, kind, told in [
        ({"budget": -1}, ValueError, "budget must be a positive number, got -1"),
        ({"budget": True}, ValueError, "budget must be a positive number, got True"),
        ({"seconds": 0}, ValueError, "seconds must be a positive number, got 0"),
        ({"batch": 1.5}, ValueError, "batch must be a whole number, got 1.5"),
        ({"budget": np.inf}, ValueError, "budget must be a positive number, got inf"),
        ({"budget": "30"}, ValueError, "budget must be a positive number, got '30'"),
        ({"rng": -1}, ValueError, "rng must be a whole number, under which the proposals are stored"),
        ({"rng": np.random.default_rng(0)}, ValueError, "rng must be a whole number"),
        ({"runs": pd.DataFrame({"a": [1.0]})}, TypeError, "runs must be what run() returned"),
        ({"constraints": "zz >= 0"}, ValueError, "no scalar output 'zz'; did you mean 'z'?"),
    ]:
        with pytest.raises(kind) as caught:
            minimize(**options)
        assert told in str(caught.value)
    with pytest.raises(ValueError, match="no scalar output 'wave'"):
        sg.minimize(bowl, "wave")
    with pytest.raises(TypeError, match="simulator must be a Simulator"):
        sg.minimize(lambda x: x, "y")


def test_a_store_of_another_simulator_is_refused(tmp_path):
    minimize(tmp_path / "a.db", budget=3)
    with pytest.raises(sg.StoreMismatchError):
        sg.minimize(noisy, "y", store=tmp_path / "a.db", budget=3)
