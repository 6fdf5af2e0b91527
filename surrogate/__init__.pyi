from .boxes.box import Box
from .boxes.prim import Prim
from .conditions import Condition, of_interest
from .designs.augment import augment
from .designs.choose import design
from .designs.factorial import factorial, fractional_factorial, gsd, plackett_burman
from .designs.halton import halton
from .designs.latin_hypercube import latin_hypercube, maximin, maxpro
from .designs.lattice import lattice
from .designs.optimal import optimal
from .designs.quality import design_quality
from .designs.response_surface import box_behnken, central_composite
from .designs.sliced import nested, sliced_latin_hypercube
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
from .sensitivity._table import TooManyFailuresError
from .sensitivity.given_data import delta, pawn
from .sensitivity.screening import dgsm, fast, morris
from .sensitivity.shapley import shapley_effects
from .sensitivity.sobol import second_order, sobol_indices
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
    "Box",
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
    "TooManyFailuresError",
    "augment",
    "available_simulators",
    "box_behnken",
    "central_composite",
    "delta",
    "design",
    "design_quality",
    "dgsm",
    "diagnose",
    "factorial",
    "fast",
    "fractional_factorial",
    "gsd",
    "halton",
    "latin_hypercube",
    "lattice",
    "leave_one_out_table",
    "load_simulator",
    "load_study",
    "maximin",
    "maxpro",
    "morris",
    "nested",
    "of_interest",
    "optimal",
    "pawn",
    "plackett_burman",
    "report",
    "report_study",
    "run",
    "run_study",
    "second_order",
    "shapley_effects",
    "simulator",
    "sliced_latin_hypercube",
    "sobol",
    "sobol_indices",
]
