"""Programs as simulators: templates, parsers, working directories, and the ways in which programs fail."""

from __future__ import annotations

import functools
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import surrogate as sg
from surrogate.connectors.template import Template
from tests.servers import environment

SPACE = sg.Space(x=sg.Real(0, 1))
MARK = str(os.getpid())  # so that the processes of this session are told from those of another
TIMES = [0.0, 1.0, 2.0]


@pytest.fixture(autouse=True)
def _temporary(tmp_path, monkeypatch):
    """The folders of failed runs are kept: here, where pytest removes them."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


def shell(script: str, outputs=None, space=SPACE, **options) -> sg.CommandSimulator:
    """A simulator out of a few lines of shell, which lie in a file of the run."""
    outputs = {"y": sg.RegexParser(r"y = (\S+)")} if outputs is None else outputs
    return sg.CommandSimulator(
        ["sh", "run.sh"], space=space, outputs=outputs, files={"run.sh": f"# ${{x}}\n{script}\n"}, **options
    )


def failure(simulator, timeout: float | None = None):
    """Status and error of one run, with a timeout in a worker process."""
    row = sg.run(simulator, [{"x": 0.5}], n_jobs=0 if timeout is None else 1, timeout=timeout).failures.iloc[0]
    return row["status"], row["error"]


def is_running(pattern: str) -> bool:
    return subprocess.run(["pgrep", "-f", pattern], capture_output=True).returncode == 0


def wait_for(condition, seconds: float = 10.0) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return False


# Templates


@given(st.text(st.characters(exclude_characters="$")), st.floats(allow_nan=False, allow_infinity=False))
def test_a_template_keeps_every_other_character_and_every_digit(text, number):
    filled = Template(f"{text}${{x}}{text}").fill({"x": number})
    assert filled.startswith(text)
    assert filled.endswith(text)
    assert float(filled[len(text) : len(filled) - len(text)]) == number


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("a ${x:.3f} b", "a 0.250 b"),
        ("${ x }${x:8.1e}", "0.25 2.5e-01"),
        ("{x} $x {0} %d", "{x} $x {0} %d"),
        ("$${x} ${x}", "${x} 0.25"),
        ("awk '{ print $1 }' # ${x}", "awk '{ print $1 }' # 0.25"),
    ],
)
def test_placeholders(text, filled):
    assert Template(text).fill({"x": 0.25}) == filled


def test_other_delimiters():
    assert Template("R @x:.1f@ ${HOME} @@x@", delimiters=("@", "@")).fill({"x": 2.0}) == "R 2.0 ${HOME} @x@"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("one\ntwo ${xx}", r"file 'run.sh', line 3: \$\{xx\} is no parameter; did you mean 'x'\?"),
        ("cd ${HOME}", r"double its first character: \$\$\{HOME\}"),
        ("echo ${x:d}", r"line 2: \$\{x:d\} cannot be filled with 0.5"),
    ],
)
def test_a_placeholder_that_cannot_be_filled_is_told_with_its_line(script, problem):
    with pytest.raises(ValueError, match=problem):
        shell(script)


def test_a_cause_is_what_went_wrong_and_not_the_runs_folder():
    runs = sg.run(shell("echo z = 1"), [{"x": 0.5}], n_jobs=0)
    assert "the run's folder is" in runs.failures["error"].iloc[0]
    assert runs.health()["commonest_cause"]["invalid"].startswith("output 'y': no match of")


def test_a_parameter_that_the_program_never_sees_is_refused():
    with pytest.raises(ValueError, match="parameter 'z' occurs in no placeholder"):
        shell("echo", space=sg.Space(x=sg.Real(0, 1), z=sg.Real(0, 1)))


def test_inputs_reach_command_files_stdin_and_environment(tmp_path):
    template = tmp_path / "deck"
    template.write_bytes(b"a = ${a}\r\n\xff {braces}\n")
    sim = sg.CommandSimulator(
        ["sh", "-c", 'cat deck/in.txt; cat; echo "$B $1"', "sh", "${c}"],
        space=sg.Space(a=sg.Real(0, 1), b=sg.Integer(0, 9), c=sg.Categorical(["p q", "r"]), d=sg.Categorical([1, 2])),
        outputs=["seen"],
        parser=lambda result: {"seen": float(result.stdout.read_bytes() == EXPECTED)},
        files={"deck/in.txt": template},
        stdin="d = ${d:03d}\n",
        environment={"B": "b${b}"},
    )
    # Also what is no UTF-8 and the line's end as it was; an argument with a blank stays one argument.
    assert sim(a=1, b=np.int64(3), c="p q", d=2) == {"seen": 1.0}


EXPECTED = b"a = 1.0\r\n\xff {braces}\nd = 002\nb3 p q\n"


def test_environment_is_the_callers_with_changes(monkeypatch):
    monkeypatch.setenv("KEPT", "1")
    monkeypatch.setenv("REMOVED", "1")
    sim = shell('echo "y = $KEPT$REMOVED$ADDED"', environment={"REMOVED": None, "ADDED": "2"})
    assert sim(x=0.5) == {"y": 12.0}


def test_copies_and_links(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("3")
    (tmp_path / "big.txt").write_text("4")
    sim = shell(
        'test -L big.txt && test ! -L data/a.txt && echo "y = $(cat data/a.txt big.txt | tr -d "\\n")"',
        copy=[tmp_path / "data"],
        link={"big.txt": tmp_path / "big.txt"},
    )
    assert sim(x=0.5) == {"y": 34.0}


def test_a_program_of_the_runs_own_or_beside_the_caller(tmp_path, monkeypatch):
    solver = tmp_path / "solver"
    solver.write_text("#!/bin/sh\necho y = $1\n")
    solver.chmod(0o755)
    outputs = {"y": sg.RegexParser(r"y = (\S+)")}
    monkeypatch.chdir(tmp_path)
    beside = sg.CommandSimulator(["./solver", "${x}"], space=SPACE, outputs=outputs)
    copied = sg.CommandSimulator(["solver", "${x}"], space=SPACE, outputs=outputs, copy=[solver])
    monkeypatch.chdir("/")
    assert beside(x=0.5) == copied(x=0.5) == {"y": 0.5}
    assert beside.name == "solver"


def test_a_program_that_is_filled_in_can_be_started(tmp_path):
    template = tmp_path / "template.sh"
    template.write_text("#!/bin/sh\necho y = ${x}; stat -c %a run.sh other.sh > modes\n")
    template.chmod(0o550)
    outputs = {"y": sg.RegexParser(r"y = (\S+)"), "own": sg.RegexParser(r"\d+", "modes", index=0)}
    outputs["other"] = sg.RegexParser(r"\d+", "modes", index=1)
    for source in (template, template.read_text()):
        files = {"run.sh": source, "other.sh": template}
        answer = sg.CommandSimulator(["run.sh"], space=SPACE, outputs=outputs, files=files)(x=0.5)
        assert answer == {"y": 0.5, "own": 755 if isinstance(source, str) else 751, "other": 750}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"command": "ls -l"}, "must be a list"),
        ({"command": []}, "must be a list"),
        ({"outputs": {}}, "at least one output"),
        ({"outputs": ["y"]}, "need parser="),
        ({"outputs": {"y": "y = (.*)"}}, "a parser is a RegexParser"),
        ({"files": {"../x": "${x}"}}, "inside the working directory"),
        ({"files": {"/x": "${x}"}}, "inside the working directory"),
        ({"copy": ["/there/is/none"]}, "there is no /there/is/none"),
        ({"files": {"in": __file__}}, "give a Path"),
        ({"files": {"in": Path("/there/is/none")}}, "cannot be read"),
        ({"keep": "sometimes"}, "keep must be"),
        ({"keep": "always"}, "needs a folder"),
        ({"copy": [__file__], "link": [__file__]}, "given twice"),
    ],
)
def test_wrong_arguments_are_told(options, problem):
    arguments = {"command": ["echo", "${x}"], "outputs": {"y": sg.RegexParser("y")}} | options
    with pytest.raises((ValueError, TypeError), match=problem):
        sg.CommandSimulator(arguments.pop("command"), space=SPACE, **arguments)


def test_wrong_inputs_of_a_direct_call_are_told():
    with pytest.raises(TypeError, match="missing input 'x'; unknown input 'z'"):
        shell("true")(z=1)


# Parsers

POLAR = "\n header of two\n lines\n alpha   CL      CD\n 0.0  0.10  1.0D-02\n 4.0  0.55  2.0D-02\n"
CURVE = sg.Series("curve", at=TIMES)


@pytest.mark.parametrize(
    ("parser", "text", "output", "value"),
    [
        (sg.RegexParser(r"CL =\s*(\S+)"), "CL = 1\nCL = 2.5\n", "y", 2.5),
        (sg.RegexParser(r"CL =\s*(\S+)", index=0), "CL = 1\nCL = 2.5\n", "y", 1.0),
        (sg.RegexParser(r"^CL.*$"), "no CL 1\n", "y", "no match of '^CL.*$' in out.txt"),
        (sg.RegexParser(r"v = (\S+)"), "v = 1.5D+03", "y", 1500.0),
        (sg.RegexParser(r"v = (\S+)"), "v = -.25-101", "y", -0.25e-101),
        (sg.RegexParser(r"v = (\S+)"), "v = ******", "y", "'******' in out.txt is not a number"),
        (sg.RegexParser(r"v = (\S+)"), "v = nan", "y", "output 'y' is nan"),
        (sg.RegexParser(r"\d+"), "1 2 3", CURVE, [1, 2, 3]),
        (sg.RegexParser(r"\d+"), "1 2", CURVE, "series 'curve' must have shape (3,), got (2,)"),
        (sg.JSONParser("a.b[1].c"), '{"a": {"b": [0, {"c": 7}]}}', "y", 7.0),
        (sg.JSONParser(["v1.0", -1]), '{"v1.0": [1, 2]}', "y", 2.0),
        (sg.JSONParser("h[*].t"), '{"h": [{"t": 1}, {"t": 2}, {"t": 4}]}', CURVE, [1, 2, 4]),
        (sg.JSONParser("a.lft"), '{"a": {"lift": 1}}', "y", "no 'lft' in ['a']; did you mean 'lift'?"),
        (sg.JSONParser("a"), '{"a": 1', "y", "out.txt is no whole JSON document"),
        (sg.JSONParser("a"), '{"a": null}', "y", "output 'y' must be one number, got None"),
        (sg.CSVParser("b"), "a, b\n1,2\n3,4\n", "y", 4.0),
        (sg.CSVParser("b", row=0), "a, b\n1,2\n3,4\n", "y", 2.0),
        (sg.CSVParser(1, header=False, separator=None), "1 2\n3 4\n", "y", 4.0),
        (sg.CSVParser("CD", skip=3, separator=None), POLAR, "y", 0.02),
        (sg.CSVParser("CL", skip=3, separator=None, row=5), POLAR, "y", "has 2 rows, there is no row 5"),
        (sg.CSVParser("CM", skip=3, separator=None), POLAR, "y", "has no column 'CM'; known: 'CD', 'CL'"),
        (sg.CSVParser(9), "a,b\n1,2\n", "y", "has 2 columns, there is no column 9"),
        (sg.CSVParser("a"), "", "y", "out.txt cannot be read as a table"),
        (sg.CSVParser("b"), "a,b\n1,2\n3,\n", "y", "'' in out.txt is not a number"),
        # A separator at the end of the rows is no column; a name at their beginning, as R writes it, is none either.
        (sg.CSVParser("lift"), "time,lift,drag\n0,1.5,0.1,\n1,2.5,0.2,\n", "y", 2.5),
        (sg.CSVParser("b"), "a,b\n1,2,,\n3,4,,\n", "y", 4.0),
        (sg.CSVParser("lift"), '"time","lift"\n"1",0,1.5\n"2",1,2.5\n', "y", 2.5),
        (
            sg.CSVParser("time", separator=None),
            "# time lift\n0 1.5\n1 2.5\n",
            "y",
            "row 0 of the table in out.txt has",
        ),
        (sg.CSVParser("a", separator=None), "a b\n1 2\n3\n", "y", "row 1 of the table in out.txt has fewer cells"),
        (sg.CSVParser(0, separator=None, header=False), "1 2\n3\n", "y", 3.0),
        (sg.CSVParser("v"), "v\n1\n2\n4\n", CURVE, [1, 2, 4]),
        (sg.CSVParser("v", along="t"), "t,v\n0,0\n0.5,1\n3,6\n", CURVE, [0, 2, 4]),
        # A step: of two values at one time the later holds.
        (sg.CSVParser("v", along="t"), "t,v\n0,0\n1,0\n1,5\n2,5\n", CURVE, [0, 5, 5]),
        (sg.CSVParser("v", along="t"), "t,v\n0,0\n1.5,1\n", CURVE, "asked for from 0 to 2, but there are values"),
        (sg.CSVParser("v", along="t"), "t,v\n0,0\n2,1\n1,1\n", CURVE, "must rise from row to row"),
        (lambda result: len(result.text("out.txt")), "four", "y", 4.0),
        (lambda result: result.text("out.txt").split()[3], "", "y", "IndexError: list index out of range (test_comm"),
        (lambda result: {"a": 1}, "", "y", "output 'y' must be one number, got {'a': 1}"),
    ],
)
def test_parsers(tmp_path, parser, text, output, value):
    if isinstance(parser, sg.RegexParser | sg.JSONParser | sg.CSVParser):
        parser = type(parser)(**{**vars(parser), "file": "out.txt"})
    (tmp_path / "text").write_text(text)
    sim = shell("cat given > out.txt", {output: parser}, copy={"given": tmp_path / "text"}, folder=tmp_path / "runs")
    answer = sim(x=0.5)
    if isinstance(value, str):
        with pytest.raises(sg.SimulatorError) as caught:
            answer[output]
        assert value in str(caught.value)
        status, error = failure(sim)
        assert status == "invalid"
        assert value in error
    else:
        np.testing.assert_array_equal(answer[output], value)


def test_a_pattern_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no regular expression"):
        sg.RegexParser("(")


def test_one_parser_for_all_outputs():
    sim = shell("echo 1 2", ["a", "b"], parser=lambda result: dict(zip("ab", map(float, result.text().split()))))
    assert sim(x=0.5) == {"a": 1.0, "b": 2.0}
    extra = shell("echo 1", ["a"], parser=lambda result: {"a": 1.0, "c": 2.0})
    assert failure(extra)[0] == "invalid"
    assert failure(extra)[1].startswith("unknown output 'c'")
    assert "the run's folder is" in failure(extra)[1]
    nan = shell("echo 'mesh: bad element' >&2", ["a", "b"], parser=lambda result: {"a": 1.0, "b": np.nan})
    assert failure(nan)[0] == "invalid"
    for told in ("output 'b' is nan", "the run's folder is", "mesh: bad element"):
        assert told in failure(nan)[1]
    assert dict(nan(x=0.5)) == {"a": 1.0}
    broken = shell("echo 1", ["a"], parser=lambda result: {"a": {}["b"]})
    assert failure(broken)[0] == "invalid"
    assert failure(broken)[1].startswith("KeyError: 'b' (test_command.py, line ")


# As a simulator


def test_it_is_a_simulator_that_a_study_file_can_name(tmp_path):
    (tmp_path / "deck.inp").write_text("value ${x:.17g}\n")
    (tmp_path / "half.py").write_text(
        textwrap.dedent("""
        from pathlib import Path
        import surrogate as sg

        half = sg.CommandSimulator(
            ["awk", "{ print $2 / 2 }", "deck.inp"],
            space=sg.Space(x=sg.Real(0, 1)),
            outputs={"y": lambda result: float(result.text())},
            files={"deck.inp": Path(__file__).parent / "deck.inp"},
        )
        """)
    )
    sim = sg.load_simulator(f"{tmp_path / 'half.py'}:half")
    assert isinstance(sim, sg.Simulator)
    runs = sg.run(sim, sg.sobol(sim.space, 16, rng=0), n_jobs=2)
    assert runs.counts["done"] == 16
    np.testing.assert_allclose(runs.outputs["y"], runs.inputs["x"] / 2, rtol=1e-5)  # awk prints six digits
    assert pickle.loads(pickle.dumps(shell("echo y = 1")))(x=0.5) == {"y": 1.0}


def test_a_seed_makes_it_stochastic():
    sim = shell("echo y = ${seed}")
    runs = sg.run(sim, [{"x": 0.5}, {"x": 0.5}], n_jobs=0, rng=0)
    assert sim.stochastic
    assert runs.outputs["y"].nunique() == 2


def test_a_changed_template_is_refused_by_the_store(tmp_path):
    store = tmp_path / "runs.db"
    sg.run(shell("echo y = 1"), [{"x": 0.5}], store=store, n_jobs=0)
    assert shell("echo y = 1").version == shell("echo y = 1", folder=tmp_path, keep="never").version
    with pytest.raises(sg.StoreMismatchError):
        sg.run(shell("echo y = 2"), [{"x": 0.5}], store=store, n_jobs=0)


def test_the_version_follows_everything_that_changes_answers(tmp_path):
    data = tmp_path / "data.txt"
    data.write_text("1")
    versions = [
        shell("echo y = 1").version,
        shell("echo y = 1", stdin="1").version,
        shell("echo y = 1", environment={"A": "${x}"}).version,
        shell("echo y = 1", environment={"A": "-${x}"}).version,
        shell("echo y = 1", copy=[data]).version,
        shell("echo y = 1", {"y": sg.RegexParser(r"y = (\d)")}).version,
        shell("echo y = 1", {"y": lambda result: 1.0}).version,
        shell("echo y = 1", {"y": lambda result: 2.0}).version,
    ]
    data.write_text("2")
    versions.append(shell("echo y = 1", copy=[data]).version)
    assert len(set(versions)) == len(versions)
    assert shell("echo y = 1", version="7").version == "7"
    # Where a program lies differs between machines that give the same answers.
    at = [sg.CommandSimulator([p, "${x}"], space=SPACE, outputs={"y": sg.RegexParser("y")}) for p in ("/a/s", "/b/s")]
    assert at[0].version == at[1].version


def scaled_by(factor, mode="mean"):
    return lambda result: {"mean": factor, "max": 2 * factor}[mode]


def scaled(result, factor=1.0, *, shift=0.0):
    return factor + shift


class Scaled:
    def __init__(self, factor):
        self.factor = factor

    def __call__(self, result):
        return self.factor

    def read(self, result):
        return self.factor


def test_the_version_follows_what_a_parser_holds():
    def with_default(factor):
        def parser(result, factor=factor):
            return factor

        return parser

    def recursive(depth):
        return lambda result: recursive(depth - 1)(result) if depth else 1.0

    make = [
        lambda k: scaled_by(k),
        lambda k: scaled_by(1.0, ("mean", "max")[k]),
        lambda k: scaled_by(np.arange(2000) + k),
        lambda k: with_default(k),
        lambda k: functools.partial(scaled, factor=k),
        lambda k: functools.partial(scaled_by(k), shift=1.0),
        lambda k: Scaled(k),
        lambda k: Scaled(k).read,
        lambda k: recursive(k),
        lambda k: Scaled({"a": [k, None], "b": {k}, "c": Scaled(k)}),
    ]
    versions = [shell("echo", {"y": parser(k)}).version for parser in make for k in (0, 1)]
    assert len(set(versions)) == len(versions)
    assert versions == [shell("echo", {"y": parser(k)}).version for parser in make for k in (0, 1)]
    assert shell("echo", ["y"], parser=scaled_by(1)).version != shell("echo", ["y"], parser=scaled_by(2)).version


def test_a_parser_that_cannot_be_told_from_another_needs_a_version():
    namespace = {}
    exec("def unknown(result): return 1.0", namespace)
    for parser, why in ((scaled_by(iter("ab")), "it holds <str_"), (namespace["unknown"], "source of unknown is not")):
        with pytest.raises(ValueError, match=f"{why}.*give version="):
            shell("echo", {"y": parser})
        assert shell("echo", {"y": parser}, version="1").version == "1"


@pytest.mark.parametrize(
    ("keep", "kept"),
    [("failed", {"partial", "code"}), ("always", {"good", "partial", "code"}), ("never", set())],
)
def test_which_folders_are_kept(tmp_path, keep, kept):
    scripts = {"good": "echo y = 1; touch good", "partial": "touch partial", "code": "echo y = 1; touch code; exit 4"}
    told = {}
    for script in scripts.values():
        sim = shell(script, folder=tmp_path / "runs", keep=keep)
        told[script] = sg.run(sim, [{"x": 0.5}], n_jobs=0).failures["error"].tolist()
    folders = list((tmp_path / "runs").iterdir())
    assert {name for folder in folders for name in scripts if (folder / "work" / name).exists()} == kept
    for folder in folders:
        assert json.loads((folder / "inputs.json").read_text()) == {"x": 0.5}
        assert (folder / "stdout.txt").exists()
        if keep == "failed":
            assert str(folder) in str(told)


def test_no_more_than_so_many_failed_folders_are_kept(tmp_path, monkeypatch):
    monkeypatch.setattr("surrogate.connectors.command.MAX_KEPT", 3)
    sim = shell("exit 1", folder=tmp_path / "runs")
    runs = sg.run(sim, [{"x": i / 10} for i in range(6)], n_jobs=0)
    assert len(list((tmp_path / "runs").iterdir())) == 3
    assert runs.failures["error"].str.contains("the run's folder is").tolist() == [True] * 3 + [False] * 3


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path):
    sim = shell("sleep 620.5", folder=tmp_path, keep="never")
    assert failure(sim, timeout=0.5)[0] == "timeout"
    assert len(list(tmp_path.iterdir())) == 1
    shell("echo y = 1", folder=tmp_path, keep="never")(x=0.5)
    assert not list(tmp_path.iterdir())


# Faults


def test_faults_non_zero_exit_with_good_output():
    status, error = failure(shell("echo y = 1; echo 'mesh: bad element 17' >&2; exit 3"))
    assert status == "failed"
    assert "sh exited with code 3; its outputs are all there" in error
    assert "mesh: bad element 17" in error
    assert shell("echo y = 1; exit 3", exit_codes=(0, 3))(x=0.5) == {"y": 1.0}


def test_faults_exit_0_with_partial_output():
    outputs = {"y": sg.RegexParser(r"y = (\S+)"), "z": sg.JSONParser("z", file="z.json"), "w": sg.RegexParser("w=(.*)")}
    sim = shell("echo y = 1; touch other; echo 'gave up' >&2", outputs)
    status, error = failure(sim)
    assert status == "invalid"
    assert "output 'z': the run wrote no file 'z.json' (it wrote: other)" in error
    assert "output 'w': no match of 'w=(.*)' in what the program printed" in error
    assert "gave up" in error
    answer = sim(x=0.5)
    assert dict(answer) == {"y": 1.0}


def test_faults_leftovers_in_the_working_directory(tmp_path):
    # The program answers only where an earlier run has left its file, or where the copied example had one.
    sim = shell("test -e out.txt || test -e run.tmp && echo y = 1; touch out.txt run.tmp", folder=tmp_path / "runs")
    runs = sg.run(sim, [{"x": x} for x in (0.1, 0.2, 0.3)], n_jobs=1)
    assert (runs.failures["status"] == "invalid").all()
    assert len(runs.failures) == 3

    (tmp_path / "out.txt").write_text("y = 5")
    stale = shell("true", {"y": sg.RegexParser(r"y = (\S+)", file="out.txt")}, copy=[tmp_path / "out.txt"])
    status, error = failure(stale)
    assert status == "invalid"
    assert "the run did not write 'out.txt': it is the copy" in error
    fresh = shell(
        "echo y = 6 > out.txt", {"y": sg.RegexParser(r"y = (\S+)", file="out.txt")}, copy=[tmp_path / "out.txt"]
    )
    assert fresh(x=0.5) == {"y": 6.0}


def test_faults_leftovers_in_a_linked_folder(tmp_path):
    case = tmp_path / "case"
    case.mkdir()
    (case / "out.txt").write_text("y = 5")
    (case / "round").symlink_to(case)  # it holds itself
    (case / "nowhere").symlink_to("there is none")
    (case / "itself").symlink_to("itself")
    outputs = {"y": sg.RegexParser(r"y = (\S+)", file="case/out.txt")}
    for link in ([case], {"again": case, "case": case}):
        status, error = failure(shell("true", outputs, link=link))
        assert status == "invalid"
        assert "the run did not write 'case/out.txt': it is the copy" in error
    assert shell("echo y = 6 > case/out.txt", outputs, link=[case])(x=0.5) == {"y": 6.0}


def test_faults_hang_in_a_child_is_killed_with_its_children(tmp_path):
    # The program waits for a child that waits for a grandchild.
    sim = shell(f"sh -c 'sleep 611.{MARK}; true'; echo y = 1", folder=tmp_path)
    began = time.monotonic()
    assert failure(sim, timeout=1)[0] == "timeout"
    assert time.monotonic() - began < 8
    assert not is_running(f"sleep 611.{MARK}")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("kill -FPE $$", "sh was killed by SIGFPE (signal 8)"),
        ("sh -c 'kill -SEGV $$'; exit $?", "exited with code 139 (in a shell: killed by SIGSEGV)"),
    ],
)
def test_faults_signal_is_told_by_name(script, told):
    status, error = failure(shell(script))
    assert status == "failed"
    assert told in error


def test_faults_program_that_is_not_there():
    sim = sg.CommandSimulator(["no-such-solver", "${x}"], space=SPACE, outputs={"y": sg.RegexParser("y")})
    status, error = failure(sim)
    assert status == "failed"
    assert "there is no program 'no-such-solver'; install it, or give its full path" in error
    assert "Traceback" not in error


def test_faults_program_that_prints_much_fills_no_record():
    sim = shell("head -c 20000000 /dev/zero | tr '\\0' 'a' >&2; echo ' the cause' >&2; exit 1", keep="never")
    status, error = failure(sim)
    assert status == "failed"
    assert error.endswith("the cause")
    assert len(error) < 3000


@pytest.mark.parametrize("with_session", [False, True])
def test_faults_interrupt_in_this_process_kills_the_program(tmp_path, with_session):
    mark = f"sleep 612.{int(with_session)}{MARK}"
    script = tmp_path / "study.py"
    script.write_text(
        textwrap.dedent(f"""
        import surrogate as sg

        sim = sg.CommandSimulator(
            ["sh", "-c", "{mark}; echo ${{x}}"],
            space=sg.Space(x=sg.Real(0, 1)), outputs={{"y": sg.RegexParser("(.*)")}}, folder="runs",
        )
        sg.run(sim, [{{"x": 0.5}}], n_jobs=0)
        """)
    )
    process = subprocess.Popen(
        [sys.executable, script],
        cwd=tmp_path,
        env=environment(),
        stderr=subprocess.PIPE,
        start_new_session=with_session,
    )
    assert wait_for(lambda: is_running(f"^{mark}"))
    os.kill(process.pid, signal.SIGINT)  # to the process alone, as a debugger or a notebook would
    assert b"KeyboardInterrupt" in process.communicate(timeout=10)[1]
    assert not is_running(f"^{mark}")
    assert not list((tmp_path / "runs").iterdir())


def test_faults_children_left_behind_are_killed_at_the_end_of_the_run():
    assert shell(f"sleep 613.{MARK} & echo y = 1")(x=0.5) == {"y": 1.0}
    assert not is_running(f"sleep 613.{MARK}")
