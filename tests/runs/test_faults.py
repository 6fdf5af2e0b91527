"""The fault matrix: whatever befalls a run, a process or the disk is recorded, costs nothing else, and loses nothing.

``pytest tests -k faults`` runs it; external programs' faults are in tests/connectors.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import surrogate as sg

from . import sims

# What a run does, the status it must get, and what its error must tell.
RUN_FAULTS = {
    "raise": ("failed", "ValueError: no square of 0.5"),
    "sysexit": ("failed", "SystemExit: 5"),
    "recursion": ("failed", "RecursionError"),
    "unpicklable_error": ("failed", "UnpicklableError"),
    "exit": ("crashed", "exited with code 3"),
    "segv": ("crashed", "killed by SIGSEGV"),
    "kill": ("crashed", "killed by SIGKILL"),
    "hang": ("timeout", "no answer within the timeout of 1.5 s"),
    "hang_child": ("timeout", "no answer within the timeout of 1.5 s"),
    "hang_compiled": ("timeout", "no answer within the timeout of 1.5 s"),
    "nan": ("invalid", "output 'square' is nan"),
    "inf": ("invalid", "series 'wave' is inf at time = 1"),
    "shape": ("invalid", r"series 'wave' must have shape (3,), got (4,)"),
    "missing": ("invalid", "missing output 'wave'"),
    "extra": ("invalid", "unknown output 'cube'"),
    "text": ("invalid", "output 'square' must be one number, got 'large'"),
    "unpicklable": ("invalid", "output 'square' must be one number, got <function"),
    "no_mapping": ("invalid", "must return a mapping from output to value, got list"),
}
GOOD = [{"x": i / 10, "mode": "ok"} for i in range(10)]


@pytest.fixture(scope="module")
def faulty_store(tmp_path_factory):
    """One run of every fault among ten good ones, on two workers."""
    store = tmp_path_factory.mktemp("faults") / "runs.db"
    bad = [{"x": 0.5, "mode": mode} for mode in RUN_FAULTS]
    order = [*GOOD[:3], *bad[:9], *GOOD[3:6], *bad[9:], *GOOD[6:]]
    sg.run(sims.misbehaving, order, store=store, n_jobs=2, timeout=1.5)
    return store


@pytest.fixture(scope="module")
def faulty(faulty_store):
    return sg.RunStore(faulty_store).runs()


@pytest.mark.parametrize("mode", RUN_FAULTS)
def test_the_run_is_recorded_with_its_cause(faulty, mode):
    row = faulty.failures[faulty.failures["mode"] == mode].iloc[0]
    status, error = RUN_FAULTS[mode]
    assert row["status"] == status
    assert error in row["error"]


def test_the_other_runs_are_untouched(faulty):
    assert len(faulty) == len(GOOD) + len(RUN_FAULTS)
    assert faulty.counts["done"] == len(GOOD)
    np.testing.assert_array_equal(faulty.outputs["square"], faulty.inputs["x"] ** 2)
    np.testing.assert_array_equal(faulty.series("wave"), np.outer(faulty.inputs["x"], [0, 1, 2]))


def test_a_hung_run_is_killed_with_its_children(faulty):
    # The search must not find itself: the pattern is no part of pgrep's own name.
    assert subprocess.run(["pgrep", "-f", "sleep 600.125"], capture_output=True).returncode == 1


def test_the_error_shows_the_simulators_own_frames_only(faulty):
    error = faulty.failures.set_index("mode").loc["raise", "error"]
    assert "sims.py" in error
    assert "surrogate/runs" not in error
    assert "surrogate/simulation.py" not in error


def test_health_counts_causes_and_tells_where(faulty):
    health = faulty.health()
    assert health.loc["done", "runs"] == len(GOOD)
    assert health.loc["timeout", "commonest_cause"] == "no answer within the timeout of 1.5 s"
    assert health["runs"].sum() == len(faulty)
    first = faulty.failure_regions().iloc[0]
    assert first["input"] == "mode"  # the modes say exactly what fails
    assert (first["failures"], first["rate"], first["rate_elsewhere"]) == (len(RUN_FAULTS), 1.0, 0.0)


class Noted(ValueError):
    def __init__(self, text):
        super().__init__(text)
        self.add_note("a note")


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ValueError("no mesh\nsee the log\n\n  at once"), "ValueError: no mesh"),
        (Noted("no mesh"), "Noted: no mesh"),
        (ExceptionGroup("two", [ValueError("one"), TypeError("other")]), "ExceptionGroup: two (2 sub-exceptions)"),
        (sg.SimulatorError("solver exited with code 3\nthe run's folder is /tmp/x"), "solver exited with code 3"),
    ],
)
@pytest.mark.parametrize("led_to", [False, True])
def test_a_cause_is_told_by_what_was_raised(error, cause, led_to):
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def raises(x):
        if led_to:
            raise error from OSError("licence\nserver")
        raise error

    told = sg.run(raises, [[0.5]], n_jobs=0).health()["commonest_cause"]["failed"]
    assert told.endswith(cause)


def test_a_cause_is_the_first_line_of_what_is_no_traceback():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def aborts(x):
        os.abort()

    health = sg.run(aborts, [[0.5]], n_jobs=1).health()
    assert health["commonest_cause"]["crashed"] == "the worker process was killed by SIGABRT (6)"


def test_resuming_runs_only_what_is_missing(faulty_store, faulty):
    more = [*GOOD, {"x": 0.5, "mode": "raise"}, {"x": 0.95, "mode": "ok"}]
    runs = sg.run(sims.misbehaving, more, store=faulty_store, n_jobs=1)
    assert runs.counts["done"] == 11
    before = faulty.table.set_index(["x", "mode"])["started"].to_dict()
    after = runs.table.set_index(["x", "mode"])["started"].to_dict()
    assert {key for key in after if after[key] != before.get(key)} == {(0.95, "ok")}


def test_a_run_that_kills_its_process_after_its_end_is_found():
    modes = ["ok", "late", "ok"]
    runs = sg.run(sims.misbehaving, [{"x": i / 4, "mode": mode} for i, mode in enumerate(modes)], n_jobs=1)
    # It may have been faster than its murderer; then it is done.
    assert runs.counts["done"] + runs.counts["crashed"] == 3
    assert runs.table["status"][[0, 2]].tolist() == ["done", "done"]


def test_a_result_of_100_megabytes_arrives_and_is_stored(tmp_path):
    runs = sg.run(sims.hungry, [{"mode": "ok"}], store=tmp_path / "runs.db", n_jobs=1, timeout=60)
    assert runs.arrays["big"][0].nbytes == 100_000_000


def test_a_crash_is_told_by_what_was_printed_last_however_much_came_before():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def talkative(x):
        if x > 0.5:
            os.write(1, b"the cause")
            os._exit(3)
        os.write(1, b"a" * 2_000_000)
        return {"y": x}

    error = sg.run(talkative, [{"x": 0.1}, {"x": 0.9}], n_jobs=1).failures["error"][1]
    assert error == "the worker process exited with code 3; it printed last:\nthe cause"


def test_the_memory_limit_ends_the_run_only():
    runs = sg.run(sims.hungry, [{"mode": "greedy"}, {"mode": "ok"}], n_jobs=1, memory=3 * 2**30)
    assert runs.table["status"].tolist() == ["failed", "done"]
    assert "MemoryError" in runs.table["error"][0]


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


# The parent

STUDY = """
import sys
import surrogate as sg
from tests.runs import sims
design = sg.sobol(sims.counted.space, {n}, rng=0).assign(log="count.txt")
if __name__ == "__main__":
    sg.run(sims.counted, design, store="runs.db", n_jobs=2)
    print("all done")
"""
PROJECT = str(Path(__file__).parents[2])


def launch(folder: Path, n: int = 400) -> subprocess.Popen[str]:
    (folder / "script.py").write_text(STUDY.format(n=n))
    return subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([PROJECT, os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start(folder: Path) -> subprocess.Popen[str]:
    process = launch(folder)
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


@pytest.mark.parametrize("sent", ["SIGINT", "SIGTERM", "SIGKILL", "SIGINT twice"])
def test_a_stopped_study_keeps_what_was_finished_and_goes_on(tmp_path, sent):
    process = start(tmp_path)
    started = children(process)
    assert len(started) == 3
    number = getattr(signal, sent.split()[0])
    process.send_signal(number)
    if "twice" in sent:
        time.sleep(0.05)
        process.send_signal(number)
    began = time.monotonic()
    _, errors = process.communicate(timeout=10)
    assert time.monotonic() - began < 5
    assert process.returncode != 0
    if sent != "SIGKILL":
        assert "KeyboardInterrupt" in errors
    while alive(started) and time.monotonic() - began < 5:
        time.sleep(0.1)
    assert not alive(started)

    begun = (tmp_path / "count.txt").read_text().splitlines()
    stored = sg.RunStore(tmp_path / "runs.db").runs()
    assert 0 < len(stored) < 400
    # Begun and not stored: at most what the two workers had in hand and not delivered.
    assert len(begun) - len(stored) <= (2 if sent in ("SIGINT", "SIGTERM") else 8)

    output, _ = launch(tmp_path).communicate(timeout=60)
    assert "all done" in output
    assert sg.RunStore(tmp_path / "runs.db").runs().counts["done"] == 400
    again = (tmp_path / "count.txt").read_text().splitlines()[len(begun) :]
    assert len(again) == 400 - len(stored)


@pytest.mark.slow
def test_twenty_kills_at_random_times_lose_no_stored_run(tmp_path):
    rng = np.random.default_rng(0)
    stored: set[str] = set()

    def begun() -> int:
        log = tmp_path / "count.txt"
        return len(log.read_text().splitlines()) if log.exists() else 0

    for _ in range(20):
        process = launch(tmp_path, n=600)
        # At any moment: while starting, running or committing.
        goal, until = begun() + int(rng.integers(0, 25)), time.monotonic() + 60
        while begun() < goal and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(float(rng.uniform(0, 0.05)))
        process.kill()
        process.communicate()
        if (tmp_path / "runs.db").exists() and not (store := sg.RunStore(tmp_path / "runs.db")).is_empty:
            now = set(store.statuses())
            assert stored <= now
            stored = now
    assert 0 < len(stored) < 600, "the kills must fall into the study"
    output, _ = launch(tmp_path, n=600).communicate(timeout=120)
    assert "all done" in output
    assert sg.RunStore(tmp_path / "runs.db").runs().counts["done"] == 600


# The disk

DESIGN = sg.sobol(sims.counted.space, 64, rng=0).assign(log="")


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", disk], check=True)


@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=[sg.Series("bulk", at=range(1000))])
def bulky(x):
    """8 kB a run."""
    time.sleep(0.002)
    return {"bulk": np.full(1000, x)}


def test_a_full_disk_loses_no_finished_run(small_disk):
    design = sg.sobol(bulky.space, 128, rng=0)
    target = small_disk / "runs.db"
    with pytest.raises(sg.StoreError, match=r"(disk is full|I/O error).*merge") as caught:
        sg.run(bulky, design, store=target, n_jobs=2)
    stored = len(sg.RunStore(target).runs())
    rescued = str(caught.value).split(" are in ")[1].split(": when")[0]
    saved = len(sg.RunStore(rescued).runs())
    assert saved > 0
    # The cause is mended.
    subprocess.run(["mount", "-o", "remount,size=16m", small_disk], check=True)
    assert sg.RunStore(target).merge(rescued) == saved
    runs = sg.run(bulky, design, store=target, n_jobs=2)
    assert runs.counts["done"] == 128
    assert (runs.series("bulk")[0.0] == runs.inputs["x"]).all()
    assert stored + saved < 128
    Path(rescued).unlink()


def test_a_file_size_limit_is_told_like_a_full_disk(tmp_path):
    script = f"""
import resource, sys
sys.path.insert(0, {PROJECT!r})
import surrogate as sg
from tests.runs.test_faults import bulky
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
sg.run(bulky, sg.sobol(bulky.space, 256, rng=0), store={str(tmp_path / "runs.db")!r}, n_jobs=0)
"""
    told = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stderr
    assert "StoreError" in told
    assert len(sg.RunStore(tmp_path / "runs.db").runs()) > 0


def test_a_read_only_store_is_refused_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        sg.run(sims.counted, DESIGN[:2], store=disk / "runs.db", n_jobs=0)
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        with pytest.raises(sg.StoreError, match="cannot be written"):
            sg.run(sims.counted, DESIGN.assign(log="count.txt"), store=disk / "runs.db", n_jobs=0)
        assert not Path("count.txt").exists()
        assert len(sg.RunStore(disk / "runs.db").runs()) == 2
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_second_parent_on_one_study_is_refused(tmp_path):
    first = start(tmp_path)
    try:
        with pytest.raises(sg.StoreError, match=rf"being written by process {first.pid}.*postgresql"):
            sg.run(sims.counted, DESIGN, store=tmp_path / "runs.db")
    finally:
        first.kill()
        first.communicate()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
def test_a_truncated_log_loses_its_end_only(tmp_path, kept):
    process = start(tmp_path)
    process.kill()
    process.communicate()
    log = tmp_path / "runs.db-wal"
    size = log.stat().st_size
    assert size > 0
    os.truncate(log, int(size * kept))
    store = sg.RunStore(tmp_path / "runs.db")
    before = 0 if store.is_empty else len(store.runs())
    with store._database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    store.close()
    begun = len((tmp_path / "count.txt").read_text().splitlines())
    output, _ = launch(tmp_path).communicate(timeout=60)
    assert "all done" in output
    assert len((tmp_path / "count.txt").read_text().splitlines()) - begun == 400 - before


def test_a_changed_simulator_is_refused_on_resume(tmp_path):
    store = tmp_path / "runs.db"
    sg.run(sims.counted, DESIGN[:3], store=store, n_jobs=0)
    changed = sg.simulator(space=sims.counted.space, outputs=["y"], version="2", name="counted")(sims.counted.function)
    with pytest.raises(sg.StoreMismatchError, match=r"version '1', not '2'.*name another store"):
        sg.run(changed, DESIGN, store=store, n_jobs=0)
    assert len(sg.RunStore(store).runs()) == 3
