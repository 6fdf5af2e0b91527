"""Makes the pages whose source is elsewhere, so that nothing stands twice: the API's names, benchmarks, study keys."""

from __future__ import annotations

import ast
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

# The question that each folder or file of the package answers, in the order of the chain. A new one must be named here:
# the build says so.
QUESTIONS = {
    "space": "What may vary?",
    "simulation": "What do we ask?",
    "outputs": "What does it answer?",
    "loading": "Where is a simulator found?",
    "connectors": "What do we ask, if it is no Python function?",
    "designs": "Which points?",
    "runs": "What happened?",
    "emulators": "What would it answer?",
    "transfer": "What does a teacher know?",
    "conditions": "What is of interest?",
    "boxes": "Where is it of interest?",
    "discovery": "Where is it of interest, run by run?",
    "rules": "Why, in readable words?",
    "sensitivity": "Which inputs matter?",
    "optimize": "Where next?",
    "reports": "How do I tell others?",
    "study": "How do I do it all from one file?",
    "errors": "What went wrong?",
}


def generate(docs: Path) -> None:
    """Write all of them into `docs`; files that would not change keep their time."""
    root = docs.parent
    pages = {**generated_api(public_names(root)), **generated_benchmarks(root), **_reference()}
    for name, text in pages.items():
        _write(docs / name, text)
    for folder in ("api", "benchmarks", "reference"):
        for file in (docs / folder).glob("*.*"):
            if f"{folder}/{file.name}" not in pages:
                file.unlink()
    _run_quickstart(docs)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists() or file.read_text() != text:
        file.write_text(text)


def public_names(root: Path) -> dict[str, list[str]]:
    """Names by folder or file of the package, as `surrogate/__init__.pyi` re-exports them."""
    found: dict[str, list[str]] = {}
    for node in ast.parse((root / "surrogate" / "__init__.pyi").read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            found.setdefault(node.module.split(".")[0], []).extend(alias.asname or alias.name for alias in node.names)
    unknown = sorted(set(found) - set(QUESTIONS))
    if unknown:
        raise ValueError(f"docs/generate.py: QUESTIONS does not say which question surrogate.{unknown[0]} answers")
    return found


def generated_api(names: dict[str, list[str]]) -> dict[str, str]:
    pages = {}
    sections = [section for section in QUESTIONS if section in names]
    for section in sections:
        title = QUESTIONS[section]
        rows = "\n".join(f"   {name}" for name in sorted(names[section], key=str.casefold))
        pages[f"api/{section}.rst"] = (
            f"{title}\n{'=' * len(title)}\n\n.. currentmodule:: surrogate\n\n"
            f".. autosummary::\n   :toctree: names\n   :nosignatures:\n\n{rows}\n"
        )
    entries = "\n".join(f"   {section}" for section in sections)
    pages["api/index.rst"] = (
        "API reference\n=============\n\nEverything here is imported from ``surrogate``, by convention with\n"
        "``import surrogate as sg``. It is grouped by the question that it answers.\n\n"
        f".. toctree::\n   :maxdepth: 2\n\n{entries}\n"
    )
    return pages


def readme_part(root: Path, name: str) -> str:
    """What stands in the README between ``<!-- begin NAME -->`` and ``<!-- end NAME -->``."""
    text = (root / "README.md").read_text()
    found = re.search(rf"<!-- begin {name} -->\n(.*?)<!-- end {name} -->", text, re.DOTALL)
    if found is None:
        raise ValueError(f"README.md has no part marked {name!r}")
    return found[1]


def generated_benchmarks(root: Path) -> dict[str, str]:
    results = sorted((root / "benchmarks" / "results").glob("*.md"))
    table = readme_part(root, "benchmarks").replace("(benchmarks/results/", "(")
    entries = "\n".join(file.stem for file in results)
    index = f"# Benchmarks\n\n{table}\n```{{toctree}}\n:maxdepth: 1\n\n{entries}\n```\n"
    return {"benchmarks/index.md": index} | {f"benchmarks/{file.name}": file.read_text() for file in results}


def _reference() -> dict[str, str]:
    from surrogate.study.file import study_keys

    lines = [
        "# Study files and the command line",
        "A study is a TOML file; `surrogate run STUDY.toml` does what it says. Relative file names are beside it. The",
        "tables `emulate`, `discover`, `sensitivity` and `optimize` are done only if they are there; a misspelt key is",
        "an error. `surrogate keys` prints this list.",
        "",
        "```text",
        _help(),
        "```",
        "",
        study_keys(),
    ]
    return {"reference/study.md": "\n".join(lines) + "\n"}


def _help() -> str:
    from surrogate.cli import main

    told = io.StringIO()
    try:
        with redirect_stdout(told):
            main(["--help"])
    except SystemExit:
        pass
    return told.getvalue().strip()


def _run_quickstart(docs: Path) -> None:
    """Make the picture and the report that the page shows, by running the page."""
    from pages import Page

    page, made = docs / "quickstart.md", docs / "_made"
    done = made / ".done"
    if done.exists() and done.stat().st_mtime > page.stat().st_mtime:
        return
    made.mkdir(exist_ok=True)
    Page.of(page).run(made)
    for file in made.glob("*.db*"):
        file.unlink()
    done.touch()
