"""The report: complete, self-contained, and sound in a real browser."""

from __future__ import annotations

import html
import html.parser
import json
import re
import shutil
import subprocess
import urllib.parse
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.cli import main
from surrogate.reports.content import Section, Text

SPACE = sg.Space(
    delay=sg.Real(0, 5, unit="s"),
    g=sg.Real(0.05, 1, unit="1/s"),
    kind=sg.Categorical(["<b>", "$\\bad{$"]),
    n=sg.Integer(1, 4),
)


@sg.simulator(space=SPACE, outputs=[sg.Output("rate", unit="1/s"), sg.Output("cost")], name="toy")
def toy(delay, g, kind, n):
    if delay > 4.8:
        raise RuntimeError("5 < 6 & so on")
    return {"rate": delay * g - 1.5, "cost": n + 0.1 * delay}


@pytest.fixture(scope="module")
def study():
    runs = sg.run(toy, sg.sobol(SPACE, 256, rng=3), n_jobs=0)
    emulators = {
        name: sg.GaussianProcess().fit(SPACE.to_unit(runs.inputs), runs.outputs[name]) for name in ("rate", "cost")
    }
    prim = sg.Prim().fit(runs.inputs, sg.of_interest(runs.outputs, "rate > 0"), space=SPACE)
    return runs, emulators, prim


@pytest.fixture(scope="module")
def page(study, tmp_path_factory):
    runs, emulators, prim = study
    path = tmp_path_factory.mktemp("report") / "report.html"
    sg.report(
        path,
        runs=runs,
        emulator=emulators,
        boxes=prim,
        of_interest="rate > 0",
        title="Toy & co",
        question="When is the rate > 0?",
    )
    return path


class Outline(html.parser.HTMLParser):
    """Headings, ids, links, open tags and everything that would be fetched."""

    VOID = ("meta", "link", "br", "hr", "img", "input")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.targets, self.fetched, self.scripts, self.text = [], [], [], [], [], []

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        for key in ("src", "href", "xlink:href"):
            value = found.get(key)
            if value and value.startswith("#"):
                self.targets.append(value[1:])
            elif value and not value.startswith("data:"):
                self.fetched.append(value)
        if tag == "script":
            self.scripts.append(found.get("type"))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def outline(page):
    parser = Outline()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def test_nothing_is_fetched_and_every_reference_lands(outline):
    assert outline.fetched == []
    assert outline.scripts == ["application/json", None] * 2  # data, and what shows other boxes and other slices
    assert not outline.open
    assert len(outline.ids) == len(set(outline.ids))
    assert set(outline.targets) <= set(outline.ids)


def test_it_says_what_happened(outline, study):
    runs, emulators, prim = study
    text = " ".join(" ".join(outline.text).split())
    failed = len(runs) - runs.counts["done"]
    assert f"{runs.counts['done']} of {len(runs)} runs of a sobol design with seed 3 are done" in text
    assert f"{failed} failed" in text
    assert "RuntimeError: 5 < 6 & so on" in text
    assert "When is the rate > 0?" in text
    assert prim.best_.rule() in text
    row = prim.trajectory_.iloc[prim.best_index_]
    assert f"holds {row['coverage']:.0%} of them (coverage), and {row['density']:.0%} of the runs" in text
    mean, _ = emulators["rate"].leave_one_out()
    actual = runs.outputs["rate"]
    q2 = 1 - ((actual - mean) ** 2).sum() / ((actual - actual.mean()) ** 2).sum()
    assert f"rate is emulated with Q2 {q2:.3f}" in text
    assert np.__version__ in text
    assert "one of '<b>', " in text


def test_every_figure_has_words_for_those_who_do_not_see_it(page):
    svgs = re.findall(r"<svg.*?</svg>", page.read_text(), flags=re.DOTALL)
    assert len(svgs) == 8  # trade-off, limits, two scatters, two emulators twice
    assert all(re.search(r"<title>[^<]{20,}</title>", svg) for svg in svgs)


def test_a_condition_that_the_boxes_were_not_fitted_with_is_refused(study, tmp_path):
    runs, _, prim = study
    path = tmp_path / "report.html"
    for wrong in ("rate > 0.5", {"rate": "> 0", "cost": "> 2"}):
        with pytest.raises(ValueError, match=r"is not what the boxes were fitted with: it differs .* on \d+ of \d+"):
            sg.report(path, runs=runs, boxes=prim, of_interest=wrong)
    with pytest.raises(ValueError, match="of_interest: no scalar output 'raet'; did you mean 'rate'"):
        sg.report(path, runs=runs, of_interest="raet > 0")
    half = sg.run(toy, sg.sobol(SPACE, 128, rng=3), n_jobs=0)
    with pytest.raises(ValueError, match=r"boxes were fitted on \d+ runs, but runs= has \d+ finished ones"):
        sg.report(path, runs=half, boxes=prim, of_interest="rate > 0")
    assert not path.exists()


def test_rows_that_are_one_run_are_told_once(tmp_path):
    @sg.simulator(space=sg.Space(k=sg.Integer(1, 4), kind=sg.Categorical(["a", "b"])), outputs=["y"])
    def grid(k, kind):
        if k == 4:
            raise ValueError("four")
        return {"y": k}

    store = tmp_path / "runs.db"
    runs = sg.run(grid, [{"k": k, "kind": "a"} for k in (1, 2, 4, 1, 4, 4, 2)], store=store, n_jobs=0)
    assert len(runs) == 7
    assert runs.seconds == sg.RunStore(store).runs().seconds
    assert runs.health()["runs"].to_dict() == {"done": 2, "failed": 1}
    assert runs.health()["share"]["failed"] == pytest.approx(1 / 3)
    told = sg.report(tmp_path / "report.md", runs=runs).read_text()
    assert "2 of 3 different runs in 7 rows are done; they took" in told
    assert "1 failed (33.3%)" in told
    assert told.count("ValueError: four") == 2  # by status and by run


def test_replicates_are_runs_of_their_own():
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def noisy(x, seed):
        return {"y": x}

    assert sg.run(noisy, [[0.5]], replicates=3, n_jobs=0).health()["runs"].to_dict() == {"done": 3}


def test_failures_are_told_by_their_cause(tmp_path):
    @sg.simulator(space=sg.Space(x=sg.Real(0, 1)), outputs=["y"])
    def raises(x):
        raise ValueError("no mesh\nsee the log")

    told = sg.report(tmp_path / "report.md", runs=sg.run(raises, [[0.5]], n_jobs=0)).read_text()
    assert told.count("ValueError: no mesh") == 2  # by status and by run
    assert "see the log" not in told


def test_a_run_store_is_not_replaced_by_a_report(tmp_path, capsys):
    store = tmp_path / "runs.json"
    runs = sg.run(toy, sg.sobol(SPACE, 4, rng=3), n_jobs=0, store=store)
    with pytest.raises(ValueError, match=r"'runs\.json' is a run store, which the report would replace"):
        sg.report(store, runs=runs)
    assert main(["discover", str(store), "--where", "rate < 0", "--output", str(store)]) == 2
    assert "'runs.json' is a run store" in capsys.readouterr().err
    assert len(sg.RunStore(store).runs()) == 4


def test_a_part_alone_is_a_report_too(study, tmp_path):
    runs, emulators, _ = study
    text = sg.report(tmp_path / "runs.html", runs=runs).read_text()
    assert "Design and runs" in text
    assert "Where it is of interest" not in text
    with pytest.raises(ValueError, match=r"pass a mapping such as \{'rate': emulator\}"):
        sg.report(tmp_path / "x.html", runs=runs, emulator=emulators["rate"])
    with pytest.raises(ValueError, match="no scalar output 'raet'; did you mean 'rate'"):
        sg.report(tmp_path / "x.html", runs=runs, emulator={"raet": emulators["rate"]})
    with pytest.raises(TypeError, match=r"runs must be what run\(\) returned .* got DataFrame"):
        sg.report(tmp_path / "report.html", runs=runs.table)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        sg.report(tmp_path / "absent" / "x.html", runs=runs)
    with pytest.raises(ValueError, match=r"'x.pdf' must end in one of .html, .htm, .md, .json"):
        sg.report(tmp_path / "x.pdf", runs=runs)
    assert [file.name for file in tmp_path.iterdir()] == ["runs.html"]


def written(study, path, **more):
    runs, emulators, prim = study
    return sg.report(path, runs=runs, emulator=emulators, boxes=prim, of_interest="rate > 0", **more)


def test_markdown_has_the_same_words_and_numbers(study, outline, tmp_path):
    text = written(study, tmp_path / "report.md").read_text()
    page = " ".join(" ".join(outline.text).split())
    for section in ("Design and runs", "Where it is of interest", "Emulators", "Seeds and versions"):
        assert f"\n## {section}\n" in text
    for line in text.splitlines():
        if line.startswith("- "):  # the summary
            assert line[2:] in page
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) >= 10
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1
    assert repr(SPACE["kind"].values[1]) in text


def test_other_programs_read_it(study, tmp_path):
    runs, _, prim = study
    told = json.loads(written(study, tmp_path / "report.json", title="Toy").read_text())
    assert (told["format"], told["version"], told["title"]) == ("surrogate-report", 1, "Toy")
    sections = {section["anchor"]: section for section in told["sections"]}
    figures = [block for block in sections["boxes"]["blocks"] if block["kind"] == "figure"]
    trade_off = figures[0]["table"]
    frame = pd.DataFrame(trade_off["data"], columns=trade_off["columns"])
    np.testing.assert_allclose(frame["coverage"], prim.trajectory_["coverage"], rtol=1e-12)
    outputs = next(b for b in sections["runs"]["blocks"] if b["kind"] == "table" and b["index_name"] == "output")
    assert outputs["data"][0][0] == runs.outputs["rate"].min()  # every digit


def test_a_notebook_shows_the_page(study, tmp_path):
    shown = written(study, tmp_path / "report.html", title="Toy & co")._repr_html_()
    page = html.unescape(re.search(r'srcdoc="([^"]*)"', shown)[1])
    assert page == (tmp_path / "report.html").read_text()
    other = written(study, tmp_path / "report.md")
    assert other._repr_html_() is None
    assert isinstance(other, Path)


def test_a_section_of_ones_own(study, tmp_path):
    def costs(asked):
        return Section("costs", "Costs", f"{len(asked.runs)} runs cost 3 EUR.", [Text("Ask Bob & Eve.")])

    text = written(study, tmp_path / "report.html", sections=[costs, lambda asked: None]).read_text()
    assert "256 runs cost 3 EUR." in text
    assert "<p>Ask Bob &amp; Eve.</p>" in text
    assert text.index('id="emulators"') < text.index('id="costs"') < text.index('id="provenance"')


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
def test_the_browser_has_nothing_to_complain_about(page, tmp_path):
    log = tmp_path / "net.json"
    asked = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--enable-logging=stderr",
        f"--log-net-log={log}",
        f"--user-data-dir={tmp_path / 'profile'}",
        "--dump-dom",
        page.as_uri(),
    ]
    seen = subprocess.run(["chromium", *asked], capture_output=True, text=True, timeout=120)
    assert "CONSOLE" not in seen.stderr
    assert "<h1>Toy &amp; co</h1>" in seen.stdout
    assert "Seeds and versions" in seen.stdout
    requested = set(re.findall(r'"url":"([^"]+)"', log.read_text()))
    hosts = {urllib.parse.urlsplit(url).hostname for url in requested if url.startswith(("http", "ws"))}
    # The browser asks its maker for the time and for updates, whatever page it shows.
    assert not {host for host in hosts if not host.endswith((".google.com", ".googleapis.com", ".gvt1.com"))}
