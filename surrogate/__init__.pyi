from .errors import (
    ConditionError,
    InvalidInputError,
    SimulatorNotFoundError,
    StoreError,
    StoreMismatchError,
    StudyError,
    SurrogateError,
)
from .simulation import (
    FunctionSimulator,
    Output,
    Series,
    Simulator,
    available_simulators,
    load_simulator,
    simulator,
)
from .space import Categorical, Integer, Ordinal, Parameter, Real, Space

__version__: str

__all__ = [
    "Categorical",
    "ConditionError",
    "FunctionSimulator",
    "Integer",
    "InvalidInputError",
    "Ordinal",
    "Output",
    "Parameter",
    "Real",
    "Series",
    "Simulator",
    "SimulatorNotFoundError",
    "Space",
    "StoreError",
    "StoreMismatchError",
    "StudyError",
    "SurrogateError",
    "available_simulators",
    "load_simulator",
    "simulator",
]
