"""The command that shows a simulator."""

from __future__ import annotations

import re

import pytest

import surrogate as sg
from surrogate.cli import main

OWN = '''
import scipy.stats

import surrogate as sg

SPACE = sg.Space(
    speed=sg.Real(1, 30, unit="m/s", role="lever", description="of the wind"),
    rate=sg.Real(1e-4, 1, log=True),
    gust=sg.Real.distributed(scipy.stats.norm(0, 2), unit="m/s"),
    blades=sg.Integer(2, 5),
    kind=sg.Categorical(["clean", "iced"]),
)


@sg.simulator(
    space=SPACE,
    outputs=[
        sg.Series("load", at=[0, 1, 2], coordinate="time", unit="N"),
        sg.Output("power", unit="kW", description="mean"),
    ],
    version="3",
    batch=50,
)
def turbine(speed, rate, gust, blades, kind, seed):
    """Power of a turbine.

    More about it.

    References
    ----------
    .. [1] A. Author, "Turbines", 2001.

    Examples
    --------
    Nothing of this is shown.
    """
    return {"load": [0, 0, 0], "power": speed}
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wind.py").write_text(OWN)
    return "wind.py:turbine"


def row(text, name):
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


def test_show_tells_all_there_is(own, capsys):
    assert main(["simulators", "show", own]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("turbine, version 3\n\nPower of a turbine.\n\nInputs\n")
    assert re.fullmatch(r"speed +real +\[1, 30\] m/s +uniform +lever +of the wind", row(shown, "speed"))
    assert re.fullmatch(r"rate +real +\[0.0001, 1\] \(log scale\) +log-uniform +uncertainty", row(shown, "rate"))
    assert re.fullmatch(r"gust +real +\(-inf, inf\) m/s +norm\(0, 2\) +uncertainty", row(shown, "gust"))
    assert re.fullmatch(r"blades +integer +whole numbers 2 to 5 +uniform +uncertainty", row(shown, "blades"))
    assert re.match(r"kind +categorical +.*clean.*iced", row(shown, "kind"))
    assert re.fullmatch(r"load +N +3 over time", row(shown, "load"))
    assert re.fullmatch(r"power +kW +1 +mean", row(shown, "power"))
    assert "takes up to 50 points a call; every run is drawn anew with a seed of its own" in shown
    assert 'References\n.. [1] A. Author, "Turbines", 2001.\n' in shown
    assert "More about it" not in shown
    assert "Nothing of this" not in shown


@pytest.mark.parametrize("name", ["smart_grid", "airfoil", "lake", "simulators.dice:dice"])
def test_the_study_it_shows_can_be_run(name, tmp_path, capsys):
    assert main(["simulators", "show", name]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"^\.\. \[1\]", shown, flags=re.MULTILINE)
    file = tmp_path / "study.toml"
    file.write_text(shown[shown.index("[simulator]") :])
    study = sg.load_study(file)
    assert study.simulator is sg.load_simulator(name)
    assert study.emulated == (next(out for out in study.simulator.outputs if not isinstance(out, sg.Series)),)


def test_a_study_of_the_shown_text_is_run(own, tmp_path, capsys):
    assert main(["simulators", "show", own]) == 0
    shown = capsys.readouterr().out
    assert 'outputs = ["power"]' in shown
    (tmp_path / "study.toml").write_text(shown[shown.index("[simulator]") :].replace('"power"', '"pwoer"'))
    with pytest.raises(sg.StudyError, match="did you mean 'power'"):
        sg.load_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("smart_gird", "did you mean 'smart_grid'?"),
        ("simulators.growth:ramsay", "did you mean 'ramsey'?"),
        ("wind.py:turbin", "did you mean 'turbine'?"),
        ("nowhere.py:turbine", "there is no file nowhere.py"),
    ],
)
def test_a_misspelt_name_gets_a_suggestion(own, name, hint, capsys):
    assert main(["simulators", "show", name]) == 2
    told = capsys.readouterr()
    assert hint in told.err
    assert told.out == ""


def test_a_misspelt_word_after_simulators_is_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["simulators", "shwo", "lake"])
    assert "choose from" in capsys.readouterr().err
