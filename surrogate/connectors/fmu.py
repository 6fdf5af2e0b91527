"""Models in the format of the Functional Mock-up Interface, run by FMPy."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import tempfile
import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from surrogate.connectors.answer import PartialAnswer, gather, interpolate, plain_inputs
from surrogate.errors import SimulatorError, did_you_mean
from surrogate.outputs import Output, Series
from surrogate.space import Real, Space

__all__ = ["FMUSimulator"]

# Of what the model logs, this many messages, the last ones, go into an error.
MAX_MESSAGES = 10

# FMI's status of an instance that must not be called any more, not even to be freed.
FATAL = 4

# FMUs are compiled code, few of which bear two simulations at a time in one process.
_one_at_a_time = threading.Lock()


class FMUSimulator:
    """A functional mock-up unit (FMI 1, 2 or 3; co-simulation or model exchange) as a simulator.

    Needs FMPy: ``pip install 'surrogate-learn[fmu]'``.

    Parameters
    ----------
    path : str or Path
        The ``.fmu`` file.
    space : Space
        Start values to vary: parameters of the model, or inputs, which are held constant.
    outputs : mapping of output to variable, or sequence of outputs
        The model's variables, by default those of the outputs' own names. A :class:`Series` is the variable at the
        times ``at``; a scalar is its value at the end. Units are taken from the model where none are given.
    inputs : mapping of parameter to variable, optional
        For parameters that are not called like the model's variables.
    start_values : mapping of variable to value, optional
        Other start values.
    start_time, stop_time : float, optional
        By default the model's own experiment; without one, 0 and the last time of a series.
    fmi_type : {"CoSimulation", "ModelExchange"}, optional
        By default co-simulation if the model has it.
    solver : {"CVode", "Euler"}
        For model exchange.
    step_size : float, optional
        Of the Euler solver.
    relative_tolerance : float, optional
    output_interval : float, optional
        Between recorded points, and the step of co-simulation. Series at other times are interpolated: linearly, or,
        where the variable is discrete, by its last value.
    validate : bool
        Whether to refuse a model whose description breaks the standard.
    name : str, optional
        By default the model's.
    version : str, optional
        By default a hash of the file and of the settings.

    Raises
    ------
    ImportError
        If FMPy is not installed.
    ValueError
        If the file is no FMU, a variable is not in it or cannot take the parameter's values, or times do not fit.

    Examples
    --------
    >>> height = Series("h", at=[0.0, 1.0, 2.0], coordinate="time", coordinate_unit="s")
    >>> ball = FMUSimulator("ball.fmu", space=Space(e=Real(0.5, 0.9)), outputs=[height])  # doctest: +SKIP
    """

    def __init__(
        self,
        path: str | Path,
        *,
        space: Space,
        outputs: Mapping[str, str] | Sequence[str],
        inputs: Mapping[str, str] | None = None,
        start_values: Mapping[str, Any] | None = None,
        start_time: float | None = None,
        stop_time: float | None = None,
        fmi_type: str | None = None,
        solver: str = "CVode",
        step_size: float | None = None,
        relative_tolerance: float | None = None,
        output_interval: float | None = None,
        validate: bool = True,
        name: str | None = None,
        version: str | None = None,
    ) -> None:
        if not isinstance(space, Space):
            raise TypeError(f"space must be a Space, got {space!r}")
        if isinstance(outputs, str) or not outputs:
            raise ValueError(f"outputs must list at least one output, got {outputs!r}")
        if solver not in ("CVode", "Euler"):
            raise ValueError(f"solver must be 'CVode' or 'Euler', got {solver!r}")
        self.path = Path(path).absolute()
        self.space = space
        self.start_values = dict(start_values or {})
        self.validate = validate
        self._unzipped = ""
        self._description: Any = self._read_description()
        model = {variable.name: variable for variable in self._description.modelVariables}

        unknown = [parameter for parameter in inputs or {} if parameter not in space]
        if unknown:
            raise ValueError(f"inputs: no parameter {unknown[0]!r}; {did_you_mean(unknown[0], space)}")
        self.inputs = {parameter: (inputs or {}).get(parameter, parameter) for parameter in space}
        for parameter, variable in self.inputs.items():
            _check_input(parameter, space[parameter], variable, model)
        for variable in self.start_values:
            _find(variable, model, "start_values")
        twice = [variable for variable in self.inputs.values() if variable in self.start_values]
        if twice:
            raise ValueError(f"start_values: {twice[0]!r} is varied by a parameter")

        pairs = outputs.items() if isinstance(outputs, Mapping) else [(out, str(out)) for out in outputs]
        self.variables: dict[Output, str] = {}
        for out, variable in pairs:
            found = _find(variable, model, f"output {str(out)!r}")
            if found.shape or found.type == "String":
                raise ValueError(f"output {str(out)!r}: variable {variable!r} is no single number")
            told = {"unit": found.unit or "", "description": found.description or ""}
            self.variables[out if isinstance(out, Output) else Output(out, **told)] = variable
        self.outputs = tuple(self.variables)
        if len(self.outputs) < len(pairs):
            raise ValueError(f"outputs must differ from each other, got {[str(out) for out, _ in pairs]}")
        self._stepwise = {v for v in self.variables.values() if _is_stepwise(model[v])}

        kinds = {"CoSimulation": self._description.coSimulation, "ModelExchange": self._description.modelExchange}
        has = [kind for kind, there in kinds.items() if there is not None]
        if fmi_type is not None and fmi_type not in has:
            raise ValueError(f"fmi_type: {self.path.name} is made for {' and '.join(has)}, got {fmi_type!r}")
        self.options = {
            "fmi_type": fmi_type or has[0],
            "solver": solver,
            "step_size": step_size,
            "relative_tolerance": relative_tolerance,
            "output_interval": output_interval,
        }
        self.start_time, self.stop_time = self._times(start_time, stop_time)
        self.name = name or self._description.modelName
        self.version = self._hash() if version is None else str(version)

    def __repr__(self) -> str:
        return f"<simulator {self.name!r} version {self.version}: {', '.join(self.space)} -> {', '.join(self.outputs)}>"

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_description": None}

    def __call__(self, **inputs: Any) -> Mapping[str, Any]:
        """Simulate the model once.

        Raises
        ------
        SimulatorError
            If the model stops with an error or before the end; with what it logged last.
        """
        values = plain_inputs(self.space.names, inputs, self.name)
        start_values = self.start_values | {self.inputs[name]: value for name, value in values.items()}
        with _one_at_a_time:
            result = self._simulate(start_values)
        time = result["time"]
        slack = 1e-9 * max(abs(self.stop_time), self.stop_time - self.start_time)
        if time[-1] < self.stop_time - slack:
            raise SimulatorError(
                f"{self.name} ended at time {time[-1]:g}, before the stop time {self.stop_time:g}: either the model "
                "ended the simulation, or output_interval does not divide the time and the model's steps must be equal"
            )

        def read(out: Output) -> Any:
            variable = self.variables[out]
            if not isinstance(out, Series):
                return result[variable][-1]
            return interpolate(time, result[variable], out, steps=variable in self._stepwise)

        answer, reasons = gather(self.outputs, read)
        return PartialAnswer(answer, "; ".join(reasons)) if reasons else answer

    def _simulate(self, start_values: Mapping[str, Any]) -> Any:
        fmpy = _import_fmpy()
        if self._description is None:
            self._description = self._read_description()
        messages: list[str] = []

        def log(*arguments: Any) -> None:
            text = arguments[-1]
            messages.append(text.decode(errors="replace") if isinstance(text, bytes) else str(text))

        fmu, fatal = None, False
        try:
            fmu = fmpy.instantiate_fmu(
                self._folder(), self._description, self.options["fmi_type"], logger=log, require_functions=self.validate
            )
            return fmpy.simulate_fmu(
                self._folder(),
                validate=self.validate,
                start_time=self.start_time,
                stop_time=self.stop_time,
                start_values=dict(start_values),
                output=list(self.variables.values()),
                model_description=self._description,
                fmu_instance=fmu,
                **self.options,
            )
        except Exception as error:
            fatal = getattr(error, "status", None) == FATAL
            told = "".join(f"\n{message.strip()}" for message in messages[-MAX_MESSAGES:])
            raise SimulatorError(f"{self.name}: {error}" + (f"\nthe model logged:{told}" if told else "")) from None
        finally:
            if fmu is not None and not fatal:
                with contextlib.suppress(Exception):
                    fmu.freeInstance()

    def _folder(self) -> str:
        """Where the file is unpacked: by the process that made this object, or, on another machine, by each."""
        if not Path(self._unzipped).is_dir() or not self._unzipped:
            folder = tempfile.mkdtemp(prefix="surrogate-fmu-")
            weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
            _import_fmpy().extract(str(self.path), unzipdir=folder)
            self._unzipped = folder
        return self._unzipped

    def _read_description(self) -> Any:
        fmpy = _import_fmpy()
        if not self.path.is_file():
            raise ValueError(f"there is no file {self.path}")
        try:
            return fmpy.read_model_description(self._folder(), validate=self.validate)
        except Exception as error:
            raise ValueError(f"{self.path.name} cannot be read as an FMU: {error}") from None

    def _times(self, start: float | None, stop: float | None) -> tuple[float, float]:
        experiment = self._description.defaultExperiment
        last = [float(out.at.max()) for out in self.outputs if isinstance(out, Series)]
        if start is None:
            start = float(getattr(experiment, "startTime", None) or 0.0)
        if stop is None and getattr(experiment, "stopTime", None) is not None:
            stop = max(float(experiment.stopTime), *last, float("-inf"))
        elif stop is None:
            stop = max(last, default=None)
        if stop is None:
            raise ValueError(f"{self.path.name} tells no stop time of its own; give stop_time=")
        if not start < stop:
            raise ValueError(f"start_time must be before stop_time, got {start} and {stop}")
        for out in self.outputs:
            if isinstance(out, Series) and not (start <= out.at.min() and out.at.max() <= stop):
                raise ValueError(
                    f"series {str(out)!r} is asked for from {out.at.min():g} to {out.at.max():g}, outside the "
                    f"simulated time from {start:g} to {stop:g}"
                )
        return float(start), float(stop)

    def _hash(self) -> str:
        digest = hashlib.sha256(self.path.read_bytes())
        settings = [self.inputs, self.start_values, self.options, self.start_time, self.stop_time]
        named = {str(out): variable for out, variable in self.variables.items()}
        digest.update(json.dumps([*settings, named], sort_keys=True, default=str).encode())
        return digest.hexdigest()[:12]


def _import_fmpy() -> Any:
    try:
        import fmpy
    except ImportError:
        raise ImportError("FMUSimulator needs FMPy; install it with: pip install 'surrogate-learn[fmu]'") from None
    return fmpy


def _find(variable: str, model: Mapping[str, Any], where: str) -> Any:
    if variable not in model:
        raise ValueError(f"{where}: the model has no variable {variable!r}; {did_you_mean(variable, model)}")
    return model[variable]


def _check_input(name: str, parameter: Any, variable: str, model: Mapping[str, Any]) -> None:
    found = _find(variable, model, f"parameter {name!r}")
    if found.variability == "constant" or found.causality in ("independent", "calculatedParameter"):
        raise ValueError(f"parameter {name!r}: the model's variable {variable!r} cannot be set")
    if isinstance(parameter, Real) and not found.type.startswith(("Real", "Float")):
        raise ValueError(
            f"parameter {name!r} is Real, but the model's variable {variable!r} is of type {found.type}; use an "
            "Integer or Categorical"
        )


def _is_stepwise(variable: Any) -> bool:
    return not variable.type.startswith(("Real", "Float")) or variable.variability == "discrete"
