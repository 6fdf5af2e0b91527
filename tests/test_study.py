"""Studies and the command line, from the file to the report."""

from __future__ import annotations

import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from numpy.testing import assert_allclose

import surrogate as sg
from surrogate.cli import main
from surrogate.study.run import _emulate

SIMULATOR = """
import time
import surrogate as sg

@sg.simulator(space=sg.Space(x=sg.Real(0, 1), y=sg.Real(0, 1)), outputs=["z", sg.Series("s", at=[0, 1])], version="1")
def plane(x, y):
    "A plane."
    with open("count.txt", "a") as file:
        file.write("1")
    time.sleep(0.01)
    return {"z": x + y - 1.2, "s": [x, y]}
"""

STUDY = """
[simulator]
use = "plane.py:plane"

[design]
n = {n}
seed = 1

[run]
n_jobs = 2

[emulate]

[discover]
of_interest = {{ z = "{condition}" }}
min_support = 5
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plane.py").write_text(SIMULATOR)
    (tmp_path / "study.toml").write_text(STUDY.format(n=64, condition="> 0"))
    return tmp_path


def test_run_then_resume_then_report(folder, capsys):
    assert main(["run", "study.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "report: report.html"
    assert "Where it is of interest" in (folder / "report.html").read_text()
    assert (folder / "count.txt").read_text() == "1" * 64
    (folder / "report.html").unlink()
    assert main(["resume", "study.toml"]) == 0
    assert main(["report", "study.toml"]) == 0
    assert (folder / "report.html").exists()
    assert (folder / "count.txt").read_text() == "1" * 64


def test_a_larger_design_runs_only_the_new_points(folder):
    main(["run", "study.toml"])
    (folder / "study.toml").write_text(STUDY.format(n=100, condition="> 0"))
    assert main(["run", "study.toml"]) == 0
    assert (folder / "count.txt").read_text() == "1" * 100


def test_all_mistakes_of_a_file_are_told_at_once(folder, capsys):
    (folder / "study.toml").write_text(
        """
        [simulator]
        use = "plane.py:plan"
        [design]
        n = 0
        sampler = "sobel"
        sede = 3
        [run]
        timeout = "long"
        n_jobs = true
        [emulat]
        [discover]
        """
    )
    assert main(["run", "study.toml"]) == 2
    told = capsys.readouterr().err
    for line in (
        "study.toml: 8 problems",
        "$.emulat: unknown table; did you mean 'emulate'?",
        "$.design.sede: unknown key; did you mean 'seed'?",
        "$.design.sampler: unknown 'sobel'; did you mean 'sobol'?",
        "$.design.n: must be at least 1, got 0",
        "$.run.n_jobs: must be a whole number, got True",
        "$.run.timeout: must be a number of seconds, got 'long'",
        "$.discover.of_interest: missing; it must be a table such as",
        "has no 'plan'; did you mean 'plane'?",
    ):
        assert line in told
    assert not (folder / "runs.db").exists()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[simulator", "not valid TOML"),
        ("", "$.simulator: this table is missing"),
        ("[report]\npath = 'absent/report.html'", "$.report.path: 'absent/report.html' is no file in a folder"),
        ("[report]\npath = 'report.pdf'", "$.report.path: 'report.pdf' must end in one of .html, .htm, .md, .json"),
        ("[report]\npath = '.'", "$.report.path: "),
        ("[run]\nn_jobs = 0\ntimeout = 5", "$.run.timeout: it needs a worker process"),
        ("simulator = 3\n[design]\nn = 1", "$.simulator: must be a table, got 3"),
        ("[simulator]\nuse = 'smart_gird'\n[design]\nn = 1", "did you mean 'smart_grid'?"),
        ("[simulator]\nuse = 'no_such_module:x'\n[design]\nn = 1", "there is no module 'no_such_module'"),
        (
            "[simulator]\nuse = 'plane.py:plane'\n[design]\nn = 1\n[emulate]\noutputs = ['z', 's']",
            "$.emulate.outputs[1]: no scalar output 's'",
        ),
        (
            "[simulator]\nuse = 'plane.py:plane'\n[design]\nn = 1\n[discover]\nof_interest = { q = '> 0' }",
            "$.discover.of_interest.q: no scalar output 'q'",
        ),
        (
            "[simulator]\nuse = 'plane.py:plane'\n[design]\nn = 1\n[discover]\nof_interest = { z = 'positive' }",
            "$.discover.of_interest: condition on 'z'",
        ),
    ],
)
def test_each_mistake_has_its_place(folder, text, problem):
    (folder / "study.toml").write_text(text)
    with pytest.raises(sg.StudyError, match=re.escape(problem)):
        sg.load_study("study.toml")


@pytest.mark.parametrize(
    ("tables", "which"),
    [
        ("[run]\nstore = './runs.json'", "run"),
        ("[sensitivity]\nstore = 'runs.json'", "sensitivity"),
        ("[optimize]\nobjectives = 'z'\nstore = 'runs.json'", "optimize"),
    ],
)
def test_the_report_is_no_store(folder, tables, which):
    text = f"[simulator]\nuse = 'plane.py:plane'\n[design]\nn = 1\n{tables}\n[report]\npath = 'runs.json'"
    (folder / "study.toml").write_text(text)
    with pytest.raises(sg.StudyError, match=re.escape(f"$.report.path: 'runs.json' is the run store of [{which}]")):
        sg.load_study("study.toml")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("x=", "status=", "parameter 'status' is the name of another column"),
        ('Output("z")', 'Output("x")', "output 'x' is the name of another column"),
        ("sg.Space(", "dict(", "space must be a Space"),
    ],
)
def test_a_simulator_whose_runs_cannot_be_told_is_refused(folder, capsys, old, new, told):
    text = """
import surrogate as sg

class Line:
    name, version, space, outputs = "line", "1", sg.Space(x=sg.Real(0, 1)), (sg.Output("z"),)

    def __call__(self, x):
        return {"z": x}
"""
    (folder / "line.py").write_text(text.replace(old, new))
    (folder / "study.toml").write_text("[simulator]\nuse = 'line.py:Line'\n[design]\nn = 1\n")
    assert main(["run", "study.toml"]) == 2
    assert f"$.simulator.use: simulator 'line': {told}" in capsys.readouterr().err


CORNERS = """
[simulator]
use = "plane.py:plane"
[design]
{design}
[run]
n_jobs = 1
"""


@pytest.mark.parametrize(
    ("design", "runs"),
    [
        ("sampler = 'factorial'\nlevels = {x = 3, y = 2}", 6),
        ("sampler = 'central_composite'\nface = 'faced'", 9),
        ("sampler = 'halton'\nn = 7\nwhere = ['x + y < 1']\ncorrelation = [['x', 'y', 0.5]]", 7),
        ("sampler = 'latin_hypercube'\nn = 9\ncriterion = 'maximin'", 9),
    ],
)
def test_designs_with_options(folder, design, runs):
    (folder / "study.toml").write_text(CORNERS.format(design=design))
    assert main(["run", "study.toml"]) == 0
    assert sg.RunStore("runs.db").runs().counts["done"] == runs


@pytest.mark.parametrize(
    ("design", "problem"),
    [
        ("sampler = 'sobol'", "$.design.n: missing; it must be a whole number"),
        ("sampler = 'factorial'\nn = 4", "$.design.n: factorial decides its number of runs itself"),
        ("sampler = 'sobol'\nn = 4\nface = 'faced'", "$.design.face: sobol has no such option"),
        ("sampler = 'sobol'\nn = 4\nwhere = 'z < 1'", "$.design: where: no input 'z'"),
        ("sampler = 'latin_hypercube'\nn = 4\ncriterion = 'maximum'", "did you mean 'maximin'?"),
        ("sampler = 'box_behnken'", "$.design: box_behnken needs at least 3 parameters"),
        ("n = 4\ncorrelation = [['x']]", "$.design.correlation: must list [input, input, correlation], e.g. [["),
        ("n = 4\ncorrelation = ['x']", "$.design.correlation: must list [input, input, correlation], e.g. [["),
        ("n = 4\ncorrelation = [['x', 'y', true]]", "got ['x', 'y', True] in it"),
    ],
)
def test_wrong_options_of_a_design_have_their_place(folder, design, problem):
    (folder / "study.toml").write_text(CORNERS.format(design=design))
    with pytest.raises(sg.StudyError, match=re.escape(problem)):
        sg.load_study("study.toml")


SENSITIVE = CORNERS.format(design="n = 40") + "[sensitivity]\n{asked}\n"


@pytest.mark.parametrize(
    ("asked", "extra", "told"),
    [
        ("n = 64", 0, "z depends most on"),
        ("method = 'sobol'\nof = 'simulator'\nn = 16\nsecond_order = true", 64, "Strongest pairs"),
        ("method = 'morris'\nof = 'simulator'\nn = 5", 5 * 3, "Elementary effects on z"),
        ("method = 'pawn'\nof = 'runs'", 0, "PAWN"),
    ],
)
def test_sensitivity_is_computed_and_reported(folder, asked, extra, told):
    (folder / "study.toml").write_text(SENSITIVE.format(asked=asked))
    assert main(["run", "study.toml"]) == 0
    page = (folder / "report.html").read_text()
    assert "Which inputs matter" in page
    assert told in page
    # Of two inputs both blocks that exchange one hold the same points, which are run once; Morris' grid repeats some.
    ran = len((folder / "count.txt").read_text()) - 40
    assert extra / 2 <= ran <= extra
    if extra:
        assert len(sg.RunStore("sensitivity.db").runs()) == ran
    # The page again from what is stored, without a run.
    (folder / "report.html").unlink()
    assert main(["report", "study.toml"]) == 0
    assert told in (folder / "report.html").read_text()
    assert len((folder / "count.txt").read_text()) == 40 + ran


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("method = 'sobl'", "$.sensitivity.method: unknown 'sobl'; did you mean 'sobol'?"),
        ("outputs = ['s']", "$.sensitivity.outputs[0]: no scalar output 's'"),
        ("method = 'pawn'\nsecond_order = true", "$.sensitivity.second_order: pawn has no such option"),
        ("of = 'runs'", "$.sensitivity.of: sobol needs runs of its own"),
        ("groups = { both = ['x', 'q'] }", "$.sensitivity.groups: no input 'q'"),
    ],
)
def test_mistakes_about_sensitivity_have_their_place(folder, asked, problem):
    (folder / "study.toml").write_text(SENSITIVE.format(asked=asked))
    with pytest.raises(sg.StudyError, match=re.escape(problem)):
        sg.load_study("study.toml")


MIXED = """
import math
import surrogate as sg

SHIFT = {"a": 0.0, "b": 3.0, "c": -2.0, "d": 1.0}

@sg.simulator(
    space=sg.Space(kind=sg.Categorical(list(SHIFT)), rate=sg.Real(1e-3, 1e3, log=True), n=sg.Integer(1, 4)),
    outputs=["z"],
    version="1",
)
def mixed(kind, rate, n):
    "Kinds in no order, and a rate over six decades."
    return {"z": SHIFT[kind] + 0.5 * math.log10(rate) + 0.1 * n * (kind == "b")}
"""


@pytest.mark.parametrize(("asked", "kind"), [("", sg.GaussianProcess), ("emulator = 'auto'", sg.AutoEmulator)])
def test_emulators_take_inputs_of_any_type_as_they_are(folder, asked, kind):
    (folder / "mixed.py").write_text(MIXED)
    (folder / "study.toml").write_text(
        f"[simulator]\nuse = 'mixed.py:mixed'\n[design]\nn = 40\n[run]\nn_jobs = 0\n[emulate]\n{asked}\n"
        "[sensitivity]\nn = 64"
    )
    study = sg.load_study("study.toml")
    finished = sg.run_study(study)
    assert finished.problems == ()
    page = finished.report.read_text()
    assert f"<td>{kind.__name__}</td>" in page
    assert "z depends most on kind" in page
    model = _emulate(study, finished.runs, "z")
    new = sg.latin_hypercube(study.simulator.space, 20, rng=5)[["n", "rate", "kind"]]
    assert_allclose(model.predict(new), [study.simulator(**row)["z"] for row in new.to_dict("records")], atol=1e-3)


def test_an_emulator_that_does_not_exist_has_its_place(folder):
    (folder / "study.toml").write_text(
        STUDY.format(n=8, condition="> 0").replace("[emulate]", "[emulate]\nemulator = 'kriging'")
    )
    with pytest.raises(sg.StudyError, match=re.escape("$.emulate.emulator: unknown 'kriging'")):
        sg.load_study("study.toml")


def test_sensitivity_that_cannot_be_had_is_told(folder, capsys):
    (folder / "study.toml").write_text(SENSITIVE.format(asked="of = 'simulator'\nn = 16"))
    (folder / "plane.py").write_text(SIMULATOR)
    main(["run", "study.toml"])
    (folder / "sensitivity.db").unlink()
    assert main(["report", "study.toml"]) == 1
    assert "sensitivity: its runs are not made yet" in capsys.readouterr().err


@pytest.mark.parametrize(("method", "n"), [("morris", 5), ("pawn", 30)])
def test_sensitivity_is_not_told_of_runs_that_were_never_made(folder, capsys, method, n):
    asked = f"method = '{method}'\nof = 'simulator'\nn = {{}}"
    (folder / "study.toml").write_text(SENSITIVE.format(asked=asked.format(n)))
    assert main(["run", "study.toml"]) == 0
    made = len(sg.RunStore("sensitivity.db").runs())
    (folder / "study.toml").write_text(SENSITIVE.format(asked=asked.format(n + 20)))
    assert main(["report", "study.toml"]) == 1
    assert "sensitivity: its runs are not all made yet; use `surrogate run` first" in capsys.readouterr().err
    assert "Which inputs matter" not in (folder / "report.html").read_text()
    assert len(sg.RunStore("sensitivity.db").runs()) == made


def test_a_file_that_is_not_there_is_named(folder, capsys):
    assert main(["run", "absent.toml"]) == 2
    assert "absent.toml: 1 problem\n  cannot be read: No such file" in capsys.readouterr().err


@pytest.mark.parametrize(("condition", "told"), [("> 5", "no run meets z > 5"), ("> -5", "every run meets z > -5")])
def test_a_condition_that_tells_nothing_apart_costs_no_run_and_no_report(folder, capsys, condition, told):
    (folder / "study.toml").write_text(STUDY.format(n=64, condition=condition))
    assert main(["run", "study.toml"]) == 1
    assert told in capsys.readouterr().err
    assert told.replace(">", "&gt;") in (folder / "report.html").read_text()
    assert sg.RunStore("runs.db").runs().counts["done"] == 64


def test_a_constant_output_and_a_simulator_that_always_fails_are_told(folder, capsys):
    text = SIMULATOR.replace("x + y - 1.2", "7.0")
    (folder / "plane.py").write_text(text)
    assert main(["run", "study.toml"]) == 1
    assert "emulator of z: all 64 runs give 7: there is nothing to learn" in capsys.readouterr().err


def test_no_run_done_is_told(folder, capsys):
    (folder / "fails.py").write_text(SIMULATOR.replace("time.sleep(0.01)", "raise ValueError('no mesh')"))
    (folder / "study.toml").write_text(STUDY.format(n=8, condition="> 0").replace("plane.py", "fails.py"))
    assert main(["run", "study.toml"]) == 1
    assert "no run is done" in capsys.readouterr().err
    assert "ValueError: no mesh" in (folder / "report.html").read_text()


def test_the_store_of_another_version_is_refused(folder, capsys):
    main(["run", "study.toml"])
    with sqlite3.connect("runs.db") as database:
        database.execute("UPDATE study SET value = '\"0\"' WHERE key = 'version'")
    assert main(["resume", "study.toml"]) == 3
    told = capsys.readouterr().err
    assert "version '0', not '1'" in told
    assert "name another store" in told


def test_resume_and_report_need_a_store(folder, capsys):
    for command in ("resume", "report"):
        assert main([command, "study.toml"]) == 2
        assert "there is no run store" in capsys.readouterr().err
    assert not (folder / "runs.db").exists()


GRID = """
import surrogate as sg

@sg.simulator(space=sg.Space(k=sg.Integer(1, 4)), outputs=["z"], levels={0: 10, 1: 1})
def grid(k, level):
    return {"z": k + 10.0 * level}
"""


def test_a_report_is_of_the_runs_of_the_study_and_no_others_in_its_store(folder):
    (folder / "grid.py").write_text(GRID)
    study = "[simulator]\nuse = 'grid.py:grid'\n[design]\nn = 12\n[run]\nn_jobs = 0\n"
    (folder / "study.toml").write_text(study)
    begun = sg.load_study("study.toml")
    sg.run(begun.simulator, [{"k": 1}, {"k": 2}], level=1, store=begun.store, n_jobs=0)
    ran = sg.run_study(begun, progress=False).runs
    told = sg.report_study(begun).runs
    pd.testing.assert_frame_equal(told.table, ran.table)
    pd.testing.assert_frame_equal(told.scalars, ran.scalars)
    assert told.design == ran.design
    # Of a design that is not finished what is made already.
    (folder / "study.toml").write_text(study.replace("[run]", "[run]\nstore = 'part.db'"))
    sg.run(begun.simulator, [{"k": 1}, {"k": 2}], store="part.db", n_jobs=0)
    assert set(sg.report_study(sg.load_study("study.toml")).runs.inputs["k"]) == {1, 2}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("y=sg.Real(0, 1)", "y=sg.Real(0, 2)", "another space ('y'"),
        ('version="1"', 'version="2"', "version '1', not '2'"),
        ('"z", ', '"w", ', "outputs ['z', 's'], not ['w', 's']"),
    ],
)
def test_a_report_on_the_runs_of_another_simulator_is_refused(folder, capsys, old, new, told):
    study = STUDY.format(n=4, condition="> 0").split("[emulate]")[0]
    (folder / "study.toml").write_text(study + "[emulate]\n")
    sg.run_study(sg.load_study("study.toml"), progress=False)
    (folder / "report.html").unlink()
    (folder / "plane.py").write_text(SIMULATOR.replace(old, new))
    assert main(["report", "study.toml"]) == 3
    assert told in capsys.readouterr().err
    assert not (folder / "report.html").exists()


def test_simulators_lists_what_is_installed(capsys):
    assert main(["simulators"]) == 0
    table = capsys.readouterr().out
    for name in ("airfoil", "lake", "smart_grid"):
        assert re.search(rf"^{name} +1 +\d+ ", table, flags=re.MULTILINE)
    assert "pressure (series)" in table


def surrogate(folder, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "surrogate", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(sg.__file__).parents[1])},
    )


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_study_is_resumed_without_running_anything_again(folder, sent):
    (folder / "study.toml").write_text(STUDY.format(n=500, condition="> 0"))
    count = folder / "count.txt"
    process = surrogate(folder, "run", "study.toml")
    until = time.monotonic() + 60
    while time.monotonic() < until and not (count.exists() and len(count.read_text()) > 60):
        time.sleep(0.02)
    process.send_signal(sent)
    _, errors = process.communicate(timeout=20)
    assert process.returncode == (130 if sent == signal.SIGINT else -signal.SIGKILL)
    if sent == signal.SIGINT:
        assert "go on with: surrogate resume study.toml" in errors
    time.sleep(1.0)  # the workers go with the parent
    begun, stored = len(count.read_text()), len(sg.RunStore("runs.db").runs())
    assert 0 < stored < 500
    resumed = surrogate(folder, "resume", "study.toml")
    output, errors = resumed.communicate(timeout=120)
    assert resumed.returncode == 0, errors
    assert output.splitlines()[-1] == "report: report.html"
    assert len(count.read_text()) - begun == 500 - stored


@pytest.mark.parametrize(("asked", "is_reds"), [("", True), ('finder = "prim"', False)])
def test_a_study_finds_its_boxes_with_reds_unless_it_asks_for_prim(tmp_path, asked, is_reds):
    (tmp_path / "study.toml").write_text(
        f"""
[simulator]
use = "lake"
[design]
n = 48
[run]
n_jobs = 0
[discover]
of_interest = {{ reliability = "> 0.5" }}
{asked}
"""
    )
    sg.run_study(sg.load_study(tmp_path / "study.toml"))
    told = "were found on new points that a metamodel labelled" in (tmp_path / "report.html").read_text()
    assert told == is_reds


def test_a_study_may_keep_its_runs_in_memory(folder):
    (folder / "study.toml").write_text(
        STUDY.format(n=16, condition="> 0").replace("[run]", '[run]\nstore = ":memory:"')
    )
    finished = sg.run_study(sg.load_study("study.toml"), progress=False)
    assert finished.runs.counts["done"] == 16
    assert sorted(path.name for path in folder.glob("*memory*")) == []


@pytest.mark.parametrize("alpha", ['"cross"', "1.5", "true"])
def test_an_alpha_that_is_none_is_refused(folder, alpha):
    study = STUDY.format(n=4, condition="> 0").replace("min_support = 5", f"alpha = {alpha}")
    (folder / "study.toml").write_text(study)
    with pytest.raises(sg.StudyError, match=r"\$\.discover\.alpha: must"):
        sg.load_study("study.toml")


def test_a_cause_is_told_with_the_way_to_run_it_again(folder, capsys):
    broken = SIMULATOR.replace('return {"z": x + y - 1.2, "s": [x, y]}', 'return {"s": [x, y]}')
    (folder / "plane.py").write_text(broken)
    assert main(["run", "study.toml"]) == 1
    told = capsys.readouterr().err
    assert "64 runs invalid, most often: missing output 'z'" in told
    assert "surrogate resume --rerun-failures study.toml" in told
    (folder / "plane.py").write_text(SIMULATOR)
    again = surrogate(folder, "resume", "--rerun-failures", "study.toml")
    _, told = again.communicate(timeout=120)
    assert again.returncode == 0
    assert "the source of 'plane' has changed" in told
    assert "most often" not in told


def test_one_constant_output_does_not_keep_the_others_from_being_told(folder, capsys):
    text = SIMULATOR.replace('["z", ', '["z", "one", ').replace('"s": [x, y]', '"s": [x, y], "one": 1')
    (folder / "plane.py").write_text(text)
    study = STUDY.format(n=64, condition="> 0").replace("[emulate]", "[sensitivity]\nmethod = 'delta'\nof = 'runs'")
    (folder / "study.toml").write_text(study)
    assert main(["run", "study.toml"]) == 1
    assert "sensitivity of one: all runs give 1" in capsys.readouterr().err
    assert 'id="sensitivity"' in (folder / "report.html").read_text()


def test_what_is_no_scalar_output_is_called_by_its_kind(folder):
    for text, problem in (
        ("[emulate]\noutputs = ['s']", "$.emulate.outputs[0]: no scalar output 's' (it is a series)"),
        ("[discover]\nof_interest = {x = '> 0'}", "$.discover.of_interest.x: no scalar output 'x' (it is an input)"),
    ):
        (folder / "study.toml").write_text(f"[simulator]\nuse = 'plane.py:plane'\n[design]\nn = 4\n{text}\n")
        with pytest.raises(sg.StudyError, match=re.escape(problem)):
            sg.load_study("study.toml")


def test_the_command_line_lists_the_keys_and_its_version(capsys):
    assert main(["keys"]) == 0
    told = capsys.readouterr().out
    assert "## `[optimize]`" in told
    assert "| `finder` | one of reds, prim | `'reds'` |" in told
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.startswith("surrogate-learn ")
