"""Simulators, their outputs, and how they travel to workers and are found by name."""

from __future__ import annotations

import copy
import functools
import math
import pickle
import subprocess
import sys
import textwrap

import cloudpickle
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from simulators.lake import lake
from surrogate.errors import InvalidInputError, SimulatorNotFoundError, StudyError, SurrogateError
from surrogate.loading import available_simulators, load_simulator
from surrogate.outputs import Output, Series, output_from_dict
from surrogate.simulation import FunctionSimulator, Simulator, checked_answer, is_stochastic, simulator
from surrogate.space import Integer, Real, Space

X = Space(x=Real(-1, 1))
XZ = Space(x=Real(-1, 1), z=Real(0, 1))

LIFT = Output("lift", unit="N", description="upward force")
CURVE = Series("curve", at=[0, 0.5, 2], coordinate="time", unit="m", coordinate_unit="s", description="height")


@simulator(space=X, outputs=["y"])
def parabola(x):
    """The plainest."""
    return {"y": x**2}


class Family:
    """A namespace, so that a simulator's place is a dotted one."""

    @staticmethod
    @simulator(space=X, outputs=["y"], name="the cube", version="3")
    def cube(x):
        return {"y": x**3}


# Outputs


def test_an_output_is_its_own_name():
    assert LIFT == "lift"
    assert {LIFT: 1}["lift"] == 1
    assert LIFT.label == "lift [N]"
    assert Output("cl").label == "cl"
    assert CURVE.label == "curve [m]"


@pytest.mark.parametrize("way", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy, copy.copy,
                                 lambda o: output_from_dict(o.to_dict())])  # fmt: skip
def test_outputs_survive_copies_with_all_they_tell(way):
    lift, curve = way(LIFT), way(CURVE)
    assert (type(lift), lift, lift.unit, lift.description) == (Output, "lift", "N", "upward force")
    assert (type(curve), curve, curve.unit, curve.description) == (Series, "curve", "m", "height")
    assert (curve.coordinate, curve.coordinate_unit) == ("time", "s")
    assert_array_equal(curve.at, [0, 0.5, 2])
    assert not curve.at.flags.writeable


def test_a_series_keeps_a_copy_of_its_coordinate():
    at = np.array([0.0, 1.0])
    series = Series("s", at=at)
    at[0] = 9
    assert_array_equal(series.at, [0, 1])


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int8(2), np.array(2.0)])
def test_numbers_of_every_kind_become_floats(value):
    assert type(LIFT.check(value)) is float
    assert LIFT.check(value) == 2


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (math.nan, "output 'lift' is nan"),
        (-math.inf, "output 'lift' is -inf"),
        (np.float32(np.inf), "output 'lift' is inf"),
        (10**400, "output 'lift' must be one number, got 1000"),
        ("3", "output 'lift' must be one number, got '3'"),
        (b"3", "output 'lift' must be one number, got b'3'"),
        (None, "output 'lift' must be one number, got None"),
        (1 + 0j, "output 'lift' must be one number"),
        (np.complex128(1 + 2j), "output 'lift' must be one number"),
        ({"lift": 1}, "output 'lift' must be one number"),
        ([1.0], r"output 'lift' must be one number, got an array of shape \(1,\)"),
        (np.zeros((2, 3)), r"output 'lift' must be one number, got an array of shape \(2, 3\)"),
        ([[1], [1, 2]], r"output 'lift' must be one number, got \[\[1\], \[1, 2\]\]"),
    ],
)
def test_what_is_not_one_finite_number_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        LIFT.check(value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([0, 1, math.nan], "series 'curve' is nan at time = 2"),
        ([0, math.inf, math.nan], "series 'curve' is inf at time = 0.5"),
        ([0, 1], r"series 'curve' must have shape \(3,\), got \(2,\)"),
        (1.0, r"series 'curve' must have shape \(3,\), got \(\)"),
        (None, r"series 'curve' must have shape \(3,\), got \(\)"),
        (np.zeros((3, 1)), r"series 'curve' must have shape \(3,\), got \(3, 1\)"),
        ([[1], [1, 2], 3], r"series 'curve' must have shape \(3,\), got \[\[1\], \[1, 2\], 3\]"),
        (["0", "1", "2"], "series 'curve' must hold numbers, got dtype <U1"),
        ([0, 1, 2j], "series 'curve' must hold numbers, got dtype complex128"),
        ([0, 1, None], "series 'curve' must hold numbers, got dtype object"),
        (np.array(["2020", "2021", "2022"], dtype="M8[Y]"), "series 'curve' must hold numbers, got dtype datetime64"),
    ],
)
def test_what_is_not_a_series_of_finite_numbers_is_refused(value, message):
    with pytest.raises(ValueError, match=message):
        CURVE.check(value)


def test_a_checked_series_is_no_view_of_the_simulators_array():
    # A simulator that uses its buffer again would change runs that are already done.
    buffer = np.array([1.0, 2.0, 3.0])
    kept = CURVE.check(buffer)
    buffer[:] = 0
    assert_array_equal(kept, [1, 2, 3])


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Output(""), ValueError, "an output needs a name"),
        (lambda: Output("a\x00"), ValueError, r"no control characters, got 'a\\x00'"),
        (lambda: Output(5), TypeError, "an output's name must be text, got 5"),
        (lambda: Series("s", at=[]), ValueError, r"series 's': at must be a finite array .*got shape \(0,\)"),
        (lambda: Series("s", at=1.0), ValueError, r"got shape \(\)"),
        (lambda: Series("s", at=[[1, 2]]), ValueError, r"got shape \(1, 2\)"),
        (lambda: Series("s", at=[0, math.nan]), ValueError, "at must be a finite array"),
    ],
)  # fmt: skip
def test_wrong_outputs_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_checked_answer_holds_every_output_in_order():
    answer = checked_answer((LIFT, CURVE), {"curve": [1, 2, 3], "lift": np.float32(0.5)})
    assert list(answer) == ["lift", "curve"]
    assert [type(name) for name in answer] == [str, str]
    assert type(answer["lift"]) is float
    assert_array_equal(answer["curve"], [1, 2, 3])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({"lift": 1}, "^missing output 'curve'$"),
        ({"lift": 1, "curve": [1, 2, 3], "drag": 1}, "^unknown output 'drag'$"),
        ({"lfit": 1, "curve": [1, 2, 3], 0: 1}, "^missing output 'lift'; unknown output 'lfit'; unknown output '0'$"),
        ({}, "^missing output 'lift'; missing output 'curve'$"),
        (None, "^a run must return a mapping from output to value, got NoneType$"),
        ((1, [1, 2, 3]), "^a run must return a mapping from output to value, got tuple$"),
        ({"lift": math.nan, "curve": [1, 2, 3]}, "output 'lift' is nan"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_refused(answer, message):
    with pytest.raises(ValueError, match=message):
        checked_answer((LIFT, CURVE), answer)


# The decorator


def test_a_simulator_is_called_as_the_function_it_is_made_of():
    assert parabola(x=0.5) == parabola(0.5) == {"y": 0.25}
    assert (parabola.name, parabola.version, parabola.outputs) == ("parabola", "1", ("y",))
    assert (Family.cube.name, Family.cube.version) == ("the cube", "3")
    assert parabola.__doc__ == "The plainest."
    assert isinstance(parabola, Simulator)


def test_an_output_may_be_text_or_an_output():
    made = simulator(space=X, outputs=["plain", LIFT, CURVE], version=2)(lambda x: {})
    assert [type(output) for output in made.outputs] == [Output, Output, Series]
    assert made.outputs[1].unit == "N"
    assert made.version == "2"


def _with_default(x, tolerance=1e-6): ...
def _needs_more(x, tolerance): ...
def _misspelt(x, zz): ...
def _nothing(): ...
def _anything(**inputs): ...
def _positional(x, /): ...
def _positional_and_anything(x, /, **inputs): ...
def _seeded(x, seed): ...
def _seeded_by_default(x, *, seed=0): ...
def _seed_or_anything(x, **inputs): ...


@pytest.mark.parametrize(
    ("function", "space", "message"),
    [
        (_misspelt, XZ, r"^simulator '_misspelt': the function does not take .* 'z' \(did you mean 'zz'\?\)$"),
        (_with_default, XZ, r"does not take the space's parameter 'z' \(known: 'tolerance', 'x'\)"),
        (_needs_more, X, "argument 'tolerance' has no default and is not in the space"),
        (_positional, X, "does not take the space's parameter 'x'"),
        (_positional_and_anything, X, "argument 'x' has no default"),
        (_nothing, XZ, r"'x' \(known: none\); 'z' \(known: none\)"),
        (3, X, "a simulator is made of a function, got 3"),
        (functools.partial(_needs_more, tolerance=1), X, "has no name of its own; give one with name="),
    ],
)  # fmt: skip
def test_a_function_that_does_not_fit_the_space_is_refused(function, space, message):
    with pytest.raises(TypeError, match=message):
        simulator(space=space, outputs=["y"])(function)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"space": {"x": Real(0, 1)}, "outputs": ["y"]}, TypeError, "space must be a Space"),
        ({"space": X, "outputs": "y"}, ValueError, "outputs must list at least one output, got 'y'"),
        ({"space": X, "outputs": []}, ValueError, "outputs must list at least one output"),
        ({"space": X, "outputs": ["y", "z", "y"]}, ValueError, "outputs must differ .* got .'y', 'z', 'y'"),
        ({"space": X, "outputs": [LIFT, "lift"]}, ValueError, "outputs must differ"),
        ({"space": X, "outputs": [3]}, TypeError, "an output's name must be text"),
    ],
)  # fmt: skip
def test_wrong_arguments_of_the_decorator_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        simulator(**arguments)(_with_default)


@pytest.mark.parametrize("function", [_with_default, _anything, _seeded, functools.partial(_needs_more, tolerance=1)])
def test_a_function_that_fits_is_taken(function):
    made = simulator(space=X, outputs=["y"], name="fits")(function)
    assert isinstance(made, Simulator)
    assert made.name == "fits"


@pytest.mark.parametrize(
    ("function", "space", "stochastic"),
    [
        (_seeded, X, True),
        (_seeded_by_default, X, True),
        (_with_default, X, False),
        (_seed_or_anything, X, False),  # it may not do anything with a seed
        (_seeded, Space(x=Real(0, 1), seed=Integer(0, 9)), False),  # then the seed is an input like another
    ],
)
def test_a_function_with_a_seed_outside_the_space_is_stochastic(function, space, stochastic):
    assert is_stochastic(simulator(space=space, outputs=["y"])(function)) is stochastic


def test_any_object_with_the_parts_is_a_simulator():
    class Own:
        name, version, space, outputs = "own", "1", X, (LIFT,)

        def __call__(self, x):
            return {"lift": x}

    assert isinstance(Own(), Simulator)
    assert not is_stochastic(Own())
    assert not isinstance(_with_default, Simulator)


# The way to a worker

IN_A_WORKER = """
import pickle, sys
import cloudpickle
sim = pickle.load(sys.stdin.buffer)
sim = pickle.loads(cloudpickle.dumps(sim))  # a worker may hand it on
print(sim.name, sim.version, sim.outputs[0].label, list(sim.space), sim(x=3.0)["y"])
"""


def in_a_worker(sim, folder):
    """What a fresh interpreter elsewhere, that has seen neither this file nor the simulator's, makes of `sim`."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_WORKER], input=cloudpickle.dumps(sim), capture_output=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.mark.parametrize("sim", [lake, parabola, Family.cube], ids=["lake", "parabola", "cube"])
def test_an_importable_simulator_travels_by_its_name(sim):
    assert pickle.loads(pickle.dumps(sim)) is sim
    assert pickle.loads(cloudpickle.dumps(sim)) is sim
    assert len(pickle.dumps(sim)) < 200


def test_a_simulator_in_a_function_travels_by_value(tmp_path):
    factor = 2

    @simulator(space=X, outputs=[Output("y", unit="m")], version="7")
    def local(x):
        return {"y": factor * x}

    assert in_a_worker(local, tmp_path) == "local 7 y [m] ['x'] 6.0"


def test_a_simulator_whose_name_was_taken_over_is_not_mixed_up(tmp_path):
    # Its module has another object of that name, which a worker would find instead.
    def parabola(x):
        return {"y": -x}

    parabola.__qualname__ = "parabola"
    other = simulator(space=X, outputs=["y"])(parabola)
    again = pickle.loads(cloudpickle.dumps(other))
    assert again is not globals()["parabola"]
    assert again(x=3.0) == {"y": -3.0}


def test_a_simulator_in_a_file_travels_with_all_it_needs(tmp_path):
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "mine.py").write_text(
        textwrap.dedent("""
        from dataclasses import dataclass
        from surrogate import Output, Real, Space, simulator

        SHIFT = 100

        @dataclass
        class Shifted:
            value: float

        def shifted(x):
            return Shifted(x + SHIFT)

        @simulator(space=Space(x=Real(0, 1)), outputs=[Output("y", unit="m")], version="2")
        def mine(x):
            return {"y": shifted(x).value}

        class Own:
            name, version, space, outputs = "own", "1", Space(x=Real(0, 1)), (Output("y"),)

            def __call__(self, x):
                return {"y": -shifted(x).value}
        """)
    )
    assert in_a_worker(load_simulator(f"{home}/mine.py:mine"), elsewhere) == "mine 2 y [m] ['x'] 103.0"
    assert in_a_worker(load_simulator(f"{home}/mine.py:Own"), elsewhere) == "own 1 y ['x'] -103.0"


# Finding one

MODULE = """
from surrogate import Real, Space, simulator

def plain(x):
    return {"y": x}

def plain_with_defaults(x=1):
    return {"y": x}

found = simulator(space=Space(x=Real(0, 1)), outputs=["y"])(plain)
number = 3

def factory():
    return found

def broken_factory():
    return 1 + ""

class Holder:
    inner = found

class Own:
    name, version, space, outputs = "own", "1", found.space, found.outputs
    def __init__(self, gain=2):
        self.gain = gain
    def __call__(self, x):
        return {"y": self.gain * x}

class Needy(Own):
    def __init__(self, gain):
        self.gain = gain
"""


@pytest.fixture(params=["module", "file"])
def where(request, tmp_path, monkeypatch):
    """The two ways to name a place of one's own."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    name = f"own_{request.param}_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    yield name if request.param == "module" else f"./{name}.py"
    for loaded in [module for module in sys.modules if name in module]:
        del sys.modules[loaded]


@pytest.mark.parametrize("attribute", ["found", "factory", "Holder.inner"])
def test_a_simulator_is_found_by_its_place(where, attribute):
    sim = load_simulator(f"{where}:{attribute}")
    assert isinstance(sim, FunctionSimulator)
    assert sim.name == "plain"
    assert load_simulator(f"{where}:found") is sim


def test_a_class_is_made_into_a_simulator(where):
    assert load_simulator(f"{where}:Own")(x=2) == {"y": 4}


@pytest.mark.parametrize(
    ("attribute", "message"),
    [
        ("fuond", "{}:fuond: {} has no 'fuond'; did you mean 'found'?"),
        ("Holder.iner", "{}:Holder.iner: {} has no 'iner'; did you mean 'inner'?"),
        ("", "{}:: {} has no ''; known: "),
        ("number", "{}:number: 3 is not a simulator (it needs name, version, space, outputs and a call)"),
        ("plain", "decorate a function with @surrogate.simulator"),
        ("plain_with_defaults", "{}:plain_with_defaults: {{'y': 1}} is not a simulator"),
        ("Holder", "is not a simulator"),
        ("Needy", "{}:Needy: Needy needs arguments (missing a required argument: 'gain')"),
    ],
)
def test_what_is_no_simulator_is_told(where, attribute, message):
    with pytest.raises(SimulatorNotFoundError) as caught:
        load_simulator(f"{where}:{attribute}")
    assert message.format(where, where) in str(caught.value)


def test_an_error_inside_a_factory_is_not_hidden(where):
    with pytest.raises(TypeError, match="unsupported operand"):
        load_simulator(f"{where}:broken_factory")


def test_an_installed_simulator_is_found_by_name():
    assert {"airfoil", "lake", "smart_grid"} <= set(available_simulators())
    assert list(available_simulators()) == sorted(available_simulators())
    assert load_simulator("lake") is load_simulator("simulators.lake:lake") is lake


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("lkae", "no simulator is called 'lkae'; did you mean 'lake'? (for one of your own write module:object or"),
        ("mine.py", "no simulator is called 'mine.py'; known: 'airfoil', "),
        ("", "no simulator is called ''"),
        (":lake", "no simulator is called ':lake'; did you mean 'lake'"),
        ("nowhere.at_all:x", "nowhere.at_all:x: there is no module 'nowhere'"),
        ("surrogate.nowhere:x", "surrogate.nowhere:x: there is no module 'surrogate.nowhere'"),
        (".lake:lake", ".lake:lake: name the module in full, without a leading dot"),
        ("no/such/file.py:x", "there is no file no/such/file.py"),
    ],
)
def test_what_is_nowhere_is_told(reference, message):
    with pytest.raises(SimulatorNotFoundError) as caught:
        load_simulator(reference)
    assert message in str(caught.value)
    assert isinstance(caught.value, LookupError)


def test_a_folder_is_no_file(tmp_path):
    (tmp_path / "odd.py").mkdir()
    with pytest.raises(SimulatorNotFoundError, match=r"there is no file .*odd\.py"):
        load_simulator(f"{tmp_path}/odd.py:x")


def test_a_reference_is_text():
    with pytest.raises(TypeError, match="reference must be text"):
        load_simulator(lake)


def test_a_module_that_misses_another_says_which(tmp_path, monkeypatch):
    # Not "there is no module importer": that one is there.
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "importer_of_nothing.py").write_text("import a_module_nobody_has")
    for where in ("importer_of_nothing", f"{tmp_path}/importer_of_nothing.py"):
        with pytest.raises(ModuleNotFoundError, match="a_module_nobody_has"):
            load_simulator(f"{where}:x")


def test_a_file_that_failed_is_read_again_once_it_is_mended(tmp_path):
    file = tmp_path / "mended.py"
    file.write_text("raise RuntimeError('not yet')")
    with pytest.raises(RuntimeError, match="not yet"):
        load_simulator(f"{file}:found")
    file.write_text(MODULE)
    assert load_simulator(f"{file}:found")(x=1) == {"y": 1}


def test_a_file_that_was_edited_is_read_again(tmp_path):
    file = tmp_path / "edited.py"
    answers = []
    for power in (2, 3):  # in one second and of one length, as compiled files are told apart
        file.write_text(MODULE.replace('{"y": x}', f'{{"y": x**{power}}}'))
        answers.append(load_simulator(f"{file}:found"))
    assert [found(x=2) for found in answers] == [{"y": 4}, {"y": 8}]
    assert load_simulator(f"{file}:found") is answers[1]


def test_files_of_one_name_are_kept_apart(tmp_path):
    for folder, power in (("one", 1), ("two", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(MODULE.replace('{"y": x}', f'{{"y": x**{power}}}'))
    one, two = (load_simulator(f"{tmp_path}/{folder}/same.py:found") for folder in ("one", "two"))
    assert (one(x=3), two(x=3)) == ({"y": 3}, {"y": 9})


# Errors


@pytest.mark.parametrize(
    "error", [StudyError("s.toml", ["$.a: wrong", "$.b: missing"]), InvalidInputError("x"), SimulatorNotFoundError("y")]
)
def test_errors_come_back_whole_from_another_process(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
    assert isinstance(again, SurrogateError)


def test_a_study_error_counts_its_problems():
    assert str(StudyError("s.toml", ["$.a: wrong"])) == "s.toml: 1 problem\n  $.a: wrong"
    assert str(StudyError("s.toml", iter(["a", "b"]))) == "s.toml: 2 problems\n  a\n  b"
