from .boxes.best_interval import BestInterval
from .boxes.box import Box, BoxUnion
from .boxes.bumping import BumpedPrim
from .boxes.cart import CartBoxes
from .boxes.prim import Prim
from .boxes.quality import box_quality, consistency, interpretability, trajectory_quality
from .boxes.reds import Reds
from .boxes.resampling import Resampled, held_out_quality, quality_intervals, resample
from .conditions import Condition, of_interest
from .connectors.command import CommandSimulator
from .connectors.fmu import FMUSimulator
from .connectors.parsers import CommandResult, CSVParser, JSONParser, RegexParser
from .connectors.umbridge import UMBridgeSimulator
from .connectors.umbridge_server import UMBridgeServer, serve_umbridge
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
from .discovery.discover import Discovery, discover
from .emulators.auto import AutoEmulator
from .emulators.classifier import ProbabilityEmulator
from .emulators.conformal import ConformalEmulator
from .emulators.diagnostics import Diagnostics, crps, diagnose, interval_coverage_curve, leave_one_out_table, pit
from .emulators.exporting import export_python
from .emulators.forest import ForestEmulator
from .emulators.functional import FunctionalEmulator, MultiOutput
from .emulators.gp.gaussian_process import GaussianProcess
from .emulators.gradient_enhanced import GradientEnhanced
from .emulators.multifidelity import MultiFidelity
from .emulators.polynomial_chaos import PolynomialChaos
from .emulators.polynomial_kriging import PolynomialKriging
from .emulators.radial_basis import RadialBasis
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
from .loading import available_simulators, load_simulator
from .optimize.minimize import minimize
from .optimize.optimizer import Optimizer
from .optimize.result import Optimum
from .optimize.stopping import regret
from .optimize.trials import Trial
from .outputs import Output, Series
from .reports.page import report
from .rules.alpa import Alpa
from .rules.condition import Literal, MofN
from .rules.extract import extract_rules
from .rules.fidelity import fidelity, fidelity_by_class, stability, student_quality
from .rules.rule_list import Rule, RuleList
from .rules.summary import StudentSummary, fidelity_curve, summarise_student
from .rules.tree import BinnedTree
from .rules.trepan import Trepan
from .runs.provenance import show_versions
from .runs.records import Runs
from .runs.run import RunAbortedError, run
from .runs.store import RunStore
from .sensitivity._table import TooManyFailuresError
from .sensitivity.given_data import delta, pawn
from .sensitivity.screening import dgsm, fast, morris
from .sensitivity.shapley import shapley_effects
from .sensitivity.sobol import second_order, sobol_indices
from .simulation import FunctionSimulator, Simulator, simulator
from .space import Categorical, Integer, Ordinal, Parameter, Real, Space
from .study.file import Study, load_study
from .study.run import report_study, run_study
from .transfer.chain import Metamorphosis
from .transfer.compression import compare_models
from .transfer.generators.auto import AutoGenerator
from .transfer.generators.bootstrap import Bootstrap
from .transfer.generators.copula import Copula
from .transfer.generators.forest_density import ForestDensity
from .transfer.generators.gaussian_mixture import GaussianMixture
from .transfer.generators.kernel_density import KernelDensity
from .transfer.generators.mixed import Mixed
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
    "AutoEmulator",
    "AutoGenerator",
    "BestInterval",
    "BinnedTree",
    "Bootstrap",
    "Box",
    "BoxUnion",
    "BumpedPrim",
    "CSVParser",
    "CartBoxes",
    "Categorical",
    "CommandResult",
    "CommandSimulator",
    "Condition",
    "ConditionError",
    "ConformalEmulator",
    "Copula",
    "Diagnostics",
    "Discovery",
    "EmulatorFileError",
    "FMUSimulator",
    "ForestDensity",
    "ForestEmulator",
    "FunctionSimulator",
    "FunctionalEmulator",
    "GaussianMixture",
    "GaussianProcess",
    "GradientEnhanced",
    "Integer",
    "InvalidInputError",
    "JSONParser",
    "KernelDensity",
    "Literal",
    "Metamorphosis",
    "Mixed",
    "MofN",
    "MultiFidelity",
    "MultiOutput",
    "Munge",
    "Noise",
    "Optimizer",
    "Optimum",
    "Ordinal",
    "Output",
    "Parameter",
    "PolynomialChaos",
    "PolynomialKriging",
    "Prim",
    "ProbabilityEmulator",
    "RadialBasis",
    "Real",
    "Reds",
    "RegexParser",
    "Resampled",
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
    "TooManyFailuresError",
    "TorchClassifier",
    "TransferSet",
    "Trepan",
    "Trial",
    "UMBridgeServer",
    "UMBridgeSimulator",
    "Uniform",
    "Unlabelled",
    "augment",
    "available_simulators",
    "box_behnken",
    "box_quality",
    "central_composite",
    "compare_models",
    "consistency",
    "crps",
    "delta",
    "design",
    "design_quality",
    "dgsm",
    "diagnose",
    "discover",
    "export_python",
    "extract_rules",
    "factorial",
    "fast",
    "fidelity",
    "fidelity_by_class",
    "fidelity_curve",
    "fractional_factorial",
    "gsd",
    "halton",
    "held_out_quality",
    "interpretability",
    "interval_coverage_curve",
    "label",
    "latin_hypercube",
    "lattice",
    "leave_one_out_table",
    "load_emulator",
    "load_simulator",
    "load_study",
    "maximin",
    "maxpro",
    "minimize",
    "morris",
    "nested",
    "of_interest",
    "optimal",
    "pawn",
    "pit",
    "plackett_burman",
    "quality_intervals",
    "regret",
    "report",
    "report_study",
    "resample",
    "run",
    "run_study",
    "second_order",
    "serve_umbridge",
    "shapley_effects",
    "show_versions",
    "simulator",
    "sliced_latin_hypercube",
    "sobol",
    "sobol_indices",
    "stability",
    "student_quality",
    "summarise_student",
    "trajectory_quality",
]
