from .boxes.box import Box
from .boxes.prim import Prim
from .conditions import Condition, of_interest
from .connectors.command import CommandSimulator
from .connectors.fmu import FMUSimulator
from .connectors.parsers import CSVParser, CommandResult, JSONParser, RegexParser
from .connectors.umbridge import UMBridgeSimulator
from .connectors.umbridge_server import UMBridgeServer, serve_umbridge
from .designs.latin_hypercube import latin_hypercube
from .designs.sobol import sobol
from .emulators.diagnostics import Diagnostics, diagnose, leave_one_out_table
from .emulators.exporting import export_python
from .emulators.gp.gaussian_process import GaussianProcess
from .emulators.saving import load_emulator
from .errors import (
    ConditionError,
    EmulatorFileError,
    InvalidInputError,
    SimulatorError,
    SimulatorNotFoundError,
    StoreError,
    StoreMismatchError,
    StudyError,
    SurrogateError,
)
from .optimize.minimize import minimize
from .optimize.optimizer import Optimizer, Trial
from .optimize.result import Optimum
from .optimize.stopping import regret
from .reports.page import report
from .runs.records import Runs
from .runs.run import RunAbortedError, run
from .runs.store import RunStore
from .simulation import FunctionSimulator, Output, Series, Simulator, available_simulators, load_simulator, simulator
from .space import Categorical, Integer, Ordinal, Parameter, Real, Space
from .study import Study, load_study, report_study, run_study

__version__: str

__all__ = [
    "Box",
    "CSVParser",
    "Categorical",
    "CommandResult",
    "CommandSimulator",
    "Condition",
    "ConditionError",
    "Diagnostics",
    "EmulatorFileError",
    "FMUSimulator",
    "FunctionSimulator",
    "GaussianProcess",
    "Integer",
    "InvalidInputError",
    "JSONParser",
    "Optimizer",
    "Optimum",
    "Ordinal",
    "Output",
    "Parameter",
    "Prim",
    "Real",
    "RegexParser",
    "RunAbortedError",
    "RunStore",
    "Runs",
    "Series",
    "Simulator",
    "SimulatorError",
    "SimulatorNotFoundError",
    "Space",
    "StoreError",
    "StoreMismatchError",
    "Study",
    "StudyError",
    "SurrogateError",
    "Trial",
    "UMBridgeServer",
    "UMBridgeSimulator",
    "available_simulators",
    "diagnose",
    "export_python",
    "latin_hypercube",
    "leave_one_out_table",
    "load_emulator",
    "load_simulator",
    "load_study",
    "minimize",
    "of_interest",
    "regret",
    "report",
    "report_study",
    "run",
    "run_study",
    "serve_umbridge",
    "simulator",
    "sobol",
]
