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
from .emulators.gp.gaussian_process import GaussianProcess
from .errors import (
    ConditionError,
    InvalidInputError,
    SimulatorError,
    SimulatorNotFoundError,
    StoreError,
    StoreMismatchError,
    StudyError,
    SurrogateError,
)
from .reports.page import report
from .rules.alpa import Alpa
from .rules.extract import extract_rules
from .rules.fidelity import fidelity, fidelity_by_class, stability, student_quality
from .rules.rule_list import Literal, MofN, Rule, RuleList
from .rules.summary import StudentSummary, fidelity_curve, summarise_student
from .rules.tree import BinnedTree
from .rules.trepan import Trepan
from .runs.records import Runs
from .runs.run import RunAbortedError, run
from .runs.store import RunStore
from .simulation import FunctionSimulator, Output, Series, Simulator, available_simulators, load_simulator, simulator
from .space import Categorical, Integer, Ordinal, Parameter, Real, Space
from .study import Study, load_study, report_study, run_study
from .transfer.chain import Metamorphosis
from .transfer.compression import compare_models
from .transfer.generators.auto import AutoGenerator
from .transfer.generators.bootstrap import Bootstrap
from .transfer.generators.copula import Copula
from .transfer.generators.forest_density import ForestDensity
from .transfer.generators.gaussian_mixture import GaussianMixture
from .transfer.generators.kernel_density import KernelDensity
from .transfer.generators.munge import Munge
from .transfer.generators.noise import Noise
from .transfer.generators.smote import Smote
from .transfer.generators.uniform import Uniform
from .transfer.generators.unlabelled import Unlabelled
from .transfer.label import TransferSet, label
from .transfer.self_training import SelfTraining
from .transfer.torch_classifier import TorchClassifier

__version__: str

__all__ = [
    "Alpa",
    "AutoGenerator",
    "BinnedTree",
    "Bootstrap",
    "Box",
    "CSVParser",
    "Categorical",
    "CommandResult",
    "CommandSimulator",
    "Condition",
    "ConditionError",
    "Copula",
    "Diagnostics",
    "FMUSimulator",
    "ForestDensity",
    "FunctionSimulator",
    "GaussianMixture",
    "GaussianProcess",
    "Integer",
    "InvalidInputError",
    "JSONParser",
    "KernelDensity",
    "Literal",
    "Metamorphosis",
    "MofN",
    "Munge",
    "Noise",
    "Ordinal",
    "Output",
    "Parameter",
    "Prim",
    "Real",
    "RegexParser",
    "Rule",
    "RuleList",
    "RunAbortedError",
    "RunStore",
    "Runs",
    "SelfTraining",
    "Series",
    "Simulator",
    "SimulatorError",
    "SimulatorNotFoundError",
    "Smote",
    "Space",
    "StoreError",
    "StoreMismatchError",
    "StudentSummary",
    "Study",
    "StudyError",
    "SurrogateError",
    "TorchClassifier",
    "TransferSet",
    "Trepan",
    "UMBridgeServer",
    "UMBridgeSimulator",
    "Uniform",
    "Unlabelled",
    "available_simulators",
    "compare_models",
    "diagnose",
    "extract_rules",
    "fidelity",
    "fidelity_by_class",
    "fidelity_curve",
    "label",
    "latin_hypercube",
    "leave_one_out_table",
    "load_simulator",
    "load_study",
    "of_interest",
    "report",
    "report_study",
    "run",
    "run_study",
    "serve_umbridge",
    "simulator",
    "sobol",
    "stability",
    "student_quality",
    "summarise_student",
]
