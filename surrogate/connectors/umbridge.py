"""Models behind a server that speaks UM-Bridge, and what client and server have in common.

UM-Bridge [1]_ is a protocol for models behind HTTP: a model maps a list of vectors, and a JSON object of settings, onto
a list of vectors.

.. [1] L. Seelinger et al., "UM-Bridge: uncertainty quantification and modeling bridge", Journal of Open Source Software
   8(83), 4748, 2023; protocol 1.0.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from itertools import chain, islice
from typing import Any

from surrogate.connectors.answer import PartialAnswer, gather, plain_inputs
from surrogate.errors import SimulatorError, did_you_mean
from surrogate.outputs import Output, Series
from surrogate.space import Integer, Ordinal, Parameter, Real, Space

__all__ = ["PROTOCOL_VERSION", "UMBridgeSimulator", "is_number", "length"]

PROTOCOL_VERSION = 1.0

# How much of an answer that cannot be understood an error shows.
MAX_SHOWN = 300


class UMBridgeSimulator:
    """A model behind a UM-Bridge server.

    Parameters
    ----------
    url : str
        E.g. ``"http://127.0.0.1:4242"``.
    model : str
        The model's name on the server.
    space : Space
        Parameters that are numbers are sent in the model's input vectors, the others in its configuration, by name.
    outputs : sequence of str, Output or Series
        What the numbers of the model's output vectors are, in order; a series takes as many as it has places.
    inputs : sequence of sequences of str, optional
        The parameters in each input vector. By default all that are numbers, in the order of the space, filled into
        vectors of the sizes that the server tells. Those in no vector are sent in the configuration.
    config : mapping, optional
        The rest of the configuration, JSON-ready.
    stochastic : bool
        Whether the model takes a seed, in the configuration under that name.
    name : str, optional
        By default the model's.
    version : str, optional
        By default a hash of model, inputs and configuration. The protocol tells no version of the model itself: give
        one that you raise when its answers change.

    Notes
    -----
    Nothing is asked of the server before the first run. It is asked directly, past any proxy. There is no time limit
    but that of :func:`surrogate.run`; a server goes on with an evaluation that nobody waits for.

    Gradients and other derivatives of the protocol are not used.

    Examples
    --------
    >>> from surrogate.connectors.umbridge_server import UMBridgeServer
    >>> from surrogate.loading import load_simulator
    >>> borehole = load_simulator("borehole")
    >>> with UMBridgeServer(borehole, port=0) as server:
    ...     remote = UMBridgeSimulator(server.url, "borehole", space=borehole.space, outputs=borehole.outputs)
    ...     point = borehole.space.from_unit([[0.5] * 8]).iloc[0].to_dict()
    ...     remote(**point) == borehole(**point)
    True
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        space: Space,
        outputs: Sequence[str],
        inputs: Sequence[Sequence[str]] | None = None,
        config: Mapping[str, Any] | None = None,
        stochastic: bool = False,
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"url must look like 'http://127.0.0.1:4242', got {url!r}")
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, got {space!r}")
        if isinstance(outputs, str) or not outputs:
            raise ValueError(f"outputs must list at least one output, got {outputs!r}")
        self.url = url.rstrip("/")
        self.model = model
        self.space = space
        self.outputs = tuple(out if isinstance(out, Output) else Output(out) for out in outputs)
        if len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"outputs must differ from each other, got {list(self.outputs)}")
        self.inputs = None if inputs is None else tuple(tuple(block) for block in inputs)
        self.config = dict(config or {})
        self.stochastic = stochastic
        self._vector = self._checked_vector()
        self._in_config = tuple(n for n in self.space if n not in self._vector) + (("seed",) if stochastic else ())
        twice = [key for key in self.config if key in self._in_config]
        if twice:
            raise ValueError(f"{twice[0]!r} is set in config and varied by a parameter; leave it out of one of them")
        self.name = name or model
        asked = json.dumps([model, self.inputs, self._vector, self._in_config, self.config], sort_keys=True)
        self.version = hashlib.sha256(asked.encode()).hexdigest()[:12] if version is None else str(version)
        self._sizes_by_config: dict[str, tuple[list[int], list[int]]] = {}

    def __repr__(self) -> str:
        return f"<simulator {self.name!r} at {self.url}: {', '.join(self.space)} -> {', '.join(self.outputs)}>"

    def _checked_vector(self) -> tuple[str, ...]:
        if self.inputs is None:
            return tuple(name for name, parameter in self.space.items() if is_number(parameter))
        names = tuple(chain.from_iterable(self.inputs))
        for name in names:
            if name not in self.space:
                raise ValueError(f"inputs: no parameter {name!r}; {did_you_mean(name, self.space)}")
            if not is_number(self.space[name]):
                raise ValueError(f"inputs: parameter {name!r} is no number; left out, it is sent in the configuration")
        if len(set(names)) != len(names):
            raise ValueError(f"inputs: a parameter stands in two places, got {list(map(list, self.inputs))}")
        return names

    def __call__(self, **inputs: Any) -> Mapping[str, Any]:
        """Evaluate the model once.

        Raises
        ------
        SimulatorError
            If no server answers, or with an error, which is told with its type and text.
        """
        values = plain_inputs((*self.space, "seed") if self.stochastic else self.space.names, inputs, self.name)
        config = self.config | {name: values[name] for name in self._in_config}
        input_sizes, output_sizes = self._sizes(config)
        numbers = iter([float(values[name]) for name in self._vector])
        asked = {"name": self.model, "input": [list(islice(numbers, n)) for n in input_sizes], "config": config}
        try:
            told = self._ask("Evaluate", asked).get("output")
        except _InvalidOutput as error:
            return PartialAnswer({}, str(error))
        if not isinstance(told, list) or [_length(block) for block in told] != output_sizes:
            return PartialAnswer({}, f"{self._called} declares outputs of sizes {output_sizes}, it gave {told!r:.200}")
        flat = iter(list(chain.from_iterable(told)))
        parts = {out: list(islice(flat, length(out))) for out in self.outputs}
        read = gather(self.outputs, lambda out: parts[out] if isinstance(out, Series) else parts[out][0])
        answer, reasons = read
        return PartialAnswer(answer, "; ".join(reasons)) if reasons else answer

    @property
    def _called(self) -> str:
        return f"model {self.model!r} at {self.url}"

    def _sizes(self, config: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """Sizes of the model's vectors under a configuration, once it is known that they fit space and outputs."""
        # The sizes may depend on the configuration, but hardly on the seed.
        key = json.dumps({k: v for k, v in config.items() if k != "seed" or not self.stochastic}, sort_keys=True)
        if key not in self._sizes_by_config:
            if not self._sizes_by_config:
                self._check_server()
            asked = {"name": self.model, "config": config}
            into = list(self._ask("InputSizes", asked)["inputSizes"])
            out = list(self._ask("OutputSizes", asked)["outputSizes"])
            ours = [len(block) for block in self.inputs] if self.inputs is not None else None
            if (ours is not None and ours != into) or sum(into) != len(self._vector):
                raise SimulatorError(
                    f"{self._called} takes vectors of sizes {into}, but inputs are "
                    f"{list(map(list, self.inputs)) if self.inputs is not None else list(self._vector)}"
                )
            if sum(out) != sum(map(length, self.outputs)):
                raise SimulatorError(
                    f"{self._called} gives vectors of sizes {out}, {sum(out)} numbers in all, but outputs are "
                    f"{', '.join(f'{o} ({length(o)})' for o in self.outputs)}"
                )
            self._sizes_by_config[key] = into, out
        return self._sizes_by_config[key]

    def _check_server(self) -> None:
        info = self._ask("Info")
        if info.get("protocolVersion") != PROTOCOL_VERSION:
            raise SimulatorError(
                f"{self.url} speaks version {info.get('protocolVersion')!r} of UM-Bridge, this is {PROTOCOL_VERSION}"
            )
        models = info.get("models", [])
        if self.model not in models:
            raise SimulatorError(f"{self.url} has no model {self.model!r}; {did_you_mean(self.model, models)}")
        if not self._ask("ModelInfo", {"name": self.model}).get("support", {}).get("Evaluate"):
            raise SimulatorError(f"{self._called} does not support evaluation")

    def _ask(self, what: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        parts = urllib.parse.urlsplit(self.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        connection = kind(parts.hostname or "", parts.port)
        content = None if body is None else json.dumps(body)
        try:
            connection.request(
                "GET" if body is None else "POST",
                f"{parts.path}/{what}",
                content,
                {} if body is None else {"Content-Type": "application/json"},
            )
            response = connection.getresponse()
            status, text = response.status, response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise SimulatorError(f"no answer from {self.url}/{what}: {type(error).__name__}: {error}") from None
        finally:
            connection.close()
        told = _loads(text)
        if not isinstance(told, dict):
            raise SimulatorError(
                f"{self.url}/{what} answered HTTP {status} and no UM-Bridge message, the reason may be in the server's "
                f"own log: {text.strip()[:MAX_SHOWN]!r}"
            )
        if "error" in told:
            refusal = told["error"] if isinstance(told["error"], dict) else {"message": told["error"]}
            kind, message = refusal.get("type", "error"), refusal.get("message", "")
            raise (_InvalidOutput if kind == "InvalidOutput" else SimulatorError)(f"{self._called}: {kind}: {message}")
        if status != 200:
            raise SimulatorError(f"{self.url}/{what} answered HTTP {status}: {text.strip()[:MAX_SHOWN]!r}")
        return told


class _InvalidOutput(SimulatorError):
    """The model answered, but not what it should."""


def is_number(parameter: Parameter) -> bool:
    """Whether a parameter's values can stand in a vector; the others travel in the configuration."""
    if isinstance(parameter, Ordinal):
        return not any(isinstance(value, (str, bool)) for value in parameter.values)
    return isinstance(parameter, (Real, Integer))


def length(output: Output) -> int:
    """How many numbers an output is."""
    return len(output.at) if isinstance(output, Series) else 1


def _length(block: Any) -> int | None:
    return len(block) if isinstance(block, list) else None


def _loads(text: str) -> Any:
    """JSON, or what servers send for it that write Python's nan and inf; None if it is neither."""
    for attempt in (
        text,
        re.sub(r"(?<![\w\"])(nan|inf)(?!\w)", lambda m: {"nan": "NaN", "inf": "Infinity"}[m[0]], text),
    ):
        try:
            return json.loads(attempt)
        except json.JSONDecodeError:
            continue
    return None
