"""D- and I-optimal designs for polynomial models, by exchange of candidates (Fedorov 1972)."""

from __future__ import annotations

from itertools import combinations
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import qmc

from surrogate.designs._coded import coded_to_unit
from surrogate.designs._design import Rng, check_size, finish, seeded
from surrogate.designs._exchange import n_values
from surrogate.designs.where import Condition, Where, check_where
from surrogate.errors import ConditionError, did_you_mean
from surrogate.space import Categorical, Real, Space

__all__ = ["model_matrix", "optimal"]

FloatArray = NDArray[np.float64]
Model = Literal["linear", "interaction", "quadratic"]

# A grid of candidates larger than this is replaced by a sample of it.
MOST_CANDIDATES = 3000
STARTS = 5
# Added to the information matrix's diagonal, so that a start that cannot tell all terms apart can be improved.
RIDGE = 1e-8


def optimal(
    space: Space,
    n: int,
    *,
    model: Model = "quadratic",
    criterion: Literal["D", "I"] = "D",
    where: Where = None,
    rng: Rng = None,
) -> pd.DataFrame:
    """Design of `n` runs that determines a polynomial model best.

    Parameters
    ----------
    space : Space
    n : int
        Number of runs, at least the number of the model's terms.
    model : {"linear", "interaction", "quadratic"}
        Main effects; with products of two; with squares of real and whole numbers and ordered levels too.
    criterion : {"D", "I"}
        Whether the coefficients' confidence region or the mean variance of the predictions is small.
    where : str or list of str, optional
        Conditions on the inputs, e.g. ``"width * height <= 2"``.
    rng : int, numpy Generator or None
        Seed of the searches' starts.

    Returns
    -------
    DataFrame of shape (n, d)
        Runs may repeat; ``attrs`` holds ``sampler``, ``seed``, ``n``, ``model``, ``criterion``, ``where``.

    Raises
    ------
    ValueError
        If `n` is smaller than the number of terms.

    References
    ----------
    .. [1] V. V. Fedorov, "Theory of Optimal Experiments", Academic Press, 1972.
    .. [2] R. D. Cook, C. J. Nachtsheim, "A comparison of algorithms for constructing exact D-optimal designs",
       Technometrics 22(3), 1980.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> design = optimal(Space(x=Real(0, 1)), 3, rng=0)
    >>> sorted(design["x"].tolist())
    [0.0, 0.5, 1.0]
    """
    n = check_size(n)
    if model not in get_args(Model):
        raise ValueError(f"unknown model {model!r}; {did_you_mean(str(model), get_args(Model))}")
    if criterion not in ("D", "I"):
        raise ValueError(f"criterion must be 'D' or 'I', got {criterion!r}")
    generator, seed = seeded(rng)
    condition = check_where(where, space)
    design = _chosen(space, condition, n, model, criterion, generator)
    told = {"model": model, "criterion": criterion, "where": condition.text if condition else None}
    return finish(space, design, "optimal", seed, told)


def augmented(
    space: Space,
    fixed: pd.DataFrame,
    n: int,
    model: Model,
    criterion: Literal["D", "I"],
    where: Where,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The runs of `fixed` and `n` more that determine the model best together with them."""
    return _chosen(space, check_where(where, space), n, model, criterion, rng, fixed)


def model_matrix(space: Space, design: pd.DataFrame, model: Model) -> FloatArray:
    """Terms of the model at the design's runs, array of shape (n, number of terms).

    Numbers and ordered levels are coded from -1 to 1, categories by their deviation from the last.
    """
    blocks: list[FloatArray] = []
    squares: list[FloatArray] = []
    u = space.to_unit(design)
    # What -1 and 1 are in the unit cube: not its border for discrete parameters and those without ends.
    ends = coded_to_unit(space, np.array([[-1.0] * space.d, [1.0] * space.d]))
    for k, parameter in enumerate(space.values()):
        if isinstance(parameter, Categorical):
            codes = parameter.codes(design.iloc[:, k].to_numpy(dtype=object))
            last = len(parameter.values) - 1
            blocks.append(np.column_stack([(codes == c) * 1.0 - (codes == last) for c in range(last)]))
        else:
            x = 2 * (u[:, k] - ends[0, k]) / (ends[1, k] - ends[0, k]) - 1
            blocks.append(x[:, None])
            # Two levels have no curvature to see.
            if isinstance(parameter, Real) or n_values(parameter) > 2:
                squares.append(x[:, None] ** 2)
    columns = [np.ones((len(design), 1)), *blocks]
    if model != "linear":
        columns += [(a[:, :, None] * b[:, None, :]).reshape(len(design), -1) for a, b in combinations(blocks, 2)]
    if model == "quadratic":
        columns += squares
    return np.hstack(columns)


def _region(space: Space, condition: Condition | None) -> pd.DataFrame:
    """Points spread evenly over the part of the space that may be used."""
    coded = 2 * qmc.Sobol(space.d, scramble=False).random_base2(12) - 1
    # Not at -1 exactly, where the sequence starts.
    frame = space.from_unit(coded_to_unit(space, coded + 2.0**-12))
    return frame if condition is None else frame[condition(frame)]


def _candidates(space: Space, condition: Condition | None, rng: np.random.Generator) -> pd.DataFrame:
    """Runs to choose from: a grid of three levels (all categories), or a sample of it; thinned by the condition."""
    counts = [
        len(p.values) if isinstance(p, Categorical) else 3 if isinstance(p, Real) else min(3, n_values(p))
        for p in space.values()
    ]
    if np.prod([float(c) for c in counts]) <= MOST_CANDIDATES:
        levels = np.stack(np.meshgrid(*(np.linspace(-1, 1, c) for c in counts), indexing="ij"), axis=-1)
        coded = levels.reshape(-1, space.d)
    else:
        coded = np.column_stack([2 * rng.integers(c, size=MOST_CANDIDATES) / (c - 1) - 1 for c in counts])
    if condition is not None:
        # The best runs lie on the condition's border, which a grid of three levels may miss.
        coded = np.vstack([coded, 2 * qmc.Sobol(space.d, rng=rng).random_base2(12) - 1])
    frame = space.from_unit(coded_to_unit(space, coded)).drop_duplicates(ignore_index=True)
    if condition is not None:
        frame = frame[condition(frame)].head(MOST_CANDIDATES).reset_index(drop=True)
        if frame.empty:
            raise ConditionError(f"where: no candidate meets {condition.text!r}")
    return frame


def _chosen(
    space: Space,
    condition: Condition | None,
    n: int,
    model: Model,
    criterion: Literal["D", "I"],
    rng: np.random.Generator,
    fixed: pd.DataFrame | None = None,
) -> pd.DataFrame:
    candidates = _candidates(space, condition, rng)
    terms = model_matrix(space, candidates, model)
    size = terms.shape[1]
    base = RIDGE * np.eye(size)
    rows = 0
    if fixed is not None:
        old = model_matrix(space, fixed, model)
        base += old.T @ old
        rows = len(fixed)
    if n + rows < size:
        raise ValueError(f"n must be at least {size - rows}: the {model} model has {size} terms; got {n}")
    if np.linalg.matrix_rank(np.vstack([terms, base - RIDGE * np.eye(size)])) < size:
        raise ValueError(f"no choice of runs determines the {model} model here; use a simpler model or widen `where`")
    # The mean over the whole region, not over the candidates, which lie mostly on its border.
    region = model_matrix(space, _region(space, condition), model)
    moments = region.T @ region / len(region)
    found = [_search(terms, base, moments, n, criterion, rng) for _ in range(STARTS)]
    best = min(found, key=lambda pair: pair[0])[1]
    new = candidates.iloc[best].reset_index(drop=True)
    return new if fixed is None else pd.concat([fixed.reset_index(drop=True), new], ignore_index=True)


def _search(
    terms: FloatArray,
    base: FloatArray,
    moments: FloatArray,
    n: int,
    criterion: Literal["D", "I"],
    rng: np.random.Generator,
) -> tuple[float, NDArray[np.int64]]:
    """One descent: each run in turn is exchanged for the candidate that improves most, until none does."""
    chosen = rng.integers(len(terms), size=n)
    for _ in range(50):
        improved = False
        for place in range(n):
            # The inverse is made anew at each place: it is small, and updates would lose digits.
            rest = np.delete(chosen, place)
            inverse = np.linalg.inv(base + terms[rest].T @ terms[rest])
            projected = terms @ inverse
            spread = np.einsum("ij,ij->i", projected, terms)
            if criterion == "D":
                gain = spread
            else:
                # Adding row f lowers trace(M^-1 W) by f' M^-1 W M^-1 f / (1 + f' M^-1 f).
                gain = np.einsum("ij,ij->i", projected @ moments, projected) / (1 + spread)
            best = int(np.argmax(gain))
            if gain[best] > gain[chosen[place]] * (1 + 1e-9):
                chosen[place] = best
                improved = True
        if not improved:
            break
    information = base + terms[chosen].T @ terms[chosen]
    if criterion == "D":
        return -float(np.linalg.slogdet(information)[1]), chosen
    return float(np.trace(np.linalg.solve(information, moments))), chosen
