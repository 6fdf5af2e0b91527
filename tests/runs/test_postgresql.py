"""The same store on a server, with several processes on one study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.runs import claims
from surrogate.runs.ids import run_ids

from . import sims

DESIGN = sg.sobol(sims.counted.space, 120, rng=0).assign(log="")

# Waits until so many processes as are told are ready to begin, however slowly each of them starts.
SCRIPT = """
import glob, os, sys, time
import surrogate as sg
from tests.runs import sims
open(f"ready-{os.getpid()}", "w").close()
until = time.monotonic() + 60
while len(glob.glob("ready-*")) < int(sys.argv[2]) and time.monotonic() < until:
    time.sleep(0.01)
design = sg.sobol(sims.counted.space, 120, rng=0).assign(log="count.txt")
runs = sg.run(sims.counted, design, store=sys.argv[1], n_jobs=1)
print(runs.counts["done"])
"""


def launch(folder: Path, url: str, together: int = 1) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, url, str(together)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(folder: Path, lines: int) -> None:
    log, until = folder / "count.txt", time.monotonic() + 60
    while (not log.exists() or len(log.read_text().splitlines()) < lines) and time.monotonic() < until:
        time.sleep(0.02)


def test_all_that_a_file_keeps_a_server_keeps(postgresql, tmp_path):
    url = postgresql.new_database()
    design = [{"x": 0.5, "mode": mode} for mode in ("ok", "raise", "nan")]
    there = sg.run(sims.misbehaving, design, store=url, n_jobs=0)
    here = sg.run(sims.misbehaving, design, store=tmp_path / "runs.db", n_jobs=0)
    pd.testing.assert_frame_equal(there.outputs, here.outputs)
    assert there.table["status"].tolist() == here.table["status"].tolist()
    np.testing.assert_array_equal(there.series("wave"), here.series("wave"))
    again = sg.run(sims.misbehaving, design, store=url, n_jobs=0)
    assert again.table["started"].tolist() == there.table["started"].tolist()
    with pytest.raises(sg.StoreMismatchError):
        sg.run(sims.counted, DESIGN, store=url)
    noisy = postgresql.new_database()
    first = sg.run(sims.noisy, [{"x": 0.5}] * 2, store=noisy, rng=3, n_jobs=0)
    assert first.table["seed"].is_unique
    merged = sg.RunStore(tmp_path / "merged.db")
    assert merged.merge(noisy) == 2
    pd.testing.assert_frame_equal(merged.runs().outputs, first.outputs)


def test_two_processes_share_a_study_without_running_a_point_twice(postgresql, tmp_path):
    url = postgresql.new_database()
    both = [launch(tmp_path, url, together=2) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [output.strip() for output, _ in outputs] == ["120", "120"], outputs
    assert len((tmp_path / "count.txt").read_text().splitlines()) == 120
    stored = sg.RunStore(url)
    assert stored.runs().counts["done"] == 120
    assert len(stored.sessions()) == 2
    with stored._database.engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM claims").scalar() == 0


def opened(url, simulator=sims.counted):
    store = sg.RunStore(url)
    store.open_study(simulator)
    return store


def test_more_runs_than_a_statement_takes_are_claimed_at_once(postgresql):
    ids = [f"{i:024d}" for i in range(70_000)]
    one, two = (opened(url) for url in [postgresql.new_database()] * 2)
    assert one.claim(ids) == (ids, [])
    assert two.claim(ids) == ([], ids)
    one.release_claims()
    # What the driver refuses is no server that does not answer.
    began = time.monotonic()
    with pytest.raises(sg.StoreError, match="number of parameters"):
        one._database.read(lambda c: c.exec_driver_sql(f"SELECT {'%s,' * 69_999}%s", tuple(range(70_000))))
    assert time.monotonic() - began < 10


def test_a_run_in_this_process_that_outlasts_the_lease_stays_claimed(postgresql, monkeypatch):
    monkeypatch.setattr(claims, "LEASE_SECONDS", 0.8)
    url = postgresql.new_database()
    others = []

    @sg.simulator(space=sims.counted.space, outputs=["y"])
    def slow(x, log):
        time.sleep(2.0)
        others.extend(opened(url, slow).claim(list(held)))
        return {"y": x}

    held = run_ids(slow.space, DESIGN[:1])
    assert sg.run(slow, DESIGN[:1], store=url, n_jobs=0).counts["done"] == 1
    assert others == [[], held]


def test_faults_a_process_that_dies_leaves_its_points_to_the_others(postgresql, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where the simulator writes its log
    url = postgresql.new_database()
    process = launch(tmp_path, url)
    wait_for(tmp_path, 10)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    stored = len(sg.RunStore(url).runs())
    assert 0 < stored < 120
    with sg.RunStore(url)._database.engine.begin() as connection:
        held = connection.exec_driver_sql("SELECT count(*) FROM claims").scalar()
        assert held > 0
        # A minute passes.
        connection.exec_driver_sql(f"UPDATE claims SET expires = expires - {claims.LEASE_SECONDS}")
    runs = sg.run(sims.counted, DESIGN.assign(log=""), store=url, n_jobs=0)
    assert runs.counts["done"] == 120
    assert sg.run(sims.counted, DESIGN.assign(log="count.txt"), store=url, n_jobs=0).counts["done"] == 120


def test_faults_a_server_that_is_restarted_loses_nothing(postgresql, tmp_path):
    url = postgresql.new_database()
    process = launch(tmp_path, url)
    wait_for(tmp_path, 20)
    before = len(sg.RunStore(url).runs())
    postgresql.stop()
    threading.Timer(1.5, postgresql.start).start()
    output, errors = process.communicate(timeout=120)
    assert output.strip() == "120", errors
    assert "does not answer, trying again" in errors
    runs = sg.RunStore(url).runs()
    assert runs.counts["done"] == 120
    assert before > 0
    assert len((tmp_path / "count.txt").read_text().splitlines()) == 120


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.statuses(),
        lambda store: store.statuses(list(store.statuses())[:2]),
        lambda store: store.next_number(),
        lambda store: store.sessions(),
        lambda store: store.claim(list(store.statuses())),
        lambda store: store.runs().table.to_dict(),
        lambda store: store.runs().series("wave").to_dict(),
    ],
    ids=["statuses", "some statuses", "next number", "sessions", "claim", "table", "series"],
)
def test_faults_a_server_that_is_restarted_is_read_again(postgresql, read):
    url = postgresql.new_database()
    sg.run(sims.misbehaving, [{"x": 0.5, "mode": "ok"}, {"x": 0.7, "mode": "ok"}], store=url, n_jobs=0)
    store = sg.RunStore(url)
    before = read(store)
    postgresql.stop()
    threading.Timer(0.3, postgresql.start).start()
    assert read(store) == before


def test_a_server_that_is_not_there_is_told():
    with pytest.raises(sg.StoreError, match=r"(?i)connection.*refused"):
        sg.RunStore("postgresql+psycopg://postgres@127.0.0.1:1/none")
    with pytest.raises(sg.StoreError, match=r"a store is a file or a PostgreSQL database|No module named|plugin"):
        sg.RunStore("mysql+nothing://localhost/none")
