"""FMUs: one for co-simulation that pythonfmu builds, one for model exchange that a C compiler does."""

from __future__ import annotations

import gc
import pickle
import shutil
import subprocess
import sys
import tempfile
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest

import surrogate as sg

fmpy = pytest.importorskip("fmpy", reason="FMPy is not installed")

SPACE = sg.Space(k=sg.Real(0, 3))
TIMES = np.array([0.0, 0.1, 0.25, 0.6, 1.0])
CURVE = sg.Series("curve", at=TIMES, coordinate="time", coordinate_unit="s")

COOLING = """
import math
from pythonfmu import Boolean, Fmi2Causality, Fmi2Slave, Fmi2Variability, Integer, Real

class Cooling(Fmi2Slave):
    '''A body that cools towards its surroundings, by the exact solution over each step.'''

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.rate, self.surroundings, self.bodies, self.insulated = 1.0, 20.0, 1, False
        self.temperature, self.total = 100.0, 100.0
        tunable = {"causality": Fmi2Causality.parameter, "variability": Fmi2Variability.tunable}
        self.register_variable(Real("rate", **tunable))
        self.register_variable(Real("surroundings", causality=Fmi2Causality.input))
        self.register_variable(Integer("bodies", **tunable))
        self.register_variable(Boolean("insulated", **tunable))
        self.register_variable(Real("temperature", causality=Fmi2Causality.output))
        self.register_variable(Real("total", causality=Fmi2Causality.output))

    def do_step(self, time, step):
        if self.rate < 0:
            raise ValueError("a negative rate")
        if time > 0.5 and self.rate > 50:
            self.temperature = math.nan
        rate = 0.0 if self.insulated else self.rate
        self.temperature = self.surroundings + (self.temperature - self.surroundings) * math.exp(-rate * step)
        self.total = self.bodies * self.temperature
        return True
"""

DECAY_XML = """<?xml version="1.0" encoding="UTF-8"?>
<fmiModelDescription fmiVersion="2.0" modelName="Decay" guid="{decay}" numberOfEventIndicators="0">
  <ModelExchange modelIdentifier="decay"/>
  <UnitDefinitions><Unit name="kg"/></UnitDefinitions>
  <DefaultExperiment startTime="0" stopTime="1"/>
  <ModelVariables>
    <ScalarVariable name="x" valueReference="0" causality="output" initial="exact" variability="continuous"
      description="what is left"><Real start="1" unit="kg"/></ScalarVariable>
    <ScalarVariable name="der(x)" valueReference="1" causality="local" variability="continuous"><Real derivative="1"/>
    </ScalarVariable>
    <ScalarVariable name="k" valueReference="2" causality="parameter" variability="fixed" initial="exact">
      <Real start="1"/></ScalarVariable>
    <ScalarVariable name="n" valueReference="0" causality="output" variability="discrete"><Integer/></ScalarVariable>
  </ModelVariables>
  <ModelStructure>
    <Outputs><Unknown index="1"/><Unknown index="4"/></Outputs>
    <Derivatives><Unknown index="2"/></Derivatives>
    <InitialUnknowns><Unknown index="2"/><Unknown index="4"/></InitialUnknowns>
  </ModelStructure>
</fmiModelDescription>
"""


@pytest.fixture(scope="module")
def cooling_file(tmp_path_factory):
    pytest.importorskip("pythonfmu", reason="pythonfmu is not installed")
    folder = tmp_path_factory.mktemp("cooling")
    (folder / "cooling.py").write_text(textwrap.dedent(COOLING))
    subprocess.run([sys.executable, "-m", "pythonfmu", "build", "-f", "cooling.py"], cwd=folder, check=True)
    return folder / "Cooling.fmu"


@pytest.fixture(scope="module")
def decay_file(tmp_path_factory):
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler")
    library = tmp_path_factory.mktemp("decay") / "decay.so"
    source = Path(__file__).with_name("decay.c")
    headers = Path(fmpy.__file__).parent / "c-code"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-I", headers, source, "-o", library, "-lm"], check=True)
    file = library.with_name("Decay.fmu")
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("modelDescription.xml", DECAY_XML)
        made.write(library, f"binaries/{fmpy.platform}/decay.so")
    return file


@pytest.fixture
def cooling(cooling_file):
    space = sg.Space(
        rate=sg.Real(0.1, 3),
        outside=sg.Real(-10, 30),
        bodies=sg.Integer(1, 5),
        insulated=sg.Categorical([False, True]),
    )
    return sg.FMUSimulator(
        cooling_file,
        space=space,
        inputs={"outside": "surroundings"},
        outputs={"temperature": "temperature", "total": "total", CURVE: "temperature"},
        stop_time=1.0,
        output_interval=0.05,
    )


def temperature(rate, outside, time, insulated=False):
    return outside + (100 - outside) * np.exp(-(0 if insulated else rate) * time)


def test_co_simulation_of_every_type_of_parameter(cooling):
    answer = cooling(rate=2.0, outside=10.0, bodies=3, insulated=False)
    assert answer["temperature"] == pytest.approx(temperature(2.0, 10.0, 1.0), rel=1e-12)
    assert answer["total"] == pytest.approx(3 * temperature(2.0, 10.0, 1.0), rel=1e-12)
    np.testing.assert_allclose(answer["curve"], temperature(2.0, 10.0, TIMES), rtol=1e-12)
    assert cooling(rate=2.0, outside=10.0, bodies=1, insulated=True)["temperature"] == 100.0


def test_an_fmu_in_workers(cooling):
    runs = sg.run(cooling, sg.sobol(cooling.space, 32, rng=0), n_jobs=2, timeout=30)
    assert runs.counts["done"] == 32
    x = runs.inputs
    expected = temperature(x["rate"], x["outside"], 1.0)
    expected = np.where(x["insulated"].astype(bool), 100.0, expected)
    np.testing.assert_allclose(runs.outputs["temperature"], expected, rtol=1e-12)


def test_model_exchange_with_solver_options(decay_file):
    def error(**options):
        sim = sg.FMUSimulator(decay_file, space=SPACE, outputs=["x"], **options)
        return abs(sim(k=2.0)["x"] - np.exp(-2))

    assert error(relative_tolerance=1e-8) < 1e-6
    # Euler's first order: a tenth of the step, a tenth of the error, (1 - k h)^(1/h) against exp(-k).
    assert error(solver="Euler", step_size=0.01) == pytest.approx(np.exp(-2) - 0.98**100, rel=1e-6)
    assert error(solver="Euler", step_size=0.001) == pytest.approx(np.exp(-2) - 0.998**1000, rel=1e-6)


def test_series_at_times_of_ones_own(decay_file):
    steps = sg.Series("steps", at=[0.0, 0.24, 0.25, 0.6, 1.0])
    sim = sg.FMUSimulator(
        decay_file, space=SPACE, outputs={CURVE: "x", steps: "n"}, relative_tolerance=1e-8, output_interval=0.01
    )
    answer = sim(k=1.5)
    np.testing.assert_allclose(answer["curve"], np.exp(-1.5 * TIMES), atol=1e-6)
    # A discrete variable keeps its value until the event, and has the new one at it.
    np.testing.assert_array_equal(answer["steps"], [0, 0, 1, 2, 4])
    assert sg.FMUSimulator(decay_file, space=SPACE, outputs=["x"]).outputs[0].unit == "kg"


def test_time_and_start_values(decay_file):
    sim = sg.FMUSimulator(decay_file, space=SPACE, outputs=["x"], start_values={"x": 3.0}, stop_time=2.0)
    assert sim.stop_time == 2.0
    assert sim(k=1.0)["x"] == pytest.approx(3 * np.exp(-2), rel=1e-3)
    assert sg.FMUSimulator(decay_file, space=SPACE, outputs=["x"]).stop_time == 1.0
    longer = sg.Series("longer", at=[0.0, 4.0])
    assert sg.FMUSimulator(decay_file, space=SPACE, outputs={longer: "x"}).stop_time == 4.0


def test_a_changed_file_or_setting_is_another_question(decay_file, tmp_path):
    def version(file=decay_file, **options):
        return sg.FMUSimulator(file, space=SPACE, outputs=["x"], **options).version

    changed = tmp_path / "Decay.fmu"
    shutil.copy(decay_file, changed)
    assert version(changed) == version()
    with zipfile.ZipFile(changed, "a") as file:
        file.writestr("documentation/index.html", "new")
    versions = [
        version(),
        version(changed),
        version(relative_tolerance=1e-8),
        version(stop_time=2.0),
        version(version="7"),
    ]
    assert len(set(versions)) == 5
    assert versions[-1] == "7"


def test_its_unpacked_files_go_with_it(decay_file):
    sim = sg.FMUSimulator(decay_file, space=SPACE, outputs=["x"])
    folder = Path(sim._unzipped)
    assert folder.is_dir()
    sent = pickle.loads(pickle.dumps(sim))
    assert sent._unzipped == str(folder)
    expected = sim(k=1.0)
    assert sent(k=1.0) == expected
    del sim
    assert not folder.exists()
    assert sent(k=1.0) == expected  # unpacks for itself, as on another machine
    assert Path(sent._unzipped).is_dir()


def test_faults_of_the_model_are_told_with_what_it_logged(decay_file, cooling_file):
    space = sg.Space(k=sg.Real(-3, 3))
    sim = sg.FMUSimulator(decay_file, space=space, outputs=["x"])
    runs = sg.run(sim, [{"k": -1.0}, {"k": 1.0}], n_jobs=1)
    assert runs.failures["status"].tolist() == ["failed"]
    assert "the model logged:\nk must not be negative" in runs.failures["error"].iloc[0]
    assert len(runs.outputs) == 1

    cooling = sg.FMUSimulator(
        cooling_file, space=sg.Space(rate=sg.Real(-1, 99)), outputs=["temperature"], stop_time=1.0, output_interval=0.1
    )
    runs = sg.run(cooling, [{"rate": -1.0}, {"rate": 99.0}, {"rate": 1.0}], n_jobs=1)
    assert runs.failures["status"].tolist() == ["failed", "invalid"]
    assert "fmi2DoStep failed" in runs.failures["error"].iloc[0]
    assert "output 'temperature' is nan" in runs.failures["error"].iloc[1]


def test_faults_simulation_that_ends_early_is_told(cooling_file):
    # Steps of 0.3 do not end at 1.0; FMPy stops at 0.9 then, where the model cannot shorten its last step.
    xml = "modelDescription.xml"
    rigid = cooling_file.with_name("Rigid.fmu")
    with zipfile.ZipFile(cooling_file) as old, zipfile.ZipFile(rigid, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == xml:
                content = content.replace(b'canHandleVariableCommunicationStepSize="true"', b"")
            new.writestr(name, content)
    sim = sg.FMUSimulator(
        rigid, space=sg.Space(rate=sg.Real(0, 1)), outputs=["temperature"], stop_time=1.0, output_interval=0.3
    )
    with pytest.raises(sg.SimulatorError, match=r"ended at time 0\.9, before the stop time 1"):
        sim(rate=1.0)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"space": sg.Space(kk=sg.Real(0, 1))}, "no variable 'kk'; did you mean 'k'"),
        ({"inputs": {"q": "k"}}, "no parameter 'q'"),
        ({"outputs": {"y": "z"}}, "output 'y': the model has no variable 'z'"),
        ({"outputs": []}, "at least one output"),
        ({"start_values": {"k": 1.0}}, "'k' is varied by a parameter"),
        ({"start_values": {"q": 1.0}}, "no variable 'q'"),
        ({"solver": "RK4"}, "solver must be"),
        ({"fmi_type": "CoSimulation"}, "made for ModelExchange"),
        ({"stop_time": 0.0}, "start_time must be before stop_time"),
        ({"outputs": {CURVE: "x"}, "stop_time": 0.5}, "outside the simulated time from 0 to 0.5"),
        ({"space": sg.Space(n=sg.Real(0, 1))}, "'n' is of type Integer"),
        ({"path": "/there/is/none.fmu"}, "there is no file"),
        ({"path": __file__}, "cannot be read as an FMU"),
    ],
)
def test_wrong_arguments_are_told(decay_file, tmp_path, monkeypatch, change, problem):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    arguments = {"path": decay_file, "space": SPACE, "outputs": ["x"]} | change
    with pytest.raises(ValueError, match=problem):
        sg.FMUSimulator(arguments.pop("path"), **arguments)
    gc.collect()
    assert not list(tmp_path.iterdir())  # what was unpacked
