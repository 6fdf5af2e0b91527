"""The package as a whole: its names, its import, and what is installed from its wheel."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import surrogate as sg

REPOSITORY = Path(__file__).parent.parent
# Too slow, or too large, to be loaded by a program that only wants a design.
HEAVY = ("sklearn", "pandas", "scipy", "matplotlib", "sqlalchemy", "SALib", "joblib", "jinja2", "numpy")


def test_every_public_name_is_there_and_told():
    for name in sg.__all__:
        found = getattr(sg, name)
        assert found.__doc__, name
        assert name in dir(sg)
        is_error = isinstance(found, type) and issubclass(found, Exception)
        if callable(found) and not is_error:
            assert ">>>" in found.__doc__, f"{name} shows no example"


def test_names_are_sorted_and_stand_twice_in_the_stub():
    stub = ast.parse((REPOSITORY / "surrogate" / "__init__.pyi").read_text())
    imported = [
        alias.asname or alias.name for node in stub.body if isinstance(node, ast.ImportFrom) for alias in node.names
    ]
    assert sorted(imported) == sorted(sg.__all__)


def test_a_misspelt_name_is_guessed():
    with pytest.raises(AttributeError, match=r"surrogate has no 'sobool'; did you mean 'sobol'\?"):
        sg.sobool  # noqa: B018
    with pytest.raises(AttributeError, match=r"dir\(surrogate\) lists"):
        sg.qqqq  # noqa: B018
    assert not hasattr(sg, "__wrapped__")


def test_importing_loads_nothing_heavy():
    code = f"import surrogate, sys; print([name for name in {HEAVY} if name in sys.modules])"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_versions_are_shown(capsys):
    sg.show_versions()
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["python"].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    assert {"surrogate-learn", "numpy", "scikit-learn", "platform", "cores", "cloudpickle"} <= set(told)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and source distribution."""
    out = tmp_path_factory.mktemp("dist")
    asked = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(REPOSITORY)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


@pytest.mark.slow
def test_the_wheel_works_from_outside_the_repository(built, tmp_path):
    wheel, _ = built
    site = tmp_path / "site"
    asked = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(asked, check=True)
    names = zipfile.ZipFile(wheel).namelist()
    assert not [name for name in names if name.startswith(("tests", "examples", "benchmarks"))]
    for needed in ("surrogate/py.typed", "surrogate/__init__.pyi", "surrogate/reports/templates/page.html.j2"):
        assert needed in names
    (tmp_path / "study.toml").write_text(
        '[simulator]\nuse = "lake"\n[design]\nn = 16\n[run]\nn_jobs = 2\n[report]\npath = "out.html"\n'
    )
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import surrogate; from surrogate.cli import main\n"
        f"assert surrogate.__file__.startswith({str(site)!r}), surrogate.__file__\n"
        "sys.exit(main(['run', 'study.toml']))"
    )
    # Worker processes must find the installed package, too.
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={"PATH": "", "PYTHONPATH": str(site)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 done" in done.stdout
    assert "16 of 16 runs" in (tmp_path / "out.html").read_text()


@pytest.mark.slow
def test_the_source_distribution_holds_what_it_takes(built):
    _, source = built
    with tarfile.open(source) as archive:
        names = {re.sub(r"^[^/]+/", "", name) for name in archive.getnames()}
    assert {
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "surrogate/__init__.pyi",
        "simulators/lake.py",
    } <= names
    assert "tests/test_package.py" in names
    assert not [
        name for name in names if name.endswith((".db", ".db.lock")) or re.match(r"benchmarks/results/.*csv", name)
    ]
