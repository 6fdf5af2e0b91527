"""A box chosen in the report, in a real browser: what follows, and that nothing is fetched or complained about."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import surrogate as sg
from surrogate.reports.sections import boxes as boxes_section
from surrogate.study import run as study_run
from tests.conftest import REPOSITORY
from tests.reports.browser import opened

SPACE = sg.Space(
    a=sg.Real(0, 1, unit="m"), b=sg.Real(0, 1), kind=sg.Categorical(["<b>", "</script>", "c"]), n=sg.Integer(1, 4)
)
STATUS = "document.querySelector('[role=status]').textContent"
PLOT = "document.querySelector('figure[data-view=trade-off] svg')"
ROWS = (
    "[...document.querySelectorAll('figure[data-view=limits] tbody tr')]"
    ".map(row => row.cells[row.cells.length > 1 ? 1 : 0].textContent)"
)
SCATTERS = "[...document.querySelectorAll('figure[data-view=scatter] svg')]"
FADED = (
    f"{SCATTERS}.map(svg => ['other', 'interest'].map(name => [...svg.querySelectorAll(`[id*='-${{name}}'] use`)]"
    ".filter(run => run.style.opacity === '0.25').length))"
)
FRAMES = f"{SCATTERS}.map(svg => [...svg.querySelectorAll('rect')].map(r => [...r.attributes].map(at => at.value)))"

needs_chromium = pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")


@sg.simulator(space=SPACE, outputs=["rate"], name="toy")
def toy(a, b, kind, n):
    return {"rate": a + b + 0.5 * (kind == "</script>") + 0.02 * n}


@pytest.fixture(scope="module")
def found():
    runs = sg.run(toy, sg.sobol(SPACE, 256, rng=3), n_jobs=0)
    return runs, sg.Prim().fit(runs.inputs, sg.of_interest(runs.outputs, "rate > 1.5"), space=SPACE)


def written(found, folder):
    runs, prim = found
    return sg.report(folder / "report.html", runs=runs, boxes=prim, of_interest="rate > 1.5")


@pytest.fixture(scope="module")
def smart_grid(tmp_path_factory):
    """The report of the example's study, and what it was written from."""
    folder = tmp_path_factory.mktemp("smart_grid")
    text = (REPOSITORY / "examples" / "smart_grid" / "study.toml").read_text()
    (folder / "study.toml").write_text(text.replace("\nn = 512\n", "\nn = 256\n"))
    given = {}

    def noted(path, **parts):
        given.update(parts)
        return sg.report(path, **parts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(study_run, "report", noted)
        finished = sg.run_study(sg.load_study(folder / "study.toml"), progress=False)
    assert len(finished.runs) == 256
    return finished.report, given["runs"], given["boxes"]


@pytest.fixture(params=["toy", "smart grid"])
def chosen_from(request, tmp_path):
    """A report, its runs and the finder of its boxes."""
    if request.param == "smart grid":
        return request.getfixturevalue("smart_grid")
    found = request.getfixturevalue("found")
    return Path(written(found, tmp_path)), *found


def place(page, at):
    """Where a box's dot lies in the window."""
    left, top, width, height = page.value(
        f"(r => [r.left, r.top, r.width, r.height])({PLOT}.querySelector('[id$=\"-plane\"]').getBoundingClientRect())"
    )
    return left + at[0] * width, top + (1 - at[1]) * height


@needs_chromium
def test_limits_rule_and_scatters_follow_a_click_and_the_arrow_keys(chosen_from, tmp_path):
    file, runs, finder = chosen_from
    dots = finder.trajectory_[["coverage", "density"]].to_numpy() / 1.03  # the plot's ends

    def shows(page, i):
        box, row = finder.boxes_[i], finder.trajectory_.iloc[i]
        inside = box.contains(runs.inputs)
        told = f"Box {i}: coverage {row['coverage']:.0%}, density {row['density']:.0%}, {inside.sum()} runs"
        assert page.value(STATUS).startswith(told)
        assert page.value(STATUS).endswith(f". {box.rule()}")
        assert page.value(ROWS) == (list(box.conditions().values()) or ["no limits: every run"])
        faded = [(~inside & ~finder.of_interest_).sum(), (~inside & finder.of_interest_).sum()]
        assert page.value(FADED) == [faded] * 2
        middle = "r => [r.left + r.width / 2, r.top + r.height / 2]"
        ring = page.value(f"({middle})({PLOT}.querySelector('circle').getBoundingClientRect())")
        assert ring == pytest.approx(place(page, dots[i]), abs=0.5)

    with opened(file.as_uri(), tmp_path / "profile") as page:
        shows(page, finder.best_index_)
        assert page.value(f"{PLOT}.getAttribute('role')") == "slider"
        page.value(f"{PLOT}.scrollIntoView({{block: 'center'}})")

        other = finder.best_index_ // 2
        assert finder.boxes_[other].rule() != finder.best_.rule()
        before = page.value(FRAMES)
        page.click(*place(page, dots[other] + 0.001))
        shows(page, other)
        assert page.value(FRAMES) != before

        # To the right lies more coverage; where that is equal, less density.
        order = sorted(range(len(dots)), key=lambda i: (round(dots[i][0], 4), -round(dots[i][1], 4)))
        page.press("ArrowRight")
        right = order[order.index(other) + 1]
        shows(page, right)
        page.press("ArrowLeft")
        page.press("ArrowLeft")
        shows(page, order[order.index(other) - 1])
        page.press("End")
        page.press("ArrowRight")
        shows(page, 0)
        assert page.value(f"{PLOT}.getAttribute('aria-valuenow')") == str(len(dots) - 1)
        page.press("Home")
        shows(page, order[0])
        assert "coverage" in page.value(f"{PLOT}.getAttribute('aria-valuetext')")

        assert page.complaints == []
        assert [address for address in page.requested if not address.startswith("data:")] == [file.as_uri()]


@needs_chromium
def test_no_other_script_runs_and_nothing_can_be_fetched(found, tmp_path):
    file = written(found, tmp_path)
    text = file.read_text()
    file.write_text(
        text.replace("</main>", "<script>document.title = 'foreign'</script><img src='http://[::1]/x'></main>")
    )
    with opened(file.as_uri(), tmp_path / "profile") as page:
        assert page.value("document.title") == "Study of toy"
        assert page.value("document.images[0].naturalWidth") == 0
        assert sum("Content Security Policy" in complaint for complaint in page.complaints) == 2


def test_names_do_not_end_the_data(found, tmp_path):
    text = written(found, tmp_path).read_text()
    data = re.search(r"<script type=\"application/json\" data-live=\"choice\">(.*?)</script>", text, flags=re.DOTALL)
    assert r"\u003c/script\u003e" in data[1]
    assert len(re.findall("<script", text)) == 2


def test_of_many_runs_membership_is_left_out(found, tmp_path, monkeypatch):
    whole = len(written(found, tmp_path).read_text())
    assert '"inside"' in written(found, tmp_path).read_text()
    monkeypatch.setattr(boxes_section, "MOST_RUNS_MARKED", 255)
    text = written(found, tmp_path).read_text()
    assert '"inside"' not in text
    assert len(text) < whole
