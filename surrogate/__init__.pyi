from .boxes.best_interval import BestInterval
from .boxes.box import Box, BoxUnion
from .boxes.bumping import BumpedPrim
from .boxes.cart import CartBoxes
from .boxes.prim import Prim
from .boxes.quality import box_quality, consistency, interpretability, trajectory_quality
from .boxes.resampling import Resampled, held_out_quality, quality_intervals, resample
from .conditions import Condition, of_interest
from .designs.latin_hypercube import latin_hypercube
from .designs.sobol import sobol
from .emulators.diagnostics import Diagnostics, diagnose, leave_one_out_table
from .emulators.gp.gaussian_process import GaussianProcess
from .errors import (
    ConditionError,
    InvalidInputError,
    SimulatorNotFoundError,
    StoreError,
    StoreMismatchError,
    StudyError,
    SurrogateError,
)
from .reports.page import report
from .runs.records import Runs
from .runs.run import RunAbortedError, run
from .runs.store import RunStore
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
from .study import Study, load_study, report_study, run_study

__version__: str

__all__ = [
    "BestInterval",
    "Box",
    "BoxUnion",
    "BumpedPrim",
    "CartBoxes",
    "Categorical",
    "Condition",
    "ConditionError",
    "Diagnostics",
    "FunctionSimulator",
    "GaussianProcess",
    "Integer",
    "InvalidInputError",
    "Ordinal",
    "Output",
    "Parameter",
    "Prim",
    "Real",
    "Resampled",
    "RunAbortedError",
    "RunStore",
    "Runs",
    "Series",
    "Simulator",
    "SimulatorNotFoundError",
    "Space",
    "StoreError",
    "StoreMismatchError",
    "Study",
    "StudyError",
    "SurrogateError",
    "available_simulators",
    "box_quality",
    "consistency",
    "diagnose",
    "held_out_quality",
    "interpretability",
    "latin_hypercube",
    "leave_one_out_table",
    "load_simulator",
    "load_study",
    "of_interest",
    "quality_intervals",
    "report",
    "report_study",
    "resample",
    "run",
    "run_study",
    "simulator",
    "sobol",
    "trajectory_quality",
]
