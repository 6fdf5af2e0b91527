"""Which metamodel knows the runs best: by what each says of runs that it has not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.special
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from surrogate.conditions import Condition
from surrogate.emulators.classifier import ProbabilityEmulator
from surrogate.emulators.forest import ForestEmulator
from surrogate.emulators.gp.gaussian_process import GaussianProcess
from surrogate.space import Space

__all__ = ["Choice", "choose_metamodel"]

FloatArray = NDArray[np.float64]
Labelled = NDArray[np.bool_]

# A probability of 0 or 1 that is wrong must not decide between metamodels alone.
SMALLEST_PROBABILITY = 0.005

# This share of the mean's weights is equal, and a model with less than the least weight is left out.
EQUAL_SHARE, LEAST_WEIGHT = 0.1, 0.1

ON_OUTPUT = "Gaussian process on the output"
ON_LABELS = "Gaussian process on the labels"
FOREST = "forest on the labels"
BOOSTED = "boosted trees on the labels"
MEAN = "weighted mean on the labels"
RUNS = "none: the runs themselves"
SHARE = "share of interest"


@dataclass(frozen=True, eq=False)
class Choice:
    """A metamodel and why.

    Attributes
    ----------
    model : fitted metamodel, or None where none knows more than the share of interest
    method, reason : str
    log_losses : Series
        Mean log loss of left-out runs by metamodel.
    weights : Series
        Of the models in the mean.
    """

    model: Any
    method: str
    reason: str
    log_losses: pd.Series
    weights: pd.Series


def choose_metamodel(
    X: Any,
    output: NDArray[Any],
    labels: Labelled,
    condition: Condition | None,
    space: Space | None,
    rng: int | np.random.Generator | None,
) -> Choice:
    """Fit metamodels to runs and take the one with the smallest log loss of left-out runs.

    The output, which says more than labels, is kept unless the loss of the labels' models is smaller by more than two
    standard errors.

    Parameters
    ----------
    X : DataFrame or array of shape (n, d)
        Inputs; numbers, or with a `space` a table of its columns.
    output : array of shape (n,)
        Without effect if there is no `condition`.
    labels : bool array of shape (n,)
        Which runs are of interest: some, not all.
    condition : Condition, optional
        What makes an output of interest, as ``Condition.between`` the outputs.
    space : Space, optional
    rng : int, Generator or None
    """
    on_output = {} if condition is None else {ON_OUTPUT: _on_output(X, output, condition, space)}
    on_labels = _on_labels(X, labels, space, rng)
    fitted = on_output | on_labels
    losses = {name: _log_losses(left_out, labels) for name, (_, left_out) in fitted.items()}
    losses[SHARE] = _log_losses(np.full(len(labels), labels.mean()), labels)
    # Its hyper-parameters, one an input, and its calibration were chosen with the labels that were then left out.
    losses[ON_LABELS] += (np.shape(X)[1] + 2) / len(labels)
    models = {name: model for name, (model, _) in fitted.items()}
    models[MEAN], losses[MEAN], weights = _mean({name: models[name] for name in on_labels}, losses, np.shape(X)[1])
    means = pd.Series({name: loss.mean() for name, loss in losses.items()}, name="log_loss")
    told = ", ".join(f"{name} {loss:.3f}" for name, loss in means.sort_values().items())
    best = str(means[[name for name in (ON_OUTPUT, MEAN, SHARE) if name in losses]].idxmin())
    if best == ON_OUTPUT:
        reason = f"it has the smallest log loss of left-out runs ({told})"
    elif on_output and _is_close(losses[ON_OUTPUT], losses[best]):
        best = ON_OUTPUT
        reason = (
            "the output says more than labels do, and its log loss of left-out runs is within two standard "
            f"errors of the smallest ({told})"
        )
    elif best == MEAN:
        parts = ", ".join(f"{share:.0%} {name}" for name, share in weights.items())
        reason = f"with the weights that are likeliest for left-out runs: {parts} (log loss: {told})"
    else:
        reason = f"no metamodel tells left-out runs better than their share of interest does (log loss: {told})"
        return Choice(None, RUNS, reason, means, weights)
    return Choice(models[best], best, reason, means, weights)


def _on_output(X: Any, output: NDArray[Any], condition: Condition, space: Space | None) -> tuple[Any, FloatArray]:
    """The model of the output, and how likely it says that each left-out run is of interest."""
    model = ProbabilityEmulator(condition, emulator=GaussianProcess()).fit(X, output, space)
    mean, std = model.emulator_.leave_one_out()
    side = 1.0 if condition.operator in ("<", "<=") else -1.0
    z = side * (condition.value - mean) / np.maximum(std, np.finfo(float).tiny)
    return model, np.asarray(scipy.special.ndtr(z))


def _on_labels(
    X: Any, labels: Labelled, space: Space | None, rng: int | np.random.Generator | None
) -> dict[str, tuple[Any, FloatArray]]:
    """Models of the labels by name, and how likely each says that a left-out run is of interest."""
    emulators = {
        ON_LABELS: GaussianProcess(kernel="matern52", noise="estimate", warp=None),
        FOREST: ForestEmulator(kind="random_forest", rng=rng),
    }
    fitted: dict[str, tuple[Any, FloatArray]] = {}
    for name, emulator in emulators.items():
        model = ProbabilityEmulator(emulator=emulator, rng=rng).fit(X, labels, space)
        fitted[name] = model, model.left_out_
    rarer = int(min(labels.sum(), (~labels).sum()))
    if rarer >= 2:
        trees = _boosted_trees(space)
        folds = StratifiedKFold(min(5, rarer), shuffle=True, random_state=0)
        left_out = cross_val_predict(trees, X, labels, cv=folds, method="predict_proba")[:, 1]
        fitted[BOOSTED] = trees.fit(X, labels), left_out
    return fitted


def _mean(models: dict[str, Any], losses: dict[str, FloatArray], n_inputs: int) -> tuple[Any, FloatArray, pd.Series]:
    """The weighted mean of models, its log losses of left-out runs, and the weights.

    Few labels do not tell which of several models is the best: on nine functions whose outcomes are labels, at
    N = 200, the mean's boxes have 0.7 points more area than those of the model with the smallest loss.
    """
    likelihood = np.exp(-np.array([losses[name] for name in models]))
    weights = _likeliest_weights(likelihood)
    used = weights >= LEAST_WEIGHT
    weights = np.where(used, weights, 0.0) / weights[used].sum()
    shares = pd.Series(weights, index=list(models), name="weight")[used]
    members = [(name, FrozenEstimator(models[name])) for name in shares.index]
    mean = VotingClassifier(members, voting="soft", weights=shares.to_numpy())
    # Members are frozen: this only tells the classes.
    return mean.fit(np.zeros((2, n_inputs)), [False, True]), -np.log(weights @ likelihood), shares


def _boosted_trees(space: Space | None) -> Any:
    """Boosted trees as the paper tunes them most often: shallow, on three quarters of the runs each."""
    trees = GradientBoostingClassifier(n_estimators=100, max_depth=3, subsample=0.75, random_state=0)
    return trees if space is None else make_pipeline(FunctionTransformer(space.to_unit), trees)


def _likeliest_weights(likelihood: FloatArray) -> FloatArray:
    """Weights of a mixture from what each part (k) gave each left-out label (n), by expectation and maximisation."""
    equal = np.full(len(likelihood), 1 / len(likelihood))
    weights = equal
    for _ in range(100):
        shares = weights[:, None] * likelihood / (weights @ likelihood)
        weights = (1 - EQUAL_SHARE) * shares.mean(axis=1) + EQUAL_SHARE * equal
    return weights


def _log_losses(probability: FloatArray, labels: Labelled) -> FloatArray:
    p = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.log(np.where(labels, p, 1 - p)))


def _is_close(losses: FloatArray, best: FloatArray) -> bool:
    """Whether the mean of losses exceeds that of the best by no more than two standard errors of the difference."""
    difference = losses - best
    return bool(difference.mean() <= 2 * difference.std(ddof=1) / np.sqrt(len(difference)))
