"""A fitted estimator's attributes as arrays and JSON-ready facts, and back."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from surrogate.conditions import Condition
from surrogate.emulators.saving import SAVED, Saved
from surrogate.space import Parameter, Space

__all__ = ["Stateful", "decoded", "encoded"]

Arrays = dict[str, NDArray[Any]]

# Plain data of this package that fitted estimators hold; by name, since a file may name nothing else.
_PACKAGE = "surrogate.emulators"
RECORDS = {
    "Contrasts": f"{_PACKAGE}.orthogonal",
    "Polynomials": f"{_PACKAGE}.orthogonal",
    "Inputs": f"{_PACKAGE}.gp.inputs",
    "Scaled": f"{_PACKAGE}.tables",
    "Solved": f"{_PACKAGE}.radial_basis",
    "TrendedProcess": f"{_PACKAGE}.trended",
    "Components": f"{_PACKAGE}.functional",
    "Calibrated": f"{_PACKAGE}.classifier",
}


class Stateful(Saved):
    """Gives an estimator ``save`` and the rest of the contract of saving: its attributes are its state.

    Attributes may be numbers, text, arrays, tables, lists, dictionaries with names as keys, a space, estimators that
    can be saved, and the records named in ``RECORDS``.
    """

    def get_state(self) -> tuple[Arrays, dict[str, Any]]:
        """Everything a prediction needs, as arrays and JSON-ready facts; see :func:`surrogate.load_emulator`."""
        check_is_fitted(self)
        parameters = self.get_params(deep=False)  # type: ignore[attr-defined]
        # A generator has been used; its state is of no use to predictions.
        parameters = {name: None if isinstance(v, np.random.Generator) else v for name, v in parameters.items()}
        learnt = {name: value for name, value in vars(self).items() if name not in parameters}
        arrays: Arrays = {}
        facts = {
            "parameters": encoded(parameters, arrays, "parameters"),
            "learnt": encoded(learnt, arrays, "learnt"),
        }
        return arrays, facts

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """The fitted estimator again."""
        made = cls(**decoded(facts["parameters"], arrays))
        for name, value in decoded(facts["learnt"], arrays).items():
            setattr(made, name, value)
        return made


def encoded(value: Any, arrays: Arrays, where: str) -> Any:
    """JSON-ready form of a value; its arrays go into `arrays` under names that begin with `where`.

    Raises
    ------
    TypeError
        If a value of that type cannot be saved.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        # JSON knows no NaN and no infinity.
        return float(value) if np.isfinite(value) else {"number": repr(float(value))}
    if isinstance(value, np.bool_):
        return bool(value)
    for kind, (accepts, write, _) in FORMS.items():
        if accepts(value):
            return {kind: write(value, arrays, where)}
    why = ""
    if isinstance(value, BaseEstimator):
        why = "; only emulators of this package can be saved without pickle, and what is built around them"
    raise TypeError(f"a {type(value).__name__} cannot be saved (at {where}){why}")


def decoded(value: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    """The value that :func:`encoded` wrote."""
    if not isinstance(value, Mapping):
        return value
    ((kind, content),) = value.items()
    if kind == "number":
        return float(content)
    if kind not in FORMS:
        raise ValueError(f"unknown kind of value {kind!r}")
    return FORMS[kind][2](content, arrays)


def _write_array(value: NDArray[Any], arrays: Arrays, where: str) -> Any:
    if value.dtype == object:
        return {"objects": [encoded(item, arrays, f"{where}/{i}") for i, item in enumerate(value.tolist())]}
    arrays[where] = value
    return where


def _read_array(content: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if isinstance(content, str):
        return arrays[content]
    items = [decoded(item, arrays) for item in content["objects"]]
    out = np.empty(len(items), dtype=object)
    out[:] = items
    return out


def _write_items(value: Any, arrays: Arrays, where: str) -> list[Any]:
    return [encoded(item, arrays, f"{where}/{i}") for i, item in enumerate(value)]


def _read_items(content: Any, arrays: Mapping[str, NDArray[Any]]) -> list[Any]:
    return [decoded(item, arrays) for item in content]


def _write_frame(value: pd.DataFrame, arrays: Arrays, where: str) -> dict[str, Any]:
    columns = {str(name): value[name].to_numpy() for name in value.columns}
    return {
        "index": encoded(value.index.to_numpy(), arrays, f"{where}/index"),
        "index_name": value.index.name,
        "columns": encoded(columns, arrays, where),
    }


def _read_frame(content: Any, arrays: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    index = pd.Index(decoded(content["index"], arrays), name=content["index_name"])
    return pd.DataFrame(decoded(content["columns"], arrays), index=index)


def _write_estimator(value: Any, arrays: Arrays, where: str) -> dict[str, Any]:
    name = type(value).__name__
    fitted = any(key.endswith("_") and not key.startswith("_") for key in vars(value))
    if not fitted:
        return {"class": name, "parameters": encoded(value.get_params(deep=False), arrays, where)}
    own, facts = value.get_state()
    arrays |= {f"{where}/{key}": array for key, array in own.items()}
    return {"class": name, "facts": facts, "at": where}


def _read_estimator(content: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if content["class"] not in SAVED:
        raise ValueError(f"unknown class {content['class']!r}")
    module, name = SAVED[content["class"]].split(":")
    made = getattr(importlib.import_module(module), name)
    if "parameters" in content:
        return made(**decoded(content["parameters"], arrays))
    lead = f"{content['at']}/"
    own = {key.removeprefix(lead): array for key, array in arrays.items() if key.startswith(lead)}
    return made.from_state(own, content["facts"])


def _write_record(value: Any, arrays: Arrays, where: str) -> dict[str, Any]:
    name = type(value).__name__
    if hasattr(value, "get_state"):
        own, facts = value.get_state()
        arrays |= {f"{where}/{key}": array for key, array in own.items()}
        return {"class": name, "facts": facts, "at": where}
    content = {field.name: getattr(value, field.name) for field in fields(value)}
    return {"class": name, "fields": encoded(content, arrays, where)}


def _read_record(content: Any, arrays: Mapping[str, NDArray[Any]]) -> Any:
    if content["class"] not in RECORDS:
        raise ValueError(f"unknown record {content['class']!r}")
    made = getattr(importlib.import_module(RECORDS[content["class"]]), content["class"])
    if "fields" in content:
        return made(**decoded(content["fields"], arrays))
    lead = f"{content['at']}/"
    own = {key.removeprefix(lead): array for key, array in arrays.items() if key.startswith(lead)}
    return made.from_state(own, content["facts"])


def _write_map(value: Any, arrays: Arrays, where: str) -> dict[str, Any]:
    return {str(key): encoded(item, arrays, f"{where}/{key}") for key, item in value.items()}


def _read_map(content: Any, arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    return {key: decoded(item, arrays) for key, item in content.items()}


Form = tuple[Callable[[Any], bool], Callable[[Any, Arrays, str], Any], Callable[[Any, Any], Any]]

# How values of each kind are told, written and read. The first that accepts a value writes it.
FORMS: dict[str, Form] = {
    "array": (lambda v: isinstance(v, np.ndarray), _write_array, _read_array),
    "table": (lambda v: isinstance(v, pd.DataFrame), _write_frame, _read_frame),
    "series": (
        lambda v: isinstance(v, pd.Series),
        lambda v, arrays, where: _write_frame(v.to_frame(), arrays, where),
        lambda content, arrays: _read_frame(content, arrays).iloc[:, 0],
    ),
    "space": (lambda v: isinstance(v, Space), lambda v, *_: v.to_json(), lambda content, _: Space.from_json(content)),
    "parameter": (
        lambda v: isinstance(v, Parameter),
        lambda v, *_: v.to_dict(),
        lambda content, _: Space.from_dict({"it": content})["it"],
    ),
    "condition": (
        lambda v: isinstance(v, Condition),
        lambda v, *_: [v.name, v.operator, v.value],
        lambda content, _: Condition(*content),
    ),
    "estimator": (lambda v: type(v).__name__ in SAVED, _write_estimator, _read_estimator),
    "record": (lambda v: is_dataclass(v) and type(v).__name__ in RECORDS, _write_record, _read_record),
    "tuple": (
        lambda v: isinstance(v, tuple),
        _write_items,
        lambda content, arrays: tuple(_read_items(content, arrays)),
    ),
    "list": (lambda v: isinstance(v, list), _write_items, _read_items),
    "map": (lambda v: isinstance(v, Mapping), _write_map, _read_map),
}
