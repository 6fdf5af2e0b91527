"""What may vary: typed parameters with bounds, units and distributions."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

import numpy as np
import scipy
from numpy.typing import ArrayLike, NDArray

from surrogate.errors import did_you_mean

# Every worker process imports this module and most do not need it, which takes long; it loads itself on first use.
if TYPE_CHECKING:
    import scipy.stats

__all__ = [
    "Categorical",
    "Finite",
    "Integer",
    "Numeric",
    "Ordinal",
    "Parameter",
    "Real",
    "distribution_to_dict",
    "parameter_from_dict",
    "plain",
]

FloatArray = NDArray[np.float64]
Role = Literal["uncertainty", "lever", "constant"]
ROLES = ("uncertainty", "lever", "constant")

# Beyond this size of an Integer a position in the unit cube, a float, no longer tells every number from its neighbours
# once it has been through a logarithm.
LARGEST_INTEGER = 2**40

# Shares of probability cut off on each side when an unbounded parameter needs finite limits, e.g. for an axis.
TAIL = 1e-3


@dataclass(frozen=True)
class Parameter(ABC):
    """One named, typed input of a simulator.

    Every parameter maps the unit interval onto its values (:meth:`from_unit`, the inverse of its distribution function)
    and back (:meth:`to_unit`); a design needs nothing else of it.

    Examples
    --------
    >>> quarters = [0.0, 0.25, 0.5]
    >>> Real(0, 10).from_unit(quarters).tolist(), Integer(1, 4).from_unit(quarters).tolist()
    ([0.0, 2.5, 5.0], [1, 2, 3])
    """

    kind: ClassVar[str]
    dtype: ClassVar[Any]

    unit: str = field(default="", kw_only=True)
    role: Role = field(default="uncertainty", kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"role must be one of {ROLES}, got {self.role!r}")

    @abstractmethod
    def from_unit(self, u: ArrayLike) -> NDArray[Any]:
        """Values at positions `u` in [0, 1], array of the same shape."""

    @abstractmethod
    def to_unit(self, values: ArrayLike) -> FloatArray:
        """Positions in [0, 1] of `values`; of a discrete value the middle of its cell."""

    @abstractmethod
    def problem(self, value: Any) -> str | None:
        """Why `value` is not allowed, or None."""

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The allowed values in words, e.g. ``"[-4, 12] deg"``."""

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready description, read back by :meth:`Space.from_dict`."""
        out: dict[str, Any] = {"type": self.kind, **self._own_dict()}
        out |= {key: getattr(self, key) for key in ("unit", "description") if getattr(self, key)}
        if self.role != "uncertainty":
            out["role"] = self.role
        return out

    @abstractmethod
    def _own_dict(self) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Numeric(Parameter):
    """A number between `low` and `high`, both included."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if value != value:
                raise ValueError(f"{name} must not be NaN")
        if not self.low < self.high:
            raise ValueError(f"low must be below high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"a log scale needs low > 0, got low={self.low}")

    @property
    def finite_range(self) -> tuple[float, float]:
        """Limits for an axis: `low` and `high`, where infinite the 0.1% and 99.9% quantiles."""
        ends = np.asarray(self.from_unit([TAIL, 1 - TAIL]), dtype=float)
        return (
            float(self.low) if np.isfinite(self.low) else float(ends[0]),
            float(self.high) if np.isfinite(self.high) else float(ends[1]),
        )

    @property
    def allowed(self) -> str:
        # Twelve digits: rounded to six, a value could look allowed that is not.
        left = f"[{self.low:.12g}" if np.isfinite(self.low) else "(-inf"
        right = f"{self.high:.12g}]" if np.isfinite(self.high) else "inf)"
        return f"{left}, {right}" + (f" {self.unit}" if self.unit else "")

    def problem(self, value: Any) -> str | None:
        # float() would take all of these, and with them a column that is not what its author meant.
        if isinstance(value, (bool, np.bool_, str, bytes)) or np.iscomplexobj(value):
            return "is not a number"
        try:
            number = float(value)
        except OverflowError:
            return "is out of range"
        except (TypeError, ValueError):
            return "is not a number"
        if np.isnan(number):
            return "is NaN"
        if np.isinf(number):  # which an unbounded range would let through
            return "is infinite"
        if not self.low <= number <= self.high:
            return "is out of range"
        return None

    def _own_dict(self) -> dict[str, Any]:
        out: dict[str, Any] = {"low": self.low, "high": self.high}
        if self.log:
            out["log"] = True
        return out


@dataclass(frozen=True)
class Real(Numeric):
    """A real number between `low` and `high`, both included.

    Parameters
    ----------
    low, high : float
        Bounds, in `unit`.
    log : bool
        Uniform in the logarithm instead of in the value; needs ``low > 0``.
    unit : str
        Unit of measurement, shown in plots and reports.
    role : {"uncertainty", "lever", "constant"}
        What the parameter is to the analyst.
    description : str
        One line on what it means.

    Examples
    --------
    >>> Real(-4, 12, unit="deg").from_unit([0.0, 0.5, 1.0])
    array([-4.,  4., 12.])
    >>> Real(0.01, 100, log=True).from_unit(0.5).round(12).item()
    1.0
    """

    kind: ClassVar[str] = "real"
    dtype: ClassVar[Any] = np.float64

    distribution: Any = field(default=None, kw_only=True, compare=False, repr=False)
    # The distribution as plain data, for equality, hashing, JSON and repr: frozen distributions know only identity.
    _distribution_key: str = field(default="", init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "low", float(self.low))
        object.__setattr__(self, "high", float(self.high))
        if self.distribution is None:
            if not (np.isfinite(self.low) and np.isfinite(self.high)):
                raise ValueError(
                    f"bounds must be finite, got low={self.low}, high={self.high}; "
                    "for an unbounded parameter use Real.distributed(...)"
                )
            if not np.isfinite(self.high - self.low):
                raise ValueError(f"bounds are too far apart for a float, got low={self.low}, high={self.high}")
        else:
            if self.log:
                raise ValueError("a distribution has a scale of its own; leave out log")
            support = tuple(float(end) for end in self.distribution.support())
            if (self.low, self.high) != support:
                raise ValueError(
                    f"low and high must be the distribution's support {support}, got {(self.low, self.high)}; "
                    "use Real.distributed(...)"
                )
            key = json.dumps(distribution_to_dict(self.distribution), sort_keys=True)
            object.__setattr__(self, "_distribution_key", key)

    @classmethod
    def distributed(
        cls, distribution: Any, *, unit: str = "", role: Role = "uncertainty", description: str = ""
    ) -> Real:
        """A real number that follows a frozen SciPy distribution.

        Parameters
        ----------
        distribution : scipy.stats frozen continuous distribution
            E.g. ``scipy.stats.norm(0, 1)``. Its support gives `low` and `high`.

        Raises
        ------
        TypeError
            If `distribution` is not a frozen continuous distribution of ``scipy.stats``.

        Examples
        --------
        >>> gust = Real.distributed(scipy.stats.norm(0, 2), unit="m/s")
        >>> gust.low, gust.from_unit(0.5).item()
        (-inf, 0.0)
        """
        distribution_to_dict(distribution)
        low, high = distribution.support()
        if np.isnan(low) or np.isnan(high):
            raise ValueError(f"shapes or scale are not allowed: {distribution_to_dict(distribution)}")
        return cls(float(low), float(high), unit=unit, role=role, description=description, distribution=distribution)

    def from_unit(self, u: ArrayLike) -> FloatArray:
        u = np.asarray(u, dtype=float)
        if self.distribution is not None:
            # A scrambled Sobol point may be exactly 0, whose quantile is infinite for an unbounded distribution.
            safe = np.clip(u, 2.0**-53, 1 - 2.0**-53)
            # Clipped, since a quantile function may miss its own support by a rounding error.
            return np.asarray(np.clip(self.distribution.ppf(safe), self.low, self.high), dtype=float)
        if self.log:
            low, high = np.log(self.low), np.log(self.high)
            return np.asarray(np.clip(np.exp(low + u * (high - low)), self.low, self.high))
        return np.asarray(np.clip(self.low + u * (self.high - self.low), self.low, self.high))

    def to_unit(self, values: ArrayLike) -> FloatArray:
        x = np.asarray(values, dtype=float)
        if self.distribution is not None:
            return np.asarray(self.distribution.cdf(x), dtype=float)
        if self.log:
            # Not the logarithm of a ratio: high / low may overflow.
            low, high = np.log(self.low), np.log(self.high)
            return np.asarray((np.log(x) - low) / (high - low))
        return np.asarray((x - self.low) / (self.high - self.low))

    @property
    def allowed(self) -> str:
        return super().allowed + (" (log scale)" if self.log else "")

    def _own_dict(self) -> dict[str, Any]:
        if self.distribution is not None:
            return {"distribution": json.loads(self._distribution_key)}
        return super()._own_dict()


@dataclass(frozen=True)
class Integer(Numeric):
    """A whole number from `low` to `high`, both included and, on a linear scale, equally likely.

    Parameters
    ----------
    low, high : int
    log : bool
        Small numbers are likelier: uniform in the logarithm of the cells [k - 1/2, k + 1/2]; needs ``low > 0``.

    Examples
    --------
    >>> Integer(1, 4).from_unit([0.0, 0.3, 1.0])
    array([1, 2, 4])
    """

    kind: ClassVar[str] = "integer"
    dtype: ClassVar[Any] = np.int64

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("low", "high"):
            value = getattr(self, name)
            if abs(value) > LARGEST_INTEGER:
                raise ValueError(f"{name} must lie within ±2**40, got {value}")
            if value != int(value):
                raise ValueError(f"{name} must be a whole number, got {value}")
            object.__setattr__(self, name, int(value))

    def _edges(self) -> tuple[float, float]:
        low, high = self.low - 0.5, self.high + 0.5
        return (float(np.log(low)), float(np.log(high))) if self.log else (low, high)

    def from_unit(self, u: ArrayLike) -> NDArray[np.int64]:
        low, high = self._edges()
        position = low + np.asarray(u, dtype=float) * (high - low)
        if self.log:
            position = np.exp(position)
        # Half up, not half to even: every cell is closed on the left.
        return np.clip(np.floor(position + 0.5), self.low, self.high).astype(np.int64)

    def to_unit(self, values: ArrayLike) -> FloatArray:
        low, high = self._edges()
        x = np.asarray(values, dtype=float)
        return np.asarray(((np.log(x) if self.log else x) - low) / (high - low))

    @property
    def allowed(self) -> str:
        return f"whole numbers {self.low} to {self.high}" + (f" {self.unit}" if self.unit else "")

    def problem(self, value: Any) -> str | None:
        found = super().problem(value)
        if found is None and float(value) != int(float(value)):
            return "is not a whole number"
        return found


@dataclass(frozen=True)
class Finite(Parameter):
    """One of a few values, equally likely."""

    values: tuple[Any, ...]
    dtype: ClassVar[Any] = object

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.values, (list, tuple)):
            raise TypeError(f"values must be a list, got {self.values!r}")
        values = tuple(value.item() if isinstance(value, np.generic) else value for value in self.values)
        if len(values) < 2:
            raise ValueError(f"at least two values are needed, got {list(values)}")
        wrong = [value for value in values if not isinstance(value, (str, int, float, bool))]
        if wrong:
            raise TypeError(f"values must be text, numbers or booleans, got {wrong[0]!r}")
        infinite = [value for value in values if isinstance(value, float) and not np.isfinite(value)]
        if infinite:
            raise ValueError(f"values must be finite, got {infinite[0]!r}")
        if len(set(values)) != len(values):
            raise ValueError(f"values must differ from each other, got {list(values)}")
        object.__setattr__(self, "values", values)

    def codes(self, values: ArrayLike) -> NDArray[np.int64]:
        """Position of each value in the list; ``KeyError`` for a foreign one."""
        position = {value: code for code, value in enumerate(self.values)}
        return np.array([position[value] for value in np.asarray(values, dtype=object).ravel()], dtype=np.int64)

    def from_unit(self, u: ArrayLike) -> NDArray[Any]:
        k = len(self.values)
        return self.decode(np.minimum((np.asarray(u, dtype=float) * k).astype(np.int64), k - 1))

    def decode(self, codes: NDArray[np.int64]) -> NDArray[Any]:
        """The values at positions in the list, as the inverse of :meth:`codes`."""
        # Numbers and booleans of one type get that type, whichever of them occur; everything else stays as it is.
        types = {type(value) for value in self.values}
        table = np.empty(len(self.values), dtype=object)
        table[:] = self.values
        return np.asarray((np.array(self.values) if types in ({bool}, {int}, {float}) else table)[codes])

    def to_unit(self, values: ArrayLike) -> FloatArray:
        return np.asarray((self.codes(values) + 0.5) / len(self.values))

    @property
    def allowed(self) -> str:
        return "one of " + ", ".join(map(repr, self.values))

    def problem(self, value: Any) -> str | None:
        if isinstance(value, (float, np.floating)) and np.isnan(value):
            return "is NaN"
        try:
            hash(value)  # an array is no value, and would be compared element by element
            return None if value in self.values else "is not allowed"
        except TypeError:
            return "is not allowed"

    def _own_dict(self) -> dict[str, Any]:
        return {"values": list(self.values)}


@dataclass(frozen=True)
class Ordinal(Finite):
    """One of a few ordered levels, equally likely.

    Parameters
    ----------
    values : sequence of str, int, float or bool
        The levels, from lowest to highest.

    Examples
    --------
    >>> Ordinal(["low", "mid", "high"]).to_unit(["mid"])
    array([0.5])
    """

    kind: ClassVar[str] = "ordinal"


@dataclass(frozen=True)
class Categorical(Finite):
    """One of a few values without an order, equally likely.

    Parameters
    ----------
    values : sequence of str, int, float or bool

    Examples
    --------
    >>> Categorical(["clean", "flap"]).from_unit([0.2, 0.9]).tolist()
    ['clean', 'flap']
    """

    kind: ClassVar[str] = "categorical"


PARAMETER_TYPES: dict[str, type[Parameter]] = {cls.kind: cls for cls in (Real, Integer, Ordinal, Categorical)}


def plain(value: Any) -> Any:
    """A NumPy scalar, or those in a tuple, as Python's own, which are shorter to read."""
    if isinstance(value, tuple):
        return tuple(map(plain, value))
    return value.item() if isinstance(value, np.generic) else value


def distribution_to_dict(distribution: Any) -> dict[str, Any]:
    frozen: Any = getattr(distribution, "dist", None)
    if not isinstance(frozen, scipy.stats.rv_continuous):
        raise TypeError(
            f"distribution must be a frozen continuous scipy.stats distribution such as scipy.stats.norm(0, 1), "
            f"got {distribution!r}"
        )
    name = str(frozen.name)
    # By type, since anyone may call a distribution of their own "norm".
    if type(getattr(scipy.stats, name, None)) is not type(cast(object, frozen)):
        raise TypeError(f"distribution {name!r} is not one of scipy.stats and could not be stored with the runs")
    shapes, loc, scale = cast(Any, frozen)._parse_args(*distribution.args, **distribution.kwds)
    args = (*shapes, loc, scale)
    if any(np.ndim(a) for a in args):
        raise TypeError(f"distribution {name!r} must be of one number, got arguments {args}")
    return {"name": name, "args": [float(a) for a in args]}


def parameter_from_dict(name: str, entry: Mapping[str, Any]) -> Parameter:
    if not isinstance(entry, Mapping):
        raise ValueError(f"parameter {name!r}: must be described by a mapping, got {entry!r}")
    data = dict(entry)
    kind = data.pop("type", None)
    if not isinstance(kind, str) or kind not in PARAMETER_TYPES:
        raise ValueError(f"parameter {name!r}: unknown type {kind!r}; {did_you_mean(str(kind), PARAMETER_TYPES)}")
    try:
        if kind == Real.kind and "distribution" in data:
            described = data.pop("distribution")
            return Real.distributed(_distribution_from_dict(described), **data)
        return PARAMETER_TYPES[kind](**data)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise ValueError(f"parameter {name!r}: {error}") from error


def _distribution_from_dict(described: Mapping[str, Any]) -> Any:
    name = described["name"]
    family = getattr(scipy.stats, name, None)
    # Nothing else of scipy.stats may be called by a name out of a file.
    if not isinstance(family, scipy.stats.rv_continuous):
        known = [word for word in dir(scipy.stats) if isinstance(getattr(scipy.stats, word), scipy.stats.rv_continuous)]
        raise ValueError(f"scipy.stats has no continuous distribution {name!r}; {did_you_mean(name, known)}")
    return cast(Any, family)(*described["args"])
