"""Real programs: ngspice computes what theory knows, XFOIL dies as Debian packages it."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import surrogate as sg
from tests.conftest import REPOSITORY

EXAMPLES = REPOSITORY / "examples" / "external_program"

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
needs_xfoil = pytest.mark.skipif(shutil.which("xfoil") is None, reason="xfoil is not installed")
needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")

CHARGING = """\
* A capacitor is charged through a resistor
V1 in 0 PWL(0 0 1n 1)
R1 in out ${r}
C1 out 0 ${c:.6e}
${extra}
.tran 1u 1.5m uic
.measure tran v FIND v(out) AT=1m
.control
run
wrdata curve.txt v(out)
quit
.endc
.end
"""
TIMES = np.linspace(0, 1e-3, 11)


def charging(extra: str = "") -> sg.CommandSimulator:
    return sg.CommandSimulator(
        ["ngspice", "-b", "rc.cir"],
        space=sg.Space(r=sg.Real(100, 1e4, log=True), c=sg.Real(1e-7, 1e-5, log=True)),
        outputs={
            "v": sg.RegexParser(r"^v\s*=\s*(\S+)"),
            sg.Series("curve", at=TIMES, coordinate="time"): sg.CSVParser(
                1, along=0, file="curve.txt", separator=None, header=False
            ),
        },
        files={"rc.cir": CHARGING.replace("${extra}", extra)},
        keep="never",
    )


@needs_ngspice
def test_ngspice_charges_a_capacitor_as_theory_says():
    answer = charging()(r=1000.0, c=1e-6)
    assert answer["v"] == pytest.approx(1 - np.exp(-1), abs=2e-6)  # 0.632121, ngspice gives 0.632119
    np.testing.assert_allclose(answer["curve"], 1 - np.exp(-TIMES / 1e-3), atol=2e-5)


@needs_ngspice
def test_ngspice_in_workers():
    runs = sg.run(charging(), sg.sobol(charging().space, 16, rng=0), n_jobs=2, timeout=30)
    assert runs.counts["done"] == 16
    exact = 1 - np.exp(-1e-3 / (runs.inputs["r"] * runs.inputs["c"]))
    np.testing.assert_allclose(runs.outputs["v"], exact, atol=2e-3)


@needs_ngspice
def test_faults_ngspice_with_an_unknown_part():
    runs = sg.run(charging("X1 out 0 nosuch"), [{"r": 1e3, "c": 1e-6}], n_jobs=0)
    failure = runs.failures.iloc[0]
    assert failure["status"] == "failed"
    assert "ngspice exited with code 1" in failure["error"]
    assert "unknown subckt" in failure["error"]


@pytest.fixture(scope="module")
def xfoil():
    return sg.load_simulator(f"{EXAMPLES / 'xfoil.py'}:xfoil")


@needs_xfoil
@needs_compiler
def test_xfoil_gives_the_published_coefficients(xfoil):
    # NACA 2412 at 4 degrees, Re 1e6; XFOIL's own figures elsewhere: lift 0.7146, drag 0.00693, moment -0.0573.
    answer = xfoil(camber=2, position=4, thickness=12, alpha=4.0)
    assert answer["lift"] == pytest.approx(0.7146, abs=2e-4)
    assert answer["drag"] == pytest.approx(0.00693, abs=2e-5)
    assert answer["moment"] == pytest.approx(-0.0573, abs=2e-4)


@needs_xfoil
@needs_compiler
def test_faults_xfoil_that_does_not_converge_is_invalid(xfoil):
    point = {"camber": 0, "position": 2, "thickness": 8, "alpha": 8.0}
    lame = sg.CommandSimulator(
        ["xfoil"],
        space=xfoil.space,
        outputs={"lift": sg.CSVParser(1, row=1, skip=10, separator=None, file="polar.txt")},
        stdin=xfoil._stdin.text.replace("ITER 200", "ITER 2"),
        environment={"LD_PRELOAD": xfoil._environment["LD_PRELOAD"].text},
        keep="never",
    )
    failure = sg.run(lame, [point], n_jobs=0).failures.iloc[0]
    assert failure["status"] == "invalid"
    assert "the table in polar.txt has 1 row, there is no row 1" in failure["error"]


@needs_xfoil
def test_faults_xfoil_as_packaged_dies_of_sigfpe():
    packaged = sg.CommandSimulator(
        ["xfoil"],
        space=sg.Space(alpha=sg.Real(-4, 8)),
        outputs={"lift": sg.RegexParser(r"CL =\s*(\S+)")},
        stdin="PLOP\nG\n\nNACA 0012\nOPER\nALFA ${alpha}\n\nQUIT\n",
        keep="never",
    )
    runs = sg.run(packaged, [{"alpha": 4.0}, {"alpha": 0.0}], n_jobs=1, timeout=30)
    if len(runs.outputs):
        pytest.skip("this build of XFOIL does not trap divisions by zero")
    assert (runs.failures["status"] == "failed").all()
    assert runs.failures["error"].str.contains(r"xfoil was killed by SIGFPE \(signal 8\)").all()
