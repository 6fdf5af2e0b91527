"""The examples do what their READMEs say."""

from __future__ import annotations

import re
import runpy
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

import surrogate as sg
from surrogate.cli import main
from tests.conftest import REPOSITORY
from tests.servers import environment, free_port, wait_for


@pytest.fixture
def example(tmp_path, request):
    """A copy of an example's folder, so that its stores and reports lie in a temporary one; with fewer runs."""
    name, runs = request.param
    source = REPOSITORY / "examples" / name
    copied = tmp_path / name
    shutil.copytree(source, copied, ignore=shutil.ignore_patterns("runs.db*", "*.html", "__pycache__"))
    study = copied / "study.toml"
    lines = [f"n = {runs}" if line.startswith("n = ") else line for line in study.read_text().splitlines()]
    study.write_text("\n".join(lines))
    return copied


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
@pytest.mark.parametrize("example", [("external_program", 64)], indirect=True)
def test_external_program(example):
    assert main(["run", str(example / "study.toml")]) == 0
    assert (example / "report.html").stat().st_size > 50_000
    with sg.RunStore(example / "runs.db") as store:
        runs = store.runs()
    assert runs.counts["done"] == 64
    x = runs.inputs
    damping = x["resistance"] / 2 * np.sqrt(x["capacitance"] / x["inductance"])
    swings = damping < 0.8  # beyond, the peak is hardly one, or comes after the simulated millisecond
    damping = damping[swings]
    exact = 1 + np.exp(-np.pi * damping / np.sqrt(1 - damping**2))
    assert swings.sum() > 20
    np.testing.assert_allclose(runs.outputs["peak"][swings], exact, rtol=1e-3)
    # The table is the same simulation: where its highest value is, the printed peak is.
    np.testing.assert_allclose(runs.series("voltage").max(axis=1)[swings], runs.outputs["peak"][swings], rtol=0.01)

    subprocess.run([sys.executable, example / "picture.py", example / "out.png"], check=True, env=environment())
    assert (example / "out.png").read_bytes().startswith(b"\x89PNG")


def ran(name, *arguments):
    """What an example's script prints."""
    asked = [sys.executable, REPOSITORY / "examples" / name, *arguments]
    return subprocess.run(asked, capture_output=True, text=True, check=True, env=environment()).stdout


@pytest.mark.parametrize("example", [("smart_grid", 128)], indirect=True)
def test_smart_grid(example):
    assert main(["run", str(example / "study.toml")]) == 0
    assert main(["resume", str(example / "study.toml")]) == 0
    text = (example / "report.html").read_text()
    assert "128 of 128 runs of a sobol design with seed 1 are done" in text
    subprocess.run([sys.executable, example / "picture.py", example / "out.png"], check=True, env=environment())
    assert (example / "out.png").read_bytes().startswith(b"\x89PNG")


def test_explain_a_forest(tmp_path):
    told = ran("explain_a_forest/explain.py", str(tmp_path))
    found = re.search(r"taught by the forest accuracy ([\d.]+), fidelity ([\d.]+)", told)
    accuracy, fidelity = map(float, found.groups())
    alone = float(re.search(r"200 patients  accuracy ([\d.]+)", told)[1])
    assert fidelity > 0.96
    assert accuracy > alone
    rules = runpy.run_path(str(tmp_path / "rules.py"))
    X = load_breast_cancer(as_frame=True).data
    assert {rules["predict"](row) for row in X.to_dict("records")} == {"benign", "malignant"}
    assert "CASE" in (tmp_path / "rules.sql").read_text().upper()
    assert "What the forest knows" in (tmp_path / "report.html").read_text()


def test_airfoil(tmp_path):
    told = ran("airfoil/emulate.py", str(tmp_path / "out.png"))
    lift = next(line.split() for line in told.splitlines() if line.startswith("lift "))
    pressure = next(line.split() for line in told.splitlines() if line.startswith("pressure "))
    assert float(lift[1]) > 0.9999
    assert float(pressure[1]) > 0.995
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_mnist_in_quick_mode(data_file, tmp_path):
    pytest.importorskip("torch", reason="needs PyTorch, of the extra distill")
    out = tmp_path / "report.md"
    ran("mnist/chain.py", "--quick", "--data", str(data_file("mnist.npz")), "--out", str(out))
    told = out.read_text()
    direct = float(re.search(r"Tree on the 1,000 labels: accuracy ([\d.]+)", told)[1])
    assert 0.62 < direct < 0.72  # about 0.67 in the article
    by_leaves = dict(re.findall(r"^(\d+) +([\d.]+)", told, flags=re.MULTILINE))
    assert float(by_leaves["500"]) > direct + 0.12
    assert (tmp_path / "mnist.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("example", [("umbridge", 32)], indirect=True)
def test_umbridge(example, monkeypatch):
    port = free_port()
    server = subprocess.Popen([sys.executable, example / "server.py", str(port)], env=environment())
    try:
        monkeypatch.setenv("AIRFOIL_URL", f"http://127.0.0.1:{port}")
        wait_for(port)
        assert main(["run", str(example / "study.toml")]) == 0
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=10) == 0
    with sg.RunStore(example / "runs.db") as store:
        runs = store.runs()
    assert runs.counts["done"] == 32
    here = sg.load_simulator("airfoil")
    for i in range(3):
        expected = here(**runs.inputs.iloc[i].to_dict())
        assert runs.outputs["lift"].iloc[i] == expected["lift"]
        np.testing.assert_array_equal(runs.series("pressure").iloc[i], expected["pressure"])


@pytest.mark.slow
def test_epidemic(tmp_path):
    script = REPOSITORY / "examples" / "epidemic" / "measures.py"
    seen = subprocess.run(
        [sys.executable, script, tmp_path / "out.png"], capture_output=True, text=True, check=True, env=environment()
    ).stdout
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert int(re.search(r"puts (\d+)% on the right side", seen)[1]) >= 88
    assert int(re.search(r"any measures: enough in (\d+)%", seen)[1]) == pytest.approx(60, abs=4)
    needed = [float(share) for share in re.findall(r"vaccinated >= ([\d.]+)", seen)]
    assert needed == sorted(needed)
    assert needed == pytest.approx([0.11, 0.21, 0.31], abs=0.05)
    assert int(re.search(r"last kind: enough in (\d+)%", seen)[1]) == pytest.approx(90, abs=5)


@pytest.mark.slow
def test_renewable_energy(data_file, tmp_path):
    script = REPOSITORY / "examples" / "renewable_energy" / "analyse.py"
    data = data_file("bryant2010_tgl.csv")
    seen = subprocess.run(
        [sys.executable, script, data, tmp_path / "out.png"],
        capture_output=True,
        text=True,
        check=True,
        env=environment(),
    )
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    rows = {line[:20].strip(): line[20:].split() for line in seen.stdout.splitlines()}
    assert rows["EMA workbench"][:3] == ["0.753", "0.770", "87"]
    # The article reports 79% and 73%.
    assert rows["Prim, same trade-off"][:3] == ["0.798", "0.732", "97"]
    assert float(rows["Reds, reported"][0]) > 0.85


def test_the_published_box_of_the_renewable_energy_study(data_file):
    """Box 21 of EMA workbench's documentation, with its quasi-p-values."""
    example = runpy.run_path(str(REPOSITORY / "examples" / "renewable_energy" / "analyse.py"))
    inputs, costly = example["load"](data_file("bryant2010_tgl.csv"))
    prim = sg.Prim(alpha=0.1).fit(inputs, costly, space=example["SPACE"])
    box, published = prim.boxes_[21], example["PUBLISHED"]["EMA workbench"]
    assert set(box.restricted) == set(published.restricted)
    for name, limits in published.limits.items():
        assert box.limits[name] == pytest.approx(limits, rel=1e-5)
    row = prim.trajectory_.iloc[21]
    assert (row["coverage"], row["density"]) == pytest.approx((0.752809, 0.770115), abs=1e-6)
    assert prim.quasi_p(21).min(axis=1).to_dict() == pytest.approx(
        {
            "Total biomass": 4.716968553178765e-06,
            "Demand elasticity": 1.1849299115762218e-16,
            "Biomass backstop price": 3.515112530263049e-11,
            "Cellulosic cost": 0.15741333528927348,
        }
    )


def test_airfoil_design(tmp_path):
    script = REPOSITORY / "examples" / "airfoil_design" / "design.py"
    subprocess.run([sys.executable, script, "--quick", "--folder", tmp_path], check=True, env=environment())
    assert (tmp_path / "airfoil_design.png").read_bytes().startswith(b"\x89PNG")
    assert "The best run has lift" in (tmp_path / "report.html").read_text()
    with sg.RunStore(tmp_path / "runs.db") as store:
        outputs = store.runs().outputs
    assert len(outputs) == 24
    allowed = outputs[(outputs["suction"] <= 2.5) & (outputs["moment"] >= -0.06)]
    assert allowed["lift"].max() > 1.15  # the best of 1,000 Sobol points has 1.07
