"""Designs for quadratic response surfaces: central composite and Box-Behnken."""

from __future__ import annotations

import itertools
from typing import Literal

import numpy as np
import pandas as pd
import pydoe

from surrogate.designs._coded import design_from_coded, numeric, with_centres
from surrogate.designs._design import check_size
from surrogate.space import Space

__all__ = ["box_behnken", "central_composite"]

# Parameters that are varied together in Box-Behnken designs, if not all pairs. In both every parameter occurs three
# times; of seven each pair occurs once (the lines of the Fano plane), of six once or, the opposite ones, twice.
TRIPLES = {d: [tuple((start + step) % d for step in (0, 1, 3)) for start in range(d)] for d in (6, 7)}


def central_composite(
    space: Space,
    *,
    face: Literal["inscribed", "faced"] = "inscribed",
    alpha: Literal["rotatable", "orthogonal"] = "rotatable",
    centre: int = 1,
) -> pd.DataFrame:
    """Central composite design: a two-level factorial, a star and the middle.

    Parameters
    ----------
    space : Space
        Parameters with an order; two or more.
    face : {"inscribed", "faced"}
        Whether the star touches the bounds and the factorial lies within, or both lie on the bounds. (A circumscribed
        design, whose star sticks out, would leave the space.)
    alpha : {"rotatable", "orthogonal"}
        How far out an inscribed design's star is, relative to its factorial: so that the variance of a prediction
        depends on the distance from the middle only, or so that the squares are uncorrelated with each other, which
        depends on `centre`.
    centre : int
        Number of runs in the middle. One is enough for a simulator that always answers alike.

    Returns
    -------
    DataFrame of shape (2^d + 2 d + centre, d)
        ``attrs`` holds ``sampler``, ``seed`` (None), ``n``, ``face`` and ``alpha``.

    References
    ----------
    .. [1] G. E. P. Box, K. B. Wilson, "On the experimental attainment of optimum conditions", Journal of the Royal
       Statistical Society B 13(1), 1951.
    .. [2] G. E. P. Box, J. S. Hunter, "Multi-factor experimental designs for exploring response surfaces", Annals of
       Mathematical Statistics 28(1), 1957.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> central_composite(Space(x=Real(0, 1), y=Real(0, 1)), face="faced")["x"].tolist()
    [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.5, 0.5, 0.5]
    """
    numeric(space, "central_composite")
    if space.d < 2:
        raise ValueError("central_composite needs at least 2 parameters; use factorial with levels=3")
    if face not in ("inscribed", "faced"):
        raise ValueError(f"face must be 'inscribed' or 'faced', got {face!r}")
    if alpha not in ("rotatable", "orthogonal"):
        raise ValueError(f"alpha must be 'rotatable' or 'orthogonal', got {alpha!r}")
    corners = 2**space.d
    star = np.kron(np.eye(space.d), [[-1.0], [1.0]])
    coded = with_centres(np.vstack([pydoe.ff2n(space.d), star]), centre)
    if face == "inscribed":
        # Box and Hunter 1957: the fourth moments of a rotatable design, and uncorrelated squares.
        far = corners**0.25 if alpha == "rotatable" else np.sqrt((np.sqrt(corners * len(coded)) - corners) / 2)
        coded[:corners] /= max(far, 1)
        # Two parameters without a run in the middle have a star that is nearer than the factorial.
        coded[corners:] *= min(far, 1)
    options = {"face": face, "alpha": alpha if face == "inscribed" else None}
    return design_from_coded(space, coded, "central_composite", options)


def box_behnken(space: Space, *, centre: int = 1) -> pd.DataFrame:
    """Box-Behnken design: a few parameters at a time at their ends, the others in the middle; no corners.

    Of three parameters these are the middles of the edges of the space. Which parameters go together is as published
    [1]_ up to seven: all pairs of three to five, triples of six and seven. Of eight and more it is all pairs again; the
    published designs, which there are of nine and more, have fewer runs.

    Parameters
    ----------
    space : Space
        Parameters with an order; three or more.
    centre : int
        Number of runs in the middle, at least 1.

    Returns
    -------
    DataFrame of shape (12, 24, 40, 48, 56 or, from eight parameters on, 2 d (d - 1); each + centre, d)
        ``attrs`` holds ``sampler``, ``seed`` (None) and ``n``.

    References
    ----------
    .. [1] G. E. P. Box, D. W. Behnken, "Some new three level designs for the study of quantitative variables",
       Technometrics 2(4), 1960.

    Examples
    --------
    >>> from surrogate.space import Real, Space
    >>> len(box_behnken(Space(x=Real(0, 1), y=Real(0, 1), z=Real(0, 1))))
    13
    """
    numeric(space, "box_behnken")
    if space.d < 3:
        raise ValueError("box_behnken needs at least 3 parameters; use central_composite or factorial with levels=3")
    together = TRIPLES.get(space.d) or list(itertools.combinations(range(space.d), 2))
    coded = []
    for block in together:
        corners = np.asarray(pydoe.ff2n(len(block)), dtype=float)
        rows = np.zeros((len(corners), space.d))
        rows[:, block] = corners
        coded.append(rows)
    return design_from_coded(space, with_centres(np.vstack(coded), check_size(centre, "centre")), "box_behnken")
