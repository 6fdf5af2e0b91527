"""Pictures, report and study tell what an optimisation found."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib import figure as drawing

import surrogate as sg
from surrogate.cli import main
from surrogate.plots.optimization import plot_front, plot_optimization, plot_parallel
from surrogate.reports.content import Asked, Figure, Live, Table, Text
from surrogate.reports.sections.optimum import optimum_section
from surrogate.study.file import load_study

SPACE = sg.Space(x=sg.Real(-2, 2, unit="m"), kind=sg.Categorical(["u", "v"]), step_size=sg.Integer(1, 5))


@sg.simulator(space=SPACE, outputs=[sg.Output("cost", unit="EUR"), "weight"])
def model(x, kind, step_size):
    """Fails at the right, where it is heavy."""
    if x > 1.5:
        raise ValueError("broke")
    return {"cost": (x - 1) ** 2 + step_size + (kind == "v"), "weight": x + step_size}


@pytest.fixture(scope="module")
def single():
    return sg.minimize(model, "cost", constraints=["weight >= 1.5"], budget=16, n_jobs=0, rng=0)


@pytest.fixture(scope="module")
def several():
    return sg.minimize(model, ["cost", "-weight"], budget=16, n_jobs=0, rng=0)


def test_the_course_shows_runs_and_the_best_so_far(single):
    ax = plot_optimization(single)
    lines = {line.get_label(): line for line in ax.lines}
    history = single.history
    allowed = history[history["feasible"]]
    np.testing.assert_array_equal(lines["run"].get_ydata(), allowed["cost"])
    np.testing.assert_array_equal(lines["run"].get_xdata(), allowed.index + 1)
    np.testing.assert_array_equal(lines["best so far"].get_ydata(), history["best"])
    low, high = ax.get_ylim()
    assert low < single.fun < high
    assert ax.get_ylabel() == "cost [EUR]"


def test_failures_and_the_hypervolume_are_in_the_course(several):
    ax = plot_optimization(several)
    failed = several.history[several.history["status"] == "failed"]
    assert len(failed) >= 1
    lines = {line.get_label(): line for line in ax.lines}
    np.testing.assert_array_equal(lines["no answer"].get_xdata(), failed.index + 1)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), several.history["hypervolume"])


def test_parallel_coordinates_have_a_line_a_run_at_its_heights(single):
    ax = plot_parallel(single)
    done = single.history[single.history["status"] == "done"]
    heights = np.array([path.vertices[:, 1] for path in ax.collections[0].get_paths()])
    expected = SPACE.to_unit(done[list(SPACE)])
    np.testing.assert_allclose(np.sort(heights, axis=0), np.sort(expected, axis=0))
    best = SPACE.to_unit(single.x)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), np.ravel(best))


def test_the_front_is_drawn_in_order_with_its_knee(several, single):
    ax = plot_front(several)
    lines = {line.get_label(): line for line in ax.lines}
    ordered = several.front.sort_values("cost")
    np.testing.assert_array_equal(lines["front"].get_xdata(), ordered["cost"])
    np.testing.assert_array_equal(lines["front"].get_ydata(), ordered["weight"])
    assert lines["knee"].get_xdata()[0] == several.front.loc[several.knee, "cost"]
    with pytest.raises(ValueError, match="this optimum has one"):
        plot_front(single)


def test_the_section_says_what_is_best(single, several):
    assert optimum_section(Asked()) is None
    section = optimum_section(Asked(optimum=single))
    assert f"{single.fun:.4g}" in section.lead
    tables = [block for block in section.blocks if isinstance(block, Table)]
    told = " ".join(block.text for block in section.blocks if isinstance(block, Text))
    assert "Wanted: the smallest cost [EUR] with weight >= 1.5." in told
    assert "16 runs" in told
    assert tables[0].frame.loc["x [m]", "value"] == single.x["x"]
    assert tables[1].frame.loc["weight >= 1.5", "met"]
    assert len([block for block in section.blocks if isinstance(block, Figure)]) == 2
    front = optimum_section(Asked(optimum=several))
    assert f"{len(several.front)} runs form the front" in front.lead
    assert "the largest weight" in front.blocks[0].text


def test_a_report_holds_the_section(single, tmp_path):
    page = sg.report(tmp_path / "out.html", optimum=single).read_text()
    assert 'id="optimum"' in page
    assert "How it went" in page


STUDY = """
[simulator]
use = "model.py:parabola"
[design]
n = 6
[run]
n_jobs = 0
[optimize]
{asked}
"""
MODEL = """
import surrogate as sg

@sg.simulator(space=sg.Space(x=sg.Real(-2, 2), y=sg.Real(-2, 2)), outputs=["f", "g"])
def parabola(x, y):
    return {"f": (x - 1) ** 2 + y ** 2, "g": x + y}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "model.py").write_text(MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_study_optimises_and_reports(folder, capsys):
    asked = 'objectives = "f"\nconstraints = ["g <= 0"]\nbudget = 10'
    (folder / "study.toml").write_text(STUDY.format(asked=asked))
    assert main(["report", "study.toml"]) != 0 or "its runs are not made yet" in capsys.readouterr().err
    assert main(["run", "study.toml"]) == 0
    page = (folder / "report.html").read_text()
    # The optimum on the line x + y = 0 is (1/2, -1/2).
    assert "The best run has f 0.5" in page
    assert "knowing 6 made before" in page
    assert len(sg.RunStore("optimize.db").runs()) == 10
    assert main(["report", "study.toml"]) == 0
    assert len(sg.RunStore("optimize.db").runs()) == 10
    assert "The best run has f 0.5" in (folder / "report.html").read_text()


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ("budget = 3", "$.optimize.objectives: missing"),
        ("objectives = 'ff'", "$.optimize.objectives: no scalar output 'ff'"),
        ("objectives = 'f'\nconstraints = ['gg <= 0']", "$.optimize.constraints: no scalar output 'gg'"),
        ("objectives = 'f'\nconstraints = ['g ~ 0']", "$.optimize.constraints: "),
        ("objectives = 'f'\nbudget = 0", "$.optimize.budget: must be positive, got 0"),
        ("objectives = []", "$.optimize.objectives: objectives must be one to 3 outputs, got 0"),
        ("objectives = ['f', 'g']\nregret = 0.1", "$.optimize.regret: it is of one objective"),
    ],
)
def test_mistakes_in_a_study_have_their_place(folder, asked, problem):
    (folder / "study.toml").write_text(STUDY.format(asked=asked))
    with pytest.raises(sg.StudyError) as caught:
        load_study("study.toml")
    assert problem in str(caught.value)


def test_failures_of_earlier_runs_are_not_counted_as_its_own(tmp_path):
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def half(x):
        if x > 0.5:
            raise ValueError("too far")
        return {"y": x}

    before = sg.run(half, [{"x": v} for v in (0.1, 0.2, 0.6, 0.7)], n_jobs=0)
    found = sg.minimize(half, "y", budget=5, n_jobs=0, rng=0, runs=before)
    failed = int((found.history.loc[found.history.index >= 0, "status"] == "failed").sum())
    told = optimum_section(Asked(optimum=found)).blocks[0].text
    assert f"It took 5 runs, of which {failed} gave no answer, knowing 4 made before" in told


def test_what_was_done_at_cheaper_levels_is_not_taken_for_the_best():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"], levels={0: 1, 1: 0.2})
    def biased(x, level):
        return {"y": (x - 0.3) ** 2 - 5 * (level > 0)}

    found = sg.minimize(biased, "y", budget=6, n_jobs=0, rng=0)
    section = optimum_section(Asked(optimum=found))
    (live,) = [block for block in section.blocks if isinstance(block, Live)]
    place = found.history.index.tolist().index(found.id)
    assert live.told == live.data["runs"][place]["told"]
    assert f"y {found.fun:.4g}" in live.told
    assert any("level 1" in run["told"] for run in live.data["runs"])
    (listed,) = [b.table for b in section.blocks if isinstance(b, Figure) and b.view == "parallel"]
    assert listed.frame["y"].iloc[0] == found.fun
    assert (listed.frame["y"] >= 0).all()
    ax = plot_optimization(found, drawing.Figure().add_subplot())
    dots = {line.get_label(): line.get_ydata() for line in ax.lines}
    assert (dots["run"] >= 0).all()
    assert (dots["cheaper level"] < 0).all()


def test_without_an_allowed_run_the_one_that_violates_least_comes_first():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y", "g"])
    def never(x):
        return {"y": x, "g": 2 - x}

    found = sg.minimize(never, ["y", "-g"], constraints="g <= 0", budget=8, n_jobs=0, rng=0)
    section = optimum_section(Asked(optimum=found))
    (listed,) = [b.table for b in section.blocks if isinstance(b, Figure) and b.view == "parallel"]
    assert listed.frame["g"].iloc[0] == listed.frame["g"].min() == found.outputs["g"]
    captions = [block.caption for block in section.blocks if isinstance(block, Table)]
    assert captions[0] == "The run that violates the constraints least"


def test_failed_runs_of_the_optimisation_are_told_and_run_again(folder, capsys):
    broken = MODEL.replace("    return", "    if x > 0.2:\n        raise OSError('licence server down')\n    return")
    (folder / "model.py").write_text(broken)
    (folder / "study.toml").write_text(STUDY.format(asked='objectives = "f"\nbudget = 6'))
    main(["run", "study.toml"])
    told = capsys.readouterr().err
    assert "runs of the optimisation failed, most often: OSError: licence server down" in told
    assert "surrogate resume --rerun-failures study.toml" in told
    (folder / "model.py").write_text(MODEL)
    again = subprocess.run(
        [sys.executable, "-m", "surrogate", "resume", "--rerun-failures", "study.toml"], capture_output=True, text=True
    )
    assert "failed" not in again.stderr
    assert again.returncode == 0
    with sg.RunStore("optimize.db") as store:
        assert set(store.runs().table["status"]) == {"done"}


def test_what_only_fails_says_why():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def never(x):
        raise ValueError("no licence")

    assert (
        "no run gave an answer, most often: ValueError: no licence"
        in sg.minimize(never, "y", budget=3, n_jobs=0).message
    )
