"""The run store: what goes in comes out, and nothing is mixed."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import sqlite3
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

import surrogate as sg
from surrogate.runs.export import export
from surrogate.runs.ids import run_ids
from surrogate.runs.outcome import Outcome, Task

SPACE = sg.Space(
    {
        "x": sg.Real(-1e300, 1e300),
        "X": sg.Real.distributed(scipy.stats.norm(0, 1)),
        "odd name, with 'quotes\"": sg.Integer(-(2**40), 2**40),
        "level": sg.Ordinal([1, 2.5, 10]),
        "flag": sg.Categorical([True, False]),
        "kind": sg.Categorical(["clean", "flap"]),
    }
)
OUTPUTS = ["y", "Y", sg.Series("trace", at=[0, 1], coordinate="time")]


def echo(**inputs):
    raise NotImplementedError("never run: outcomes are made by hand")


SIMULATOR = sg.simulator(space=SPACE, outputs=OUTPUTS, name="echo")(echo)


def outcome(key, status="done", y=1.0, trace=(0, 1), started=0.0):
    outputs = {"y": y, "Y": -y, "trace": np.asarray(trace)} if status == "done" else None
    return Outcome(key, status, outputs, "" if status == "done" else "why", started, 0.5, 1)


@settings(max_examples=30, deadline=None)
@given(
    u=st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=1, max_size=5),
    y=st.floats(allow_nan=False, allow_infinity=False),
    dtype=st.sampled_from(["<f4", "<f8", "<i2", "|u1", "|b1"]),
)
def test_values_and_types_come_back_exactly(tmp_path_factory, u, y, dtype):
    points = SPACE.from_unit(u)
    store = sg.RunStore(tmp_path_factory.mktemp("store") / "runs.db")
    store.open_study(SIMULATOR)
    trace = np.array([0, 1], dtype=dtype)
    rows = points.to_dict("records")
    store.add([(i, Task(f"{i:02d}", row), outcome(f"{i:02d}", y=y, trace=trace)) for i, row in enumerate(rows)])
    store.close()
    runs = sg.RunStore(store.target).runs()
    pd.testing.assert_frame_equal(runs.inputs, points, check_index_type=False)
    assert (runs.outputs["y"] == y).all()
    assert (runs.outputs["Y"] == -y).all()
    for stored in runs.arrays["trace"]:
        assert stored.dtype == trace.dtype
        np.testing.assert_array_equal(stored, trace)


def test_two_spellings_of_a_name_do_not_meet_in_the_database(tmp_path):
    # SQLite's column names know no upper and lower case.
    store = sg.RunStore(tmp_path / "runs.db")
    store.open_study(SIMULATOR)
    with sqlite3.connect(tmp_path / "runs.db") as database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(runs)")]
    assert "in_x" in columns
    assert "out_y" in columns
    assert len({name.lower() for name in columns}) == len(columns)


def test_a_done_run_is_never_replaced_by_a_failure(tmp_path):
    store = sg.RunStore(tmp_path / "runs.db")
    store.open_study(SIMULATOR)
    task = Task("a", SPACE.from_unit([[0.5] * 6]).to_dict("records")[0])
    store.add([(0, task, outcome("a", "failed"))])
    assert store.statuses() == {"a": "failed"}
    store.add([(7, task, outcome("a", y=3.0))])
    store.add([(8, task, outcome("a", "crashed"))])
    runs = store.runs()
    assert runs.counts["done"] == 1
    assert runs.outputs["y"].tolist() == [3.0]
    assert store.next_number() == 1  # the first number stays


def test_runs_come_in_the_order_of_their_numbers():
    store = sg.RunStore()
    store.open_study(SIMULATOR)
    points = SPACE.from_unit(np.linspace(0, 1, 18).reshape(3, 6)).to_dict("records")
    for i in (2, 0, 1):
        store.add([(i, Task(str(i), points[i]), outcome(str(i), y=float(i)))])
    assert store.runs().outputs["y"].tolist() == [0.0, 1.0, 2.0]
    chosen = store.runs(["2", "absent", "0"], pd.Index(["p", "q", "r"]))
    assert chosen.outputs["y"].to_dict() == {"p": 2.0, "r": 0.0}


def changed(**change):
    options = {"space": SPACE, "outputs": OUTPUTS, "name": "echo", "version": "1"} | change
    return sg.simulator(**options)(echo)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "other"}, "simulator 'echo', not 'other'"),
        ({"version": "2"}, "version '1', not '2'"),
        ({"outputs": [sg.Output("y", unit="m"), *OUTPUTS[1:]]}, "output 'y' with another unit"),
        ({"outputs": [*OUTPUTS[:2], sg.Series("trace", at=[0, 1, 2])]}, "output 'trace' with another unit or coord"),
        ({"outputs": ["y"]}, r"outputs \['y', 'Y', 'trace'\], not \['y'\]"),
        ({"space": sg.Space({**SPACE, "x": sg.Real(0, 1)})}, r"'x': \[-1e\+300, 1e\+300\], not \[0, 1\]"),
        ({"space": sg.Space({**SPACE, "z": sg.Real(0, 1)})}, "another space .*without z"),
    ],
)
def test_runs_of_another_model_are_refused_with_the_way_out(tmp_path, change, message):
    with sg.RunStore(tmp_path / "runs.db") as store:
        store.open_study(SIMULATOR)
    with (
        sg.RunStore(tmp_path / "runs.db") as store,
        pytest.raises(sg.StoreMismatchError, match=f"(?s){message}.*name another store"),
    ):
        store.open_study(changed(**change))


def test_units_and_descriptions_may_change(tmp_path):
    with sg.RunStore(tmp_path / "runs.db") as store:
        store.open_study(SIMULATOR)
    relabelled = sg.Space({**SPACE, "x": sg.Real(-1e300, 1e300, unit="m", description="length")})
    with sg.RunStore(tmp_path / "runs.db") as store:
        store.open_study(changed(space=relabelled))
        assert store.space == SPACE  # the stored description stays


def test_a_second_writer_is_refused_and_readers_are_not(tmp_path):
    with sg.RunStore(tmp_path / "runs.db") as store:
        store.open_study(SIMULATOR)
        second = sg.RunStore(tmp_path / "runs.db")
        assert len(second.runs()) == 0
        with pytest.raises(sg.StoreError, match="being written by this process, through another RunStore"):
            second.open_study(SIMULATOR)
        # By another name it is the same file.
        (tmp_path / "linked.db").symlink_to("runs.db")
        with pytest.raises(sg.StoreError, match=r"linked\.db is being written by this process"):
            sg.RunStore(tmp_path / "linked.db").open_study(SIMULATOR)
    second.open_study(SIMULATOR)


@pytest.mark.parametrize("closes", [False, True])
def test_a_forked_process_neither_keeps_the_lock_nor_gives_it_back(tmp_path, closes):
    store = sg.RunStore(tmp_path / "runs.db")
    store.open_study(SIMULATOR)
    (ours, theirs), (waits, ended) = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        if closes:
            store._database.lock.release()
        os.write(theirs, b"1")
        os.close(ended)
        os.read(waits, 1)
        os._exit(0)
    os.read(ours, 1)
    try:
        with pytest.raises(sg.StoreError, match="being written by this process"):
            sg.RunStore(tmp_path / "runs.db").open_study(SIMULATOR)
        store.close()
        sg.RunStore(tmp_path / "runs.db").open_study(SIMULATOR)
    finally:
        os.close(ended)
        os.waitpid(child, 0)


def test_what_is_no_store_is_named(tmp_path):
    (tmp_path / "text.db").write_text("this is no database, but a text that is long enough to be looked at" * 20)
    with pytest.raises(sg.StoreError, match="not a database"):
        sg.RunStore(tmp_path / "text.db")
    with pytest.raises(sg.StoreError, match="is a folder"):
        sg.RunStore(tmp_path)
    with pytest.raises(sg.StoreError, match="there is no folder"):
        sg.RunStore(tmp_path / "absent" / "runs.db")
    with pytest.raises(sg.StoreError, match="holds no runs yet"):
        sg.RunStore(tmp_path / "new.db").runs()


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    with sg.RunStore(tmp_path / "runs.db") as store:
        store.open_study(SIMULATOR)
    with sqlite3.connect(tmp_path / "runs.db") as database:
        database.execute("UPDATE study SET value = '99' WHERE key = 'schema'")
    with pytest.raises(sg.StoreError, match=r"schema 99.*update surrogate-learn"):
        sg.RunStore(tmp_path / "runs.db")


@pytest.mark.parametrize("prefix", ["", "sqlite:///"])
def test_commits_survive_on_disk_in_full_synchronous_mode(tmp_path, prefix):
    store = sg.RunStore(f"{prefix}{tmp_path / 'runs.db'}")
    with store._database.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_the_file_alone_of_a_store_that_was_not_closed_is_a_store(tmp_path):
    def copied():
        shutil.copy(tmp_path / "runs.db", tmp_path / "copy.db")
        return sg.RunStore(tmp_path / "copy.db").runs()

    store = sg.RunStore(tmp_path / "runs.db")
    store.open_study(SIMULATOR)
    assert len(copied()) == 0
    points = SPACE.from_unit(np.random.default_rng(1).random((80, 6))).to_dict("records")
    for i, point in enumerate(points):
        store.add([(i, Task(f"{i}", point), outcome(f"{i}", trace=(i, 1.0)))])
    assert len(copied()) >= 40


@pytest.mark.parametrize(
    ("parameter", "output", "told"),
    [
        ("seconds", "y", "parameter 'seconds' is the name of another column"),
        ("x", "error", "output 'error' is the name of another column"),
        ("x", "level", "output 'level' is the name of another column"),
        ("x", "x", r"output 'x' is the name of another column .*started, level, x\); call it otherwise"),
    ],
)
def test_a_name_that_hides_a_column_of_the_runs_is_refused(parameter, output, told):
    space = sg.Space({parameter: sg.Real(0, 1)})
    taken = sg.simulator(space=space, outputs=[output], name="echo", levels={0: 1, 1: 2})(echo)
    with pytest.raises(ValueError, match=told):
        sg.RunStore().open_study(taken)


def test_odd_file_names_and_error_texts_are_kept(tmp_path):
    for name in ("a?b=c.db", "p%20q.db"):
        with sg.RunStore(tmp_path / name) as store:
            store.open_study(SIMULATOR)
            task = Task("a", SPACE.from_unit([[0.5] * 6]).to_dict("records")[0])
            store.add([(0, task, outcome("a", "failed")._replace(error="no file \udcff\x00.txt"))])
            assert store.runs().failures["error"].tolist() == ["no file \\udcff\\0.txt"]
        assert (tmp_path / name).exists()


def test_runs_of_several_designs_are_told_of_none(tmp_path):
    first, second = sg.sobol(SPACE, 4, rng=1), sg.latin_hypercube(SPACE, 3, rng=2)
    with sg.RunStore(tmp_path / "runs.db") as store:
        sg.run(SIMULATOR, first, store=store, n_jobs=0)
        assert store.runs().design == {"sampler": "sobol", "seed": 1, "n": 4}
        assert sg.run(SIMULATOR, second, store=store, n_jobs=0).design["sampler"] == "latin_hypercube"
        runs = store.runs()
        assert [session["design"]["sampler"] for session in runs.sessions] == ["sobol", "latin_hypercube"]
        assert runs.design == {}
    page = sg.report(tmp_path / "report.md", runs=runs).read_text()
    assert "design with seed" not in page
    assert "sampler latin_hypercube" in page


def test_a_session_tells_who_ran_it(tmp_path):
    store = sg.RunStore(tmp_path / "runs.db")
    store.open_study(SIMULATOR)
    task = Task("a", SPACE.from_unit([[0.5] * 6]).to_dict("records")[0])
    store.add([(0, task, outcome("a"))])
    store.add([(0, task, outcome("a"))])
    (session,) = store.sessions()
    assert session["versions"]["numpy"] == np.__version__
    assert {"time", "host", "process", "git_commit"} <= set(session)
    assert json.loads(json.dumps(session)) == session


@given(st.lists(st.lists(st.floats(0, 1), min_size=6, max_size=6), min_size=2, max_size=6))
@settings(deadline=None)
def test_run_ids_are_equal_exactly_for_equal_rows(u):
    points = SPACE.from_unit(u)
    ids = run_ids(SPACE, points)
    rows = [tuple(row) for row in points.itertuples(index=False)]
    for i in range(len(rows)):
        for j in range(i):
            assert (ids[i] == ids[j]) == (rows[i] == rows[j])
    numbered = run_ids(SPACE, points, replicates=True)
    assert len(set(numbered)) == len(rows)
    # The first of equal rows keeps the plain id, whatever else the design holds.
    assert numbered[0] == ids[0]


def test_a_store_of_version_1_is_read_and_brought_up_to_date(tmp_path):
    # Written by the first release; its simulator has a seed, a failure and a series.
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as database:
        database.executescript((Path(__file__).parent / "data" / "store_version_1.sql").read_text())
    before = sg.RunStore(path).runs()
    assert before.counts == {"done": 2, "failed": 1, "timeout": 0, "crashed": 0, "invalid": 0}
    assert before.levels == {}

    def old(x, n, kind, seed):
        return {"y": x * n, "w": [x, n]}

    outputs = ["y", sg.Series("w", at=[0.0, 1.0], coordinate="time")]
    simulator = sg.simulator(space=before.space, outputs=outputs, name="old", version="1")(old)
    design = [{"x": 0.5, "n": 2, "kind": "a"}, {"x": 0.75, "n": 1, "kind": "a"}]
    after = sg.run(simulator, design, store=path, n_jobs=0)
    assert after.outputs["y"].tolist() == [1.0, 0.75]
    assert after.table["seed"][0] == before.table["seed"][0]
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT value FROM study WHERE key = 'schema'").fetchone() == ("2",)
        assert database.execute("SELECT count(*) FROM claims").fetchone() == (0,)


def rows(*numbers, status="done", y=1.0):
    points = SPACE.from_unit(np.random.default_rng(1).random((10, 6))).to_dict("records")
    return [(i, Task(f"{i}", points[i]), outcome(f"{i}", status, y=y, trace=(i, y))) for i in numbers]


def test_merged_stores_hold_each_run_once_and_the_better_of_two(tmp_path):
    with sg.RunStore(tmp_path / "a.db") as first, sg.RunStore(tmp_path / "b.db") as second:
        for store in (first, second):
            store.open_study(SIMULATOR)
        first.add(rows(0, 1) + rows(2, status="crashed"))
        second.add(rows(1, 2, 3, y=7.0) + rows(4, status="failed"))
    merged = sg.RunStore(tmp_path / "c.db")
    assert merged.merge(tmp_path / "a.db") == 3
    assert merged.merge(tmp_path / "b.db") == 3
    assert merged.merge(tmp_path / "b.db") == 0
    runs = merged.runs()
    assert runs.outputs["y"].tolist() == [1.0, 1.0, 7.0, 7.0]
    # The series belongs to the run that was kept.
    np.testing.assert_array_equal(runs.series("trace"), [[0, 1], [1, 1], [2, 7], [3, 7]])
    assert runs.counts["failed"] == 1
    assert len(runs.sessions) == 3  # the second merge of b told of b's session once more
    other = sg.RunStore(tmp_path / "other.db")
    other.open_study(changed(version="2"))
    with pytest.raises(sg.StoreMismatchError, match="version '1', not '2'"):
        merged.merge(other)


def test_merged_stores_keep_the_replicates_of_both(tmp_path):
    space = sg.Space(x=sg.Real(0, 1), kind=sg.Categorical(["a", "b"]))

    @sg.simulator(space=space, outputs=["y", sg.Series("w", at=[0, 1])], levels={0: 2, 1: 1})
    def noisy(x, kind, seed, level):
        return {"y": float(seed % 1000), "w": [seed % 1000, level]}

    design = pd.DataFrame({"x": [0.1, 0.2, 0.1], "kind": ["a", "b", "a"], "level": [0, 1, 0]})
    for rng in (0, 1):
        sg.run(noisy, design, store=tmp_path / f"{rng}.db", rng=rng, n_jobs=0)
    merged = sg.RunStore(tmp_path / "all.db")
    assert [merged.merge(tmp_path / f"{rng}.db") for rng in (0, 1, 1, 0)] == [3, 3, 0, 0]
    table = merged.runs().table
    parts = [sg.RunStore(tmp_path / f"{rng}.db").runs().table for rng in (0, 1)]
    assert table["seed"].tolist() == [seed for part in parts for seed in part["seed"]]
    assert merged.runs().series("w")[0].tolist() == [seed % 1000 for seed in table["seed"]]
    # They are the replicates that a run with more of them finds.
    found = sg.run(noisy, design.iloc[[0, 0, 0, 0, 1, 1]], store=merged, n_jobs=0)
    assert set(found.table["seed"]) == set(table["seed"])


def test_exported_files_hold_all_runs(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    store = sg.RunStore(tmp_path / "a.db")
    store.open_study(SIMULATOR)
    store.add(rows(0, 1) + rows(2, status="failed"))
    runs = store.runs()
    store.export(tmp_path / "runs.csv")
    read = pd.read_csv(tmp_path / "runs.csv")
    assert read["x"].tolist() == runs.table["x"].tolist()
    assert read["trace[1]"].tolist()[:2] == [1.0, 1.0]
    assert read["trace[1]"].isna().tolist() == [False, False, True]
    assert read["status"].tolist() == ["done", "done", "failed"]
    store.export(tmp_path / "runs.parquet")
    table = parquet.read_table(tmp_path / "runs.parquet")
    assert table.column("trace").to_pylist() == [[0.0, 1.0], [1.0, 1.0], None]
    about = json.loads(table.schema.metadata[b"surrogate"])
    assert sg.Space.from_dict(about["space"]) == SPACE
    assert about["simulator"] == "echo"
    with pytest.raises(ValueError, match=r"use \.csv or \.parquet"):
        store.export(tmp_path / "runs.xlsx")


def test_values_of_several_types_and_coordinates_close_together_are_exported(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")

    @sg.simulator(
        space=sg.Space(fan=sg.Categorical(["off", 1]), size=sg.Ordinal([1, 2.5])),
        outputs=[sg.Series("near", at=[1e6, 1e6 + 1]), sg.Series("far", at=[1, 1e6])],
    )
    def fanned(fan, size):
        return {"near": [0, 1], "far": [2, 3]}

    runs = sg.run(fanned, [{"fan": "off", "size": 1}, {"fan": 1, "size": 2.5}], n_jobs=0)
    export(runs, tmp_path / "runs.parquet")
    table = parquet.read_table(tmp_path / "runs.parquet")
    assert table.column("fan").to_pylist() == ["off", "1"]
    assert table.column("size").to_pylist() == [1.0, 2.5]
    series = runs.to_frame(series="columns").filter(like="[")
    assert series.columns.tolist() == ["near[1000000.0]", "near[1000001.0]", "far[1]", "far[1e+06]"]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=30))
def test_failure_regions_have_the_best_range_of_all(pairs):
    @sg.simulator(space=sg.Space(n=sg.Integer(0, 9)), outputs=["y"])
    def fails(n, seed):
        return {"y": 0.0}

    store = sg.RunStore()
    store.open_study(fails)
    done = {"y": 0.0}
    store.add(
        (i, Task(str(i), {"n": n}, 1), Outcome(str(i), "failed" if bad else "done", None if bad else done, "", 0, 0, 1))
        for i, (n, bad) in enumerate(pairs)
    )
    regions = store.runs().failure_regions()
    n, bad = (np.array(column) for column in zip(*pairs, strict=True))
    if bad.all() or not bad.any():
        assert regions.empty
        return
    every = [((n >= a) & (n <= b)) for a in range(10) for b in range(a, 10)]
    best = max((bad[inside] - bad.mean()).sum() / len(n) for inside in every)
    assert regions["wracc"][0] == pytest.approx(best)


def test_failure_regions_follow_an_ordinals_own_order():
    levels = ["poor", "fair", "good", "best"]

    @sg.simulator(space=sg.Space(quality=sg.Ordinal(levels)), outputs=["y"])
    def fails(quality):
        return {"y": 0.0 if quality in ("poor", "best") else np.nan}

    region = sg.run(fails, [{"quality": level} for level in levels], n_jobs=0).failure_regions().iloc[0]
    assert region["where"] == "fair <= quality <= good"
    assert (region["runs"], region["failures"]) == (2, 2)


def test_long_even_series_are_described_by_their_ends():
    even = sg.Series("s", at=np.linspace(0, 1, 5000), unit="m")
    assert even.to_dict()["at"] == {"from": 0.0, "to": 1.0, "n": 5000}
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(even)).at, even.at)
    uneven = sg.Series("s", at=np.geomspace(1, 2, 5000))
    assert len(uneven.to_dict()["at"]) == 5000


def test_a_foreign_database_is_named(tmp_path):
    with sqlite3.connect(tmp_path / "other.db") as database:
        database.execute("CREATE TABLE study (name TEXT)")
        database.execute("INSERT INTO study VALUES ('a')")
    with pytest.raises(sg.StoreError, match="no run store"):
        sg.RunStore(tmp_path / "other.db")


def test_a_function_that_was_edited_is_warned_of_once(tmp_path, recwarn):
    def made(text):
        (tmp_path / "edited.py").write_text(
            "import surrogate as sg\n\n\n"
            "@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=['y'])\n"
            f"def edited(x):\n{text}"
        )
        return sg.load_simulator(f"{tmp_path / 'edited.py'}:edited")

    def run(simulator, n):
        recwarn.clear()
        sg.run(simulator, [{"x": (k + 0.5) / n} for k in range(n)], store=tmp_path / "runs.db", n_jobs=0)
        return [str(one.message) for one in recwarn if "the source of" in str(one.message)]

    assert run(made("    return {'y': x}\n"), 2) == []
    assert run(made("    'Told now.'\n    # And why.\n    return {\n        'y': x}\n"), 3) == []
    changed = made("    return {'y': 2 * x}\n")
    (told,) = run(changed, 4)
    assert "raise its version (now '1')" in told
    assert run(changed, 5) == []


def test_a_file_that_was_edited_runs_as_what_it_is_said_to_be(tmp_path):
    def loaded(factor):
        (tmp_path / "edited.py").write_text(
            "import surrogate as sg\n\n\n"
            "@sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=['y'])\n"
            f"def edited(x):\n    return {{'y': {factor} * x}}\n"
        )
        return sg.load_simulator(f"{tmp_path / 'edited.py'}:edited")

    old, new = loaded(2), loaded(3)
    assert [simulator(x=1) for simulator in (old, new)] == [{"y": 2}, {"y": 3}]
    # The old function goes on running where it is held, under its own source.
    sg.run(old, [{"x": 0.5}], store=tmp_path / "runs.db", n_jobs=0)
    with pytest.warns(UserWarning, match="the source of 'edited' has changed"):
        sg.run(new, [{"x": 0.25}], store=tmp_path / "runs.db", n_jobs=0)
