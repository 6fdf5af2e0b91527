"""What every ready-made simulator must do, whatever it simulates."""

from __future__ import annotations

import inspect
import pickle
import re
import sys
import time
import tomllib

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import surrogate as sg
from surrogate.simulation import batch_of, checked_answer, is_stochastic
from tests.conftest import REPOSITORY

# Of the file, not of the installation: an editable one does not learn of new entry points.
ENTRY_POINTS = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["entry-points"][
    "surrogate.simulators"
]
POINTS = 12

# Turning the whole arm moves its end to a place as far away.
NO_EFFECT = {"robot_arm": {"theta1"}}


@pytest.fixture(params=list(ENTRY_POINTS))
def simulator(request):
    return sg.load_simulator(ENTRY_POINTS[request.param])


def call(simulator, point):
    return simulator(**point, **({"seed": 7} if is_stochastic(simulator) else {}))


def test_names_are_the_entry_points(simulator):
    assert ENTRY_POINTS[simulator.name].endswith(f":{simulator.name}")
    assert ENTRY_POINTS[simulator.name].startswith("simulators.")


def test_every_name_is_described(simulator):
    for parameter in simulator.space.values():
        assert parameter.description, parameter
    for output in simulator.outputs:
        assert output.description, output


def test_the_docstring_has_a_summary_and_references(simulator):
    # As help() shows it: compilers from Python 3.13 on take the indentation off, earlier ones do not.
    own, module = inspect.getdoc(simulator), inspect.getdoc(sys.modules[simulator.__module__])
    assert own.split("\n")[0].endswith((".", "?"))
    assert "Parameters\n----------\n" in own
    assert re.search(r"^References\n-+\n", own, re.MULTILINE) or re.search(r"^References\n-+\n", module, re.MULTILINE)
    for name in simulator.space:
        assert re.search(rf"\b{name}\b", own), name


def test_all_answers_are_valid_in_the_middle_and_at_random(simulator):
    d = simulator.space.d
    u = np.vstack([np.full(d, 0.5), np.random.default_rng(3).random((POINTS, d))])
    started = time.process_time()
    for point in simulator.space.from_unit(u).to_dict("records"):
        answer = checked_answer(simulator.outputs, call(simulator, point))
        assert list(answer) == list(simulator.outputs)
    assert time.process_time() - started < 0.5 * len(u)


def test_the_ends_of_the_space_are_allowed(simulator):
    corners = np.where(np.random.default_rng(4).random((6, simulator.space.d)) < 0.5, 1e-3, 1 - 1e-3)
    for point in simulator.space.from_unit(corners).to_dict("records"):
        checked_answer(simulator.outputs, call(simulator, point))


def test_the_same_point_gives_the_same_answer(simulator):
    point = simulator.space.from_unit(np.full((1, simulator.space.d), 0.3)).to_dict("records")[0]
    first, second = call(simulator, point), call(simulator, point)
    for name in simulator.outputs:
        assert_array_equal(first[name], second[name])


def test_every_input_and_output_matters(simulator):
    # An input that changes nothing is bound to a wrong name; an output that never changes is none. From three places,
    # since where the lake's policy is at its limit a little more or less of it is the same.
    d = simulator.space.d
    changed = set()
    for start in np.random.default_rng(6).uniform(0.1, 0.8, (3, d)):
        u = np.tile(start, (1 + d, 1))
        u[1:][np.diag_indices(d)] += 0.15
        first, *others = (call(simulator, point) for point in simulator.space.from_unit(u).to_dict("records"))
        changed |= {
            (name, output)
            for name, answer in zip(simulator.space, others)
            for output in simulator.outputs
            if not np.array_equal(answer[output], first[output])
        }
    assert {name for name, _ in changed} | NO_EFFECT.get(simulator.name, set()) == set(simulator.space)
    assert {output for _, output in changed} == set(simulator.outputs)


def test_a_batch_is_its_points(simulator):
    if not batch_of(simulator):
        pytest.skip("takes one point a call")
    frame = simulator.space.from_unit(np.random.default_rng(5).random((7, simulator.space.d)))
    together = simulator(**{name: frame[name].to_numpy() for name in frame})
    for i, point in enumerate(frame.to_dict("records")):
        alone = simulator(**point)
        for name in simulator.outputs:
            np.testing.assert_allclose(together[name][i], alone[name], rtol=1e-12, atol=0)


def test_it_runs_and_travels(simulator):
    assert pickle.loads(pickle.dumps(simulator)) is simulator
    runs = sg.run(simulator, sg.sobol(simulator.space, 8, rng=0), n_jobs=0)
    assert runs.counts["done"] == 8
