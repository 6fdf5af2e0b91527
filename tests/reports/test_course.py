"""The course of an optimisation in the report: runs chosen by click and arrow keys in a real browser."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

import surrogate as sg
from tests.reports.browser import opened

SPACE = sg.Space(a=sg.Real(0, 1, unit="m"), b=sg.Real(0, 1), kind=sg.Categorical(["x", "y"]))
COURSE = "document.querySelector('figure[data-view=course] svg')"
PARALLEL = "document.querySelector('figure[data-view=parallel] svg')"
FRONT = "document.querySelector('figure[data-view=front] svg')"
STATUS = "document.querySelector('#optimum .live').textContent"
MIDDLE = "r => [r.left + r.width / 2, r.top + r.height / 2]"

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")


@sg.simulator(space=SPACE, outputs=["f", "g"], name="toy")
def toy(a, b, kind):
    if a > 0.8:
        raise ValueError("too far")
    return {"f": (a - 0.3) ** 2 + (b - 0.6) ** 2 + 0.1 * (kind == "x"), "g": a + b}


def plane(page, svg):
    """Left, top, width and height of a plot's plane in the window."""
    return page.value(
        f"(r => [r.left, r.top, r.width, r.height])({svg}.querySelector('[id$=\"-plane\"]').getBoundingClientRect())"
    )


def ring(page, svg):
    return page.value(f"({MIDDLE})({svg}.querySelector('circle').getBoundingClientRect())")


@needs_chromium
def test_the_line_and_the_words_follow_a_click_and_the_arrow_keys(tmp_path):
    found = sg.minimize(toy, "f", constraints="g <= 0.8", budget=16, rng=0)
    history = found.history
    file = sg.report(tmp_path / "report.html", optimum=found)
    units = SPACE.to_unit(history[list(SPACE)])

    def shows(page, i):
        row, told = history.iloc[i], page.value(STATUS)
        assert told.startswith(f"Run {i + 1} ({row['step']}): ")
        assert f"a [m] {row['a']:.4g}, b {row['b']:.4g}, kind {row['kind']}." in told
        if row["status"] == "done":
            assert f"f {row['f']:.4g}, g {row['g']:.4g}" in told
            assert ("not allowed" in told) == (row["g"] > 0.8)
        else:
            assert "no answer" in told
        left, _, width, _ = plane(page, COURSE)
        across = (i + 1) / (len(history) + 1)
        assert ring(page, COURSE)[0] == pytest.approx(left + across * width, abs=0.5)
        # The line crosses the first and the last axis where the run is.
        points = page.value(
            f"(m => [...{PARALLEL}.querySelector('polyline').points].map(p => p.matrixTransform(m).y))"
            f"({PARALLEL}.getScreenCTM())"
        )
        _, top, _, height = plane(page, PARALLEL)
        np.testing.assert_allclose(points, top + (1 - units[i]) * height, atol=0.5)

    with opened(file.as_uri(), tmp_path / "profile") as page:
        shows(page, int(np.flatnonzero((history["a"] == found.x["a"]) & (history["b"] == found.x["b"]))[0]))
        page.value(f"{COURSE}.scrollIntoView({{block: 'center'}})")
        failed = int(np.flatnonzero(history["status"] == "failed")[0])
        left, top, width, height = plane(page, COURSE)
        page.click(left + (failed + 1) / (len(history) + 1) * width, top + 0.98 * height)
        shows(page, failed)
        page.press("End")
        shows(page, len(history) - 1)
        page.press("ArrowLeft")
        shows(page, len(history) - 2)
        page.press("Home")
        shows(page, 0)
        assert page.value(f"{COURSE}.getAttribute('aria-valuetext')") == page.value(STATUS)
        assert page.complaints == []
        assert [address for address in page.requested if not address.startswith("data:")] == [file.as_uri()]


@needs_chromium
def test_of_several_objectives_the_run_is_marked_beside_the_front(tmp_path):
    found = sg.minimize(toy, ["f", "g"], budget=14, rng=0)
    file = sg.report(tmp_path / "report.html", optimum=found)
    failed = np.flatnonzero(found.history["status"] == "failed")
    assert len(failed), "this test needs a run without an answer"
    with opened(file.as_uri(), tmp_path / "profile") as page:
        before = ring(page, FRONT)
        page.value(f"{COURSE}.focus()")
        page.press("Home")
        for _ in range(failed[0]):
            page.press("ArrowRight")
        assert page.value(f"{FRONT}.querySelector('circle').style.display") == "none"
        page.press("ArrowRight" if failed[0] + 1 not in failed else "Home")
        assert page.value(f"{FRONT}.querySelector('circle').style.display") == ""
        assert ring(page, FRONT) != before
        assert page.complaints == []


def test_without_scripts_the_best_run_is_told(tmp_path):
    found = sg.minimize(toy, "f", budget=14, rng=0)
    text = sg.report(tmp_path / "report.html", optimum=found).read_text()
    place = int(np.flatnonzero(found.history["a"] == found.x["a"])[0]) + 1
    told = re.search('<p class="live"[^>]*>([^<]*)', text)[1]
    assert told.startswith(f"Run {place} (")
    assert f"f {found.outputs['f']:.4g}" in told


def test_of_a_long_history_the_last_runs_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr("surrogate.reports.sections.optimum.MOST_CHOSEN", 3)
    found = sg.minimize(toy, "f", budget=14, rng=0)
    text = sg.report(tmp_path / "report.html", optimum=found).read_text()
    assert "Run 12 (" in text.split('data-live="course"')[1]
    assert "Run 11 (" not in text.split('data-live="course"')[1]
