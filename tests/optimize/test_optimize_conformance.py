"""What ask, tell and fail promise, for every kind of problem."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest

import surrogate as sg
from surrogate.errors import ConditionError, InvalidInputError
from surrogate.optimize.pareto import hypervolume

REAL = sg.Space(x=sg.Real(-2, 2), y=sg.Real(0, 3))
MIXED = sg.Space(
    x=sg.Real(-2, 2), n=sg.Integer(1, 6), kind=sg.Categorical(["u", "v", "w"]), rate=sg.Real(1e-3, 1, log=True)
)
GRID = sg.Space(n=sg.Integer(1, 6), kind=sg.Categorical(["u", "v", "w"]), size=sg.Ordinal([1, 2, 5]))


def outputs(x):
    """Two numbers of any point."""
    number = {"u": 0.3, "v": -0.2, "w": 1.0}
    v = np.array([number.get(value, value) for value in x.values()], dtype=float)
    return {"f": float(((v - 0.7) ** 2).sum() + np.sin(3 * v[0])), "g": float(v.sum())}


CASES = {
    "real": (REAL, {"objectives": "f"}),
    "mixed": (MIXED, {"objectives": "f"}),
    "grid": (GRID, {"objectives": "f"}),
    "constrained": (REAL, {"objectives": "f", "constraints": ["g >= 1.5"]}),
    "mixed constrained": (MIXED, {"objectives": "-f", "constraints": ["g <= 4"]}),
    "two objectives": (REAL, {"objectives": ["f", "-g"]}),
    "noisy": (REAL, {"objectives": "f", "noise": True}),
    "levels": (REAL, {"objectives": "f", "levels": {0: 8, 1: 1}}),
}


def made(case, rng=0, **more):
    space, options = CASES[case]
    return sg.Optimizer(space, **{"rng": rng, **options, **more})


def settle(optimizer, trial):
    """A fifth of the points fails, wherever they are."""
    if round(1000 * outputs(trial.x)["f"]) % 5 == 0:
        optimizer.fail(trial, "it broke")
    else:
        optimizer.tell(trial, outputs(trial.x))


def run(optimizer, n, batch=1):
    for _ in range(n // batch):
        for trial in optimizer.ask(batch):
            settle(optimizer, trial)
    return optimizer


def points(optimizer):
    return [(t.level, *t.x.values()) for t in optimizer.trials]


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param


@pytest.fixture(scope="module")
def whole(case):
    """Twenty-four steps one by one."""
    return run(made(case), 24)


def test_proposals_are_new_points_of_the_space(case, whole):
    space = CASES[case][0]
    assert len(set(points(whole))) == len(points(whole)) == 24
    space.validate(pd.DataFrame([t.x for t in whole.trials]))
    assert [t.id for t in whole.trials] == list(range(24))
    assert whole.trials[0].step == "design"
    assert whole.trials[-1].step in ("explore", "refine", "exploit")


def test_the_same_seed_gives_the_same_points_and_another_others(case, whole):
    assert points(run(made(case), 12)) == points(whole)[:12]
    assert points(run(made(case, rng=1), 4)) != points(whole)[:4]


def test_a_resumed_optimizer_goes_on_as_if_nothing_had_happened(case, whole):
    # What was proposed goes through JSON; what came of it is told anew; nothing else is kept.
    first = made(case)
    kept = []
    for _ in range(15):
        (trial,) = first.ask()
        kept.append((json.loads(json.dumps(first.proposal(trial))), trial))
        settle(first, trial)
    (pending,) = first.ask()
    kept.append((json.loads(json.dumps(first.proposal(pending))), pending))

    second = made(case)
    restored = [second.restore(proposal) for proposal, _ in kept]
    for trial in restored:
        assert trial.status == "pending"
        settle(second, trial)
    run(second, 8)
    assert points(second) == points(whole)
    assert second.to_frame().equals(whole.to_frame())


def test_pending_points_are_not_proposed_again(case):
    optimizer = run(made(case), 12)
    asked = [t for _ in range(3) for t in optimizer.ask(2)]
    assert len(set(points(optimizer))) == 18
    assert [t.status for t in asked] == ["pending"] * 6
    # They may come back in any order, some without an answer.
    for trial in reversed(asked):
        settle(optimizer, trial)
    assert len(set(points(run(optimizer, 2)))) == 20


def test_batches_are_reproducible_and_apart(case):
    one, two = run(made(case), 16, batch=4), run(made(case), 16, batch=4)
    assert points(one) == points(two)
    assert len(set(points(one))) == 16


def test_asking_for_a_batch_and_for_its_points_one_by_one_is_the_same():
    one, two = run(made("real"), 10), run(made("real"), 10)
    together = [t.x for t in one.ask(3)]
    assert together == [two.ask()[0].x for _ in range(3)]


def test_a_space_is_used_up_and_then_nothing_is_proposed():
    space = sg.Space(n=sg.Integer(1, 4), kind=sg.Categorical(["u", "v", "w"]))
    optimizer = sg.Optimizer(space, "f", rng=0)
    while trials := optimizer.ask(5):
        optimizer.tell(trials, [outputs(t.x) for t in trials])
    assert len(set(points(optimizer))) == len(points(optimizer)) == 12
    exact = min((outputs({"n": n, "kind": k})["f"], n, k) for n in range(1, 5) for k in "uvw")
    assert (optimizer.best.outputs["f"], *optimizer.best.x.values()) == exact


def test_points_from_elsewhere_count_and_are_not_proposed_again():
    known = sg.latin_hypercube(GRID, 30, rng=1)
    optimizer = sg.Optimizer(GRID, "f", rng=0)
    optimizer.tell(known, [outputs(x) for x in known.to_dict("records")])
    optimizer.fail({"n": 6, "kind": "w", "size": 5}, "known to break")
    assert [t.id for t in optimizer.trials][:2] == [-1, -2]
    trial = optimizer.ask()[0]
    assert trial.step != "design"  # the 30 known ones are the design
    assert trial.id == 0
    assert tuple(trial.x.values()) not in set(map(tuple, known.to_numpy())) | {(6, "w", 5)}
    assert optimizer.to_frame().loc[-31, "error"] == "known to break"


@pytest.mark.parametrize("rng", [0, 1, 2])
def test_failures_are_kept_and_avoided(rng):
    optimizer = sg.Optimizer(REAL, "f", rng=rng)
    # The lower f, the further to the left, where everything fails.
    for _ in range(30):
        (trial,) = optimizer.ask()
        if trial.x["x"] < 0:
            optimizer.fail(trial, "no answer")
        else:
            optimizer.tell(trial, {"f": trial.x["x"] + (trial.x["y"] - 1) ** 2})
    steps = [t for t in optimizer.trials if t.step != "design"]
    failed = [t for t in steps if t.status == "failed"]
    # Nothing beyond the edge can be known to be worse, so some must be tried; without a model of failures all would.
    assert len(failed) < 0.5 * len(steps)
    assert failed[0].error == "no answer"
    assert optimizer.best.outputs["f"] < 0.01


def test_what_only_fails_goes_on():
    optimizer = sg.Optimizer(REAL, "f", rng=0)
    for _ in range(10):
        optimizer.fail(optimizer.ask())
    assert optimizer.best is None
    assert len(set(points(optimizer))) == 10
    assert optimizer.regret_bound() == np.inf


def test_constant_outputs_are_no_trouble():
    optimizer = sg.Optimizer(REAL, "f", ["g <= 1"], rng=0)
    for _ in range(12):
        optimizer.tell(optimizer.ask(), {"f": 2.0, "g": 0.5})
    assert len(set(points(optimizer))) == 12
    assert optimizer.regret_bound() == 0


@pytest.mark.parametrize("answer", [lambda y: 1e200 * y, lambda y: 1e-200 * y, lambda y: 1e9 + y])
def test_outputs_may_be_of_any_size(answer):
    optimizer = sg.Optimizer(REAL, "f", rng=0)
    for _ in range(24):
        (trial,) = optimizer.ask()
        optimizer.tell(trial, {"f": answer((trial.x["x"] - 1) ** 2 + (trial.x["y"] - 2) ** 2)})
    best = optimizer.best.x
    assert abs(best["x"] - 1) < 1e-2
    assert abs(best["y"] - 2) < 1e-2


def test_the_frame_tells_everything():
    optimizer = sg.Optimizer(MIXED, "f", ["g <= 1"], rng=0)
    optimizer.tell(optimizer.ask(), {"f": 1.0, "g": 2.0, "more": 7.0})
    optimizer.fail(optimizer.ask(), "broke")
    optimizer.ask()
    frame = optimizer.to_frame()
    assert list(frame) == [*MIXED, "f", "g", "more", "step", "status", "feasible", "error"]
    assert frame["status"].tolist() == ["done", "failed", "pending"]
    assert frame["feasible"].tolist() == [False, False, False]
    assert frame["error"].tolist() == ["", "broke", ""]
    assert frame.loc[0, "more"] == 7.0
    assert frame.loc[1:, ["f", "g"]].isna().all(axis=None)


def test_other_outputs_neither_hide_a_column_nor_have_to_be_numbers():
    optimizer = sg.Optimizer(REAL, "f", rng=0)
    optimizer.tell({"x": 0.5, "y": 1.0}, {"f": 1.0, "x": 7.0, "error": 3.0, "id": 5.0, "note": None, "more": 2.0})
    optimizer.tell(optimizer.ask(), {"f": 2.0})
    frame = optimizer.to_frame()
    assert list(frame) == ["x", "y", "f", "more", "step", "status", "feasible", "error"]
    assert frame["x"].notna().all()
    assert frame["x"].iloc[0] == 0.5
    assert frame["error"].tolist() == ["", ""]


def test_the_history_is_in_the_order_of_asking_and_telling():
    optimizer = run(made("real"), 10)
    optimizer.tell([{"x": 0.1, "y": 0.2}, {"x": 0.3, "y": 0.4}], [{"f": 5.0, "g": 0.0}, {"f": 6.0, "g": 0.0}])
    run(optimizer, 2)
    assert optimizer.to_frame().index.tolist() == [*range(10), -1, -2, 10, 11]


def test_a_proposal_that_is_withdrawn_is_no_longer_running():
    optimizer = run(made("real"), 8)
    (trial,) = optimizer.ask()
    rounded = {name: round(value, 1) for name, value in trial.x.items()}
    optimizer.tell(rounded, outputs(rounded))
    optimizer.withdraw(trial)
    assert "pending" not in [t.status for t in optimizer.trials]
    assert optimizer.ask()[0].id == trial.id + 1
    with pytest.raises(ValueError, match=f"trial {trial.id} is not of this optimizer"):
        optimizer.withdraw(trial)


@pytest.mark.parametrize("told", [[0] * 6, [0, 1] * 3, [1] * 6])
def test_levels_that_were_never_run_are_run_once_and_then_modelled(told):
    optimizer = sg.Optimizer(REAL, "f", rng=0, levels={0: 1, 1: 0.2, 2: 0.1}, n_initial=6)
    for point, level in zip(sg.sobol(REAL, 6, rng=0).to_dict("records"), told, strict=True):
        optimizer.tell(point, outputs(point), level=level)
    asked = []
    for _ in range(6):
        (trial,) = optimizer.ask()
        asked.append((trial.step, trial.level))
        settle(optimizer, trial)
    missing = [level for level in (0, 1, 2) if level not in told]
    assert [level for _, level in asked[: len(missing)]] == missing
    assert asked[0][0] == "design"
    assert asked[-1][0] != "design"


def test_a_level_that_only_fails_is_no_hindrance():
    optimizer = sg.Optimizer(REAL, "f", rng=0, levels={0: 1, 1: 0.2}, n_initial=4)
    for _ in range(12):
        for trial in optimizer.ask():
            if trial.level:
                optimizer.fail(trial, "no licence")
            else:
                optimizer.tell(trial, outputs(trial.x))
    assert optimizer.best.level == 0


def test_a_design_over_levels_repeats_no_run():
    space = sg.Space(n=sg.Integer(0, 3), kind=sg.Categorical(["a", "b"]))
    optimizer = sg.Optimizer(space, "f", rng=0, levels={0: 1, 1: 0.5, 2: 0.2}, n_initial=18)
    trials = optimizer.ask(18)
    assert len({(*t.x.values(), t.level) for t in trials}) == 18


def test_points_told_twice_do_not_use_up_the_space():
    optimizer = sg.Optimizer(sg.Space(n=sg.Integer(0, 4)), "f", rng=0, n_initial=8)
    for n in (0, 0, 0, 1, 1):
        optimizer.tell({"n": n}, {"f": float(n)})
    assert sorted(t.x["n"] for t in optimizer.ask(5)) == [2, 3, 4]


def test_one_proposal_after_the_other_exploits_also_while_others_run():
    optimizer = made("real", n_initial=6)
    waiting = []
    for _ in range(24):
        waiting += optimizer.ask()
        if len(waiting) == 2:
            trial = waiting.pop(0)
            optimizer.tell(trial, outputs(trial.x))
    steps = [t.step for t in optimizer.trials]
    assert steps.count("exploit") >= 2
    # But not twice at the same time.
    assert all(pair != ("exploit", "exploit") for pair in itertools.pairwise(steps))


def test_a_larger_design_than_before_does_not_interrupt_the_models():
    first = run(made("real", n_initial=3), 8)
    second = made("real", n_initial=12)
    for trial in first.trials:
        restored = second.restore(first.proposal(trial))
        settle(second, restored)
    assert second.ask()[0].step != "design"


def test_hypervolumes_are_those_of_the_runs_so_far():
    rng = np.random.default_rng(0)
    optimizer = sg.Optimizer(REAL, ["f", "g", "h"], ["c <= 0.8"], rng=0, reference=[1.0, 1.0, 1.0])
    told = []
    for values in rng.random((40, 4)):
        optimizer.tell({"x": values[0], "y": values[1]}, dict(zip("fghc", values.tolist(), strict=True)))
        told.append(values)
    for n, volume in enumerate(optimizer.hypervolumes(), start=1):
        allowed = np.array([v[:3] for v in told[:n] if v[3] <= 0.8]).reshape(-1, 3)
        assert volume == pytest.approx(hypervolume(allowed, [1.0, 1.0, 1.0]))


def wrong(**more):
    return lambda: sg.Optimizer(**{"space": REAL, "objectives": "f", **more})


def test_mistakes_are_told():
    for call, kind, told in [
        (wrong(space={"x": (0, 1)}), TypeError, "space must be a Space, got {'x'"),
        (wrong(objectives=[]), ValueError, "objectives must be one to 3 outputs, got 0"),
        (wrong(objectives=["f", "-f"]), ValueError, "must differ from each other"),
        (wrong(objectives=3), TypeError, "objectives must be the name of an output"),
        (wrong(constraints=["g ~ 3"]), ConditionError, "g ~ 3"),
        (wrong(constraints=["g != 3"]), ConditionError, "use an inequality"),
        (wrong(n_initial=1), ValueError, "n_initial must be a whole number of at least 2, got 1"),
        (wrong(rng=-1), TypeError, "rng must be a whole number"),
        (wrong(levels={1: 2.0}), ValueError, "levels must map whole numbers from 0"),
        (wrong(levels={0: 0.0}), ValueError, "positive number"),
        (wrong(levels=[1, 2]), TypeError, "levels must map each level to its cost"),
        (wrong(reference=(1, 2)), ValueError, "reference must have a number for each"),
        (wrong(reference=5.0), ValueError, "reference must have a number for each"),
        (wrong(objectives=["f", "g"], reference=[np.nan, 1]), ValueError, "reference must have a number for each"),
        (wrong(equality_tolerance=0), ValueError, "equality_tolerance must be positive"),
        (wrong(objectives="status"), ValueError, "'status' names a column of the history twice"),
        (wrong(objectives="x"), ValueError, "'x' names a column of the history twice"),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert told in str(caught.value)


def test_wrong_tells_change_nothing():
    optimizer = sg.Optimizer(REAL, "f", ["g <= 1"], rng=0)
    trials = optimizer.ask(2)
    good = {"f": 1.0, "g": 2.0}
    for outcome, kind, told in [
        ([good], ValueError, "outputs must be as many as trials, got 1 for 2"),
        ([good, {"f": 1.0}], InvalidInputError, "missing 'g', got 'f'"),
        ([good, {"f": np.nan, "g": 1.0}], InvalidInputError, "'f' must be a finite number, got nan"),
        ([good, {"f": "low", "g": 1.0}], InvalidInputError, "'f' must be a finite number, got 'low'"),
        ([good, {"f": None, "g": 1.0}], InvalidInputError, "'f' must be a finite number, got None"),
        ([good, 3.0], InvalidInputError, "outputs must be a mapping from name to number, got 3.0"),
        (3.2, InvalidInputError, "outputs must be a mapping from name to number, or one a trial, got 3.2"),
    ]:
        with pytest.raises(kind) as caught:
            optimizer.tell(trials, outcome)
        assert told in str(caught.value)
    with pytest.raises(ValueError, match="a trial was given twice: 0, 0"):
        optimizer.tell([trials[0], trials[0]], [good, good])
    assert [t.status for t in optimizer.trials] == ["pending", "pending"]
    optimizer.tell(trials[0], good)
    with pytest.raises(ValueError, match="trial 0 is done and cannot be told again"):
        optimizer.tell(trials[0], good)
    with pytest.raises(ValueError, match="trial 0 is not of this optimizer"):
        sg.Optimizer(REAL, "f").tell(sg.Optimizer(REAL, "f").ask(), good)
    with pytest.raises(InvalidInputError, match="5"):
        optimizer.tell({"x": 5.0, "y": 1.0}, good)
    with pytest.raises(ValueError, match="n must be a whole number of at least 1, got 0"):
        optimizer.ask(0)
    with pytest.raises(ValueError, match="there is no level 1; known: only 0"):
        optimizer.tell({"x": 0.0, "y": 1.0}, good, level=1)
    assert len(optimizer.trials) == 2


@pytest.mark.parametrize("noise", [False, True])
def test_looking_changes_nothing(noise):
    def positions(look):
        opt = sg.Optimizer(sg.Space(a=sg.Real(0, 1), b=sg.Real(0, 1)), "y", rng=3, noise=noise)
        for _ in range(8):
            for trial in opt.ask(3):
                opt.tell(trial, {"y": np.sin(9 * trial.x["a"]) + (trial.x["b"] - 0.4) ** 2})
                if look:
                    assert opt.best is not None
                    opt.regret_bound()
        return [trial.position for trial in opt.trials]

    np.testing.assert_array_equal(positions(look=True), positions(look=False))


def test_a_reference_that_nothing_is_better_than_is_no_hindrance():
    def exponentials(x):
        return {"p": np.exp(3 * x["z"]), "q": np.exp(3 * x["z"] + x["a"])}

    opt = sg.Optimizer(sg.Space(a=sg.Real(0, 1), z=sg.Real(0, 1)), ["p", "q"], rng=0, reference=[-50, -50])
    for _ in range(14):
        trial = opt.ask()[0]
        opt.tell(trial, exponentials(trial.x))
    assert max(trial.x["z"] for trial in opt.trials[-5:]) < 0.05
