"""Which kind of step comes next: explore everywhere, refine near the best, or go where the mean is lowest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["LARGEST_BOX", "Steps"]

# Steps from one exploitation to the next: where it pays more often, where it does not less often.
SHORTEST, FIRST, LONGEST = 3, 4, 8
# Under constraints every second: where several of them meet, improvement alone keeps stepping over the edges.
SHORTEST_CONSTRAINED = 2

# Steps in a row without improvement before the box around the best run is searched; steps in the box without
# improvement before it rests, and for how many steps.
FAILURES, PATIENCE, REST = 2, 4, 3

# Sides of the box, as shares of the space's.
FIRST_BOX, LARGEST_BOX, SMALLEST_BOX = 0.2, 0.5, 0.01


# From so many parameters on the box is searched instead of the space, and is large at first: with 120 runs in 20
# dimensions improvement is expected at every corner of the space, and looking there costs Rosenbrock 0.6 decades, Levy
# 0.2, without a gain on Hartmann 6 among 14 idle parameters. Up to 6 dimensions the space is worth its runs.
MANY, FIRST_BOX_OF_MANY = 15, 0.5


@dataclass
class Steps:
    """What the history of steps says about the next.

    Exploiting and refining gain decades on smooth functions and lose runs on rugged ones, so each is repeated as long
    as it pays. A function of the history alone, so that a resumed study goes on as it would have.

    Attributes
    ----------
    box : float
        Sides of the box around the best run.
    is_local : bool
        Whether the box is searched instead of the space.

    References
    ----------
    .. [1] Y. Diouane, V. Picheny, R. Le Riche, A. S. Di Perrotolo, "TREGO: a trust-region framework for efficient
       global optimization", Journal of Global Optimization 86, 2023.
    .. [2] D. Eriksson, M. Pearce, J. R. Gardner, R. D. Turner, M. Poloczek, "Scalable Global Optimization via Local
       Bayesian Optimization", NeurIPS 2019: a trust region in many dimensions.
    """

    period: int = FIRST
    shortest: int = SHORTEST
    since: int = 0
    failures: int = 0
    in_box: int = 0
    rest: int = 0
    box: float = FIRST_BOX
    is_local: bool = False

    @classmethod
    def after(cls, history: Iterable[tuple[str, bool]], d: int, *, constrained: bool = False) -> Steps:
        """From the kinds of the steps so far, and whether each improved on everything before it, in d dimensions."""
        made = cls(shortest=SHORTEST_CONSTRAINED, period=SHORTEST_CONSTRAINED) if constrained else cls()
        if d >= MANY:
            made.is_local, made.box = True, FIRST_BOX_OF_MANY
        for kind, improved in history:
            made._learn(kind, improved)
        return made

    def _learn(self, kind: str, improved: bool) -> None:
        self.since += 1
        if kind == "exploit":
            self.since = 0
            self.period = self.shortest if improved else min(LONGEST, 2 * self.period)
        elif kind == "refine":
            self.box = min(LARGEST_BOX, 2.0 * self.box) if improved else max(SMALLEST_BOX, self.box / 2.0)
            self.in_box = 0 if improved else self.in_box + 1
            if self.in_box >= PATIENCE:
                self.in_box, self.rest = 0, REST
        elif kind == "explore":
            self.rest = max(0, self.rest - 1)
        self.failures = 0 if improved else self.failures + 1

    @property
    def kind(self) -> str:
        """The next step: "exploit", "refine" or "explore"."""
        if self.since >= self.period - 1:
            return "exploit"
        if self.is_local or (self.failures >= FAILURES and not self.rest):
            return "refine"
        return "explore"
