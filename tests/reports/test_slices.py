"""Slices of the emulators in the report: drawn, and moved by sliders in a real browser."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import scipy.stats

import surrogate as sg
from surrogate.emulators.slices import Copy, Slices, steps_of
from tests.reports.browser import opened

SPACE = sg.Space(
    a=sg.Real(0, 2, unit="m"), b=sg.Real(1, 100, log=True), kind=sg.Categorical(["x", "y", "z"]), n=sg.Integer(1, 5)
)
STATUS = "document.querySelector('#emulators .live').textContent"

NUMBER = r"-?\d+(?:\.\d+)?(?:e-?\d+)?"

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")


def answer(a, b, kind, n):
    return np.sin(2 * a) + 0.3 * np.log(b) * (1.0 + (kind == "y")) + 0.1 * n * a


@sg.simulator(space=SPACE, outputs=[sg.Output("rate", unit="1/s"), "cost"], name="toy")
def toy(a, b, kind, n):
    return {"rate": answer(a, b, kind, n), "cost": a * n}


@pytest.fixture(scope="module")
def runs():
    return sg.run(toy, sg.latin_hypercube(SPACE, 150, rng=0), n_jobs=0)


@pytest.fixture(scope="module")
def emulators(runs):
    """Of each kind: one that gives its own formula, and one that has to be copied."""
    return {
        "rate": sg.GaussianProcess(warp=None).fit(runs.inputs, runs.outputs["rate"], SPACE),
        "cost": sg.AutoEmulator().fit(runs.inputs, runs.outputs["cost"], SPACE),
    }


def asked(emulator):
    return lambda table: emulator.predict(table, return_std=True)


def test_steps_cover_every_kind_of_input():
    assert list(steps_of(SPACE["kind"])) == ["x", "y", "z"]
    assert list(steps_of(SPACE["n"])) == [1, 2, 3, 4, 5]
    b = steps_of(SPACE["b"])
    assert (b[0], b[-1]) == pytest.approx((1, 100))
    np.testing.assert_allclose(np.diff(np.log(b)), np.log(100) / (len(b) - 1))
    normal = steps_of(sg.Real.distributed(scipy.stats.norm(3, 2)))
    assert (normal[0], normal[-1]) == pytest.approx((3 - 2 * 2.5758, 3 + 2 * 2.5758), rel=1e-4)


def test_slices_are_the_emulators_answers(runs):
    # Of few runs, so that standard deviations are far above their rounding errors, which hang on the processor.
    rate = sg.GaussianProcess(warp=None).fit(runs.inputs[:20], runs.outputs["rate"][:20], SPACE)
    slices = Slices.of(asked(rate), runs.inputs, SPACE)
    middle = {name: values[i] for name, values, i in zip(SPACE, slices.steps, slices.at)}
    assert (middle["a"], middle["n"]) == pytest.approx((1, 3), abs=0.05)
    part = slices.table[slices.table["input"] == "kind"]
    points = pd.DataFrame([middle | {"kind": kind} for kind in ("x", "y", "z")])
    mean, std = rate.predict(points, return_std=True)
    assert std.min() > 1e-3
    np.testing.assert_allclose(part["mean"], mean)
    np.testing.assert_allclose(part["std"], std)


def test_a_copy_says_how_true_it_is(runs, emulators):
    class Noise:
        def predict(self, table, return_std):
            return np.random.default_rng(len(table)).standard_normal(len(table)), np.ones(len(table))

    def copied(emulator):
        ask = lambda table: emulator.predict(table, return_std=True)  # noqa: E731
        slices = Slices.of(ask, runs.inputs, SPACE)
        return Copy.of(emulator, ask, lambda table: table, slices, runs.inputs, SPACE)

    assert copied(emulators["rate"]).agreement == 1.0
    assert 0.99 < copied(emulators["cost"]).agreement < 1.0
    assert copied(Noise()).agreement < 0.5


def test_without_scripts_every_input_is_drawn(runs, emulators, tmp_path):
    text = sg.report(tmp_path / "report.html", runs=runs, emulator=emulators).read_text()
    figures = re.findall(r'<figure data-view="slices">.*?</figure>', text, flags=re.DOTALL)
    assert len(figures) == 2
    for label in ("a [m]", "b", "kind", "n"):
        assert all(f">{label}</text>" in figure for figure in figures)


def test_a_copy_that_is_not_true_has_no_sliders(runs, emulators, tmp_path, monkeypatch):
    monkeypatch.setattr("surrogate.reports.sections.slices.LEAST_AGREEMENT", 1.1)
    text = sg.report(tmp_path / "report.html", runs=runs, emulator=emulators).read_text()
    assert "data-live" not in text
    assert text.count('data-view="slices"') == 2


@needs_chromium
def test_sliders_ask_the_emulator(runs, emulators, tmp_path):
    file = sg.report(tmp_path / "report.html", runs=runs, emulator=emulators)
    steps = [steps_of(parameter) for parameter in SPACE.values()]
    place = [5, 20, 1, 4]

    def told(page, output):
        point = pd.DataFrame([{name: values[i] for name, values, i in zip(SPACE, steps, place)}])
        (mean,), (std,) = emulators[output].predict(point, return_std=True)
        shown = [float(x) for x in re.findall(NUMBER, page.value(STATUS).split(":")[1].split(". ")[0])]
        # Three digits, and the 95 of the sentence.
        assert shown[0] == pytest.approx(mean, rel=6e-3, abs=2e-3)
        assert shown[1] == 95
        assert shown[2:4] == pytest.approx([mean - 1.96 * std, mean + 1.96 * std], rel=0.02, abs=0.02)

    with opened(file.as_uri(), tmp_path / "profile") as page:
        for j, step in enumerate(place):
            page.value(
                f"(s => {{ s.value = {step}; s.dispatchEvent(new Event('input')); }})"
                f"(document.getElementById('slice-{j}'))"
            )
        assert page.value(STATUS).startswith("rate [1/s] here: ")
        told(page, "rate")
        before = page.value("document.querySelector('.slice path[fill=none]').getAttribute('d')")
        page.value("document.getElementById('slice-0').focus()")
        page.press("ArrowRight")
        place[0] += 1
        told(page, "rate")
        label = page.value("document.querySelector('label[for=slice-0]').textContent")
        assert label == f"a [m]: {steps[0][6]:.4g}"
        # The curve along an input does not move with that input itself, but with the others.
        line = "document.querySelector('.slice path[fill=none]').getAttribute('d')"
        assert page.value(line) == before
        page.value("document.getElementById('slice-1').focus()")
        page.press("ArrowLeft")
        place[1] -= 1
        assert page.value(line) != before
        page.value(
            "(s => { s.selectedIndex = 1; s.dispatchEvent(new Event('change')); })(document.querySelector('select'))"
        )
        assert page.value(STATUS).startswith("cost here: ")
        told(page, "cost")
        assert page.complaints == []
        assert [address for address in page.requested if not address.startswith("data:")] == [file.as_uri()]
