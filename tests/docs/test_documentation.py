"""The documentation's code runs, prints what the pages show, and no public name lacks a page."""

from __future__ import annotations

import importlib.util
import sys

import pytest

import surrogate as sg
from tests.conftest import REPOSITORY

DOCS = REPOSITORY / "docs"


def _module(name: str):
    spec = importlib.util.spec_from_file_location(f"documentation_{name}", DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


MADE = {"api", "benchmarks", "reference", "_made"}
pages, generate = _module("pages"), _module("generate")
SOURCES = [file for file in sorted(DOCS.rglob("*.md")) if not MADE & set(file.relative_to(DOCS).parts)]
RUN = [page for page in map(pages.Page.of, SOURCES) if any(b.language == "python" for b in page.blocks)]


@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.file.relative_to(DOCS)))
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    # Worker processes start in the page's folder and must find this checkout.
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    try:
        page.run(tmp_path)
    except pages.MissingError as missing:
        pytest.skip(str(missing))


def test_pages_that_must_be_there_have_code():
    """A fence that is not recognised would silently run nothing."""
    names = {str(page.file.relative_to(DOCS)) for page in RUN}
    how_tos = {f"how_to/{file.name}" for file in (DOCS / "how_to").glob("*.md")} - {"how_to/index.md"}
    assert {"quickstart.md", *how_tos} <= names
    assert len(how_tos) >= 5
    for page in RUN:
        assert sum(b.language == "python" for b in page.blocks) == page.file.read_text().count("```python")


def test_runner_sees_wrong_output_and_missing_parts(tmp_path):
    source = tmp_path / "page.md"
    source.write_text("```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(pages.PageError, match="line 5"):
        pages.Page.of(source).run(tmp_path)
    source.write_text("<!-- requires: sg.no_such_name -->\n```python\nraise ValueError\n```\n")
    with pytest.raises(pages.MissingError, match="no_such_name"):
        pages.Page.of(source).run(tmp_path)
    source.write_text("```sh\nsurrogate run no_such_study.toml\n```\n")
    with pytest.raises(pages.PageError, match="ends with 2"):
        pages.Page.of(source).run(tmp_path)
    source.write_text(
        "```python\n# part.py\nvalue = 3\n```\n\n```python\nimport part\nassert part.value == value\n```\n"
    )
    sys.path.insert(0, str(tmp_path))
    try:
        pages.Page.of(source).run(tmp_path)
    finally:
        sys.path.remove(str(tmp_path))


def test_every_public_name_has_its_place_in_the_reference():
    by_section = generate.public_names(REPOSITORY)
    named = [name for names in by_section.values() for name in names]
    assert sorted(named) == sorted(sg.__all__)
    written = generate.generated_api(by_section)
    for section, names in by_section.items():
        for name in names:
            assert f"\n   {name}\n" in written[f"api/{section}.rst"]


def test_every_result_of_a_benchmark_has_a_page():
    written = generate.generated_benchmarks(REPOSITORY)
    for result in (REPOSITORY / "benchmarks" / "results").glob("*.md"):
        assert written[f"benchmarks/{result.name}"] == result.read_text()
        assert result.stem in written["benchmarks/index.md"]


def test_parts_of_the_readme_that_pages_show_are_there():
    for page in SOURCES:
        for marker in pages.INCLUDED.findall(page.read_text()):
            assert generate.readme_part(REPOSITORY, marker).strip(), f"{page.name} includes {marker}"
    with pytest.raises(ValueError, match="no_such_part"):
        generate.readme_part(REPOSITORY, "no_such_part")
    # The table stands in the README only.
    assert "|" not in (DOCS / "capabilities.md").read_text()
