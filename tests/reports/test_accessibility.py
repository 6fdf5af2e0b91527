"""The report is sound for keyboards, screen readers and weak eyes: axe-core finds nothing serious, light or dark."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg
from tests.reports.browser import opened

axe_core_python = pytest.importorskip("axe_core_python", reason="needs axe-core-python, of the extra test")

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")

SPACE = sg.Space(**{name: sg.Real(0, 1) for name in "abcde"}, kind=sg.Categorical(["u", "v"]))


@sg.simulator(space=SPACE, outputs=[sg.Output("rate", unit="1/s")], name="toy", batch=1000)
def toy(a, b, c, d, e, kind):
    return {"rate": a + b * c + 0.2 * (kind == "u") + 0.1 * np.sin(6 * d)}


def written(rows, folder):
    """Every section there is."""
    runs = sg.run(toy, sg.sobol(SPACE, rows, rng=0), n_jobs=0)
    few = runs.inputs.iloc[:200]
    emulator = sg.GaussianProcess().fit(few, runs.outputs["rate"].iloc[:200], SPACE)
    emulator.leave_one_out = lambda: emulator.predict(runs.inputs, return_std=True)  # of as many as the page has runs
    prim = sg.Prim().fit(runs.inputs, runs.outputs["rate"] > 1.2, space=SPACE)
    X = few[list("abcde")].to_numpy()
    teacher = RandomForestClassifier(20, random_state=0).fit(X, runs.outputs["rate"].iloc[:200] > 0.8)
    chain = sg.Metamorphosis(
        teacher, sg.KernelDensity(), DecisionTreeClassifier(max_leaf_nodes=6, random_state=0), 500, rng=0
    ).fit(X)
    return sg.report(
        folder / "report.html",
        runs=runs,
        emulator=emulator,
        boxes=prim,
        sensitivity=sg.sobol_indices(emulator, SPACE, n=64, rng=0),
        student=sg.summarise_student(chain, X, teacher.predict(X)),
        of_interest="rate > 1.2",
        question="Where is the rate above 1.2?",
    )


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    # Few runs: axe looks at every dot.
    return written(256, tmp_path_factory.mktemp("report"))


def serious(page):
    """Violations of weight, as axe tells them: rule, and the first element."""
    source = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
    page.ask("Runtime.evaluate", expression=source)
    answer = page.ask(
        "Runtime.evaluate",
        expression="axe.run().then(found => JSON.stringify(found.violations))",
        awaitPromise=True,
        returnByValue=True,
    )
    found = json.loads(answer["result"]["value"])
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in found if one["impact"] in ("serious", "critical")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page_file, tmp_path, scheme):
    with opened(page_file.as_uri(), tmp_path / "profile") as page:
        page.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        assert page.value(f"matchMedia('(prefers-color-scheme: {scheme})').matches")
        assert serious(page) == []


def test_axe_would_find_something(page_file, tmp_path):
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(page_file.read_text().replace("<h1>", "<img src='data:,'><h1>"))
    with opened(spoilt.as_uri(), tmp_path / "profile") as page:
        assert [rule for rule, _ in serious(page)] == ["image-alt"]


def test_of_many_runs_it_is_small(tmp_path):
    page = written(5000, tmp_path)
    assert page.stat().st_size < 3e6
    assert "1000 of 5000 runs, drawn at random" in page.read_text()
