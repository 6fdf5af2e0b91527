"""Gaussian process regression for simulators: the estimator."""

from __future__ import annotations

import dataclasses
import inspect
import logging
from collections.abc import Mapping
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted, check_X_y

from surrogate.emulators.base import Emulator
from surrogate.emulators.gp import standalone
from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.hyperparameters import ALL_ROWS, Prior, Variant, choose, posterior_covariance, spread
from surrogate.emulators.gp.inputs import Inputs, Trend, TrendKind
from surrogate.emulators.gp.kernels import FAMILIES, Kernel
from surrogate.emulators.gp.likelihood import Problem, log_likelihood, solve_lower
from surrogate.emulators.gp.neighbours import NeighbourPosterior
from surrogate.emulators.gp.outputs import MAX_LOG_STD, WARPS, Outputs, Warp
from surrogate.emulators.tables import check_new, check_training, normal_mass
from surrogate.emulators.threads import few_threads
from surrogate.space import Space

__all__ = ["GaussianProcess"]

FloatArray = NDArray[np.float64]
logger = logging.getLogger(__name__)

# The kernels that "auto" tries, all from the first one's optimum; the likelihood decides. Over 20 test functions of
# 10 d runs Matern 7/2 was as accurate as the squared exponential where that was best, and honest about it: the squared
# exponential's 95% intervals held 82% of the values.
AUTO_KERNELS = ("matern52", "matern72", "matern32", "radial_matern52")

# Up to this many runs the hyper-parameters' uncertainty matters enough to be worth its cost.
UNCERTAIN_ROWS = 500

# Outputs of one point that differ by less than this part of their range are the same but for rounding.
SAME_OUTPUT = 1e-9

# Up to this many runs one factorisation of their covariance takes seconds and a few hundred megabytes.
EXACT_ROWS = 5000

# Rows predicted at a time: bounds the memory of the cross-correlation.
CHUNK_ROWS = 4096


class GaussianProcess(Emulator):
    """Gaussian process regression with everything chosen by likelihood, and intervals that say what is not known.

    The covariance is a product over the inputs, each factor a one-dimensional correlation with its own length scale
    and its own floor, so that main effects and interactions get the weight that data give them. Hyper-parameters
    maximise the restricted likelihood times a weak prior, from several starts with analytic gradients; trend and
    variance follow in closed form.

    Predictions are of the output without its noise; standard deviations include what is unknown of trend, variance and
    hyper-parameters. ``leave_one_out`` keeps hyper-parameters and variance and estimates the trend without the point
    [5]_; with noise it is of the noisy output. Of a noise-free point that was given twice all copies are left out.

    Parameters
    ----------
    kernel : "auto", "matern32", "matern52", "matern72", "squared_exponential", "rational_quadratic", "radial_matern52"
        One-dimensional correlation, from rough to smooth, of which the covariance is a product over the inputs; the
        last is one of the Euclidean distance, without floors. "auto" takes the likeliest of the four Materns.
    trend : "auto", "constant", "linear" or "quadratic"
        Polynomial of the scaled inputs under the process; "auto" is linear where there are runs enough.
    noise : None, "estimate" or float
        None for a simulator that always gives the same answer: the process goes through the outputs. (Where repeated
        inputs have different outputs all the same, noise is estimated.) "estimate" for noise of unknown, equal standard
        deviation, a number if that is known, in the output's unit. Noise known point by point is given to `fit`.
    warp : "auto", None, "log" or "sqrt"
        Function of the output that is taken as Gaussian process. "auto" tries both on positive, noise-free outputs and
        takes one if likelihood, Jacobian included, clearly favours it.
    anova : bool
        Whether there are floors; without them the kernel is the plain product.
    nugget : float
        Added to the diagonal of the correlation matrix, relative to the process variance. Small enough to interpolate;
        raised by powers of ten where a design is nearly singular.
    n_starts : int
        Number of starting points of the likelihood's optimiser.
    hyper_uncertainty : "auto" or bool
        Whether standard deviations include what is unknown of the hyper-parameters: to first order through the mean,
        and by a factor that grows with their number a run [3]_. "auto" up to 500 runs, beyond that they are known well.
    calibrate : bool
        Whether standard deviations grow where the closed-form leave-one-out residuals are larger than they should be.
        They never shrink.
    approximation : "auto", "exact" or "vecchia"
        "exact" factorises the covariance of all runs: memory grows with n squared, time with its cube. "vecchia"
        predicts each point from its 128 nearest runs, nearest in correlation. "auto" is exact up to 5,000 runs. In
        either case the hyper-parameters of more than 1,000 runs are those of 1,000 of them, spread over the rows.

    Attributes
    ----------
    kernel_, trend_, warp_, approximation_ : str or None
        What was chosen.
    length_scales_ : array of shape (d,)
        In the inputs' units; with a `space`, in positions of the unit cube. Of a category the geometric mean of those
        of its values.
    floors_ : array of shape (c,)
        Floors of the kernel's factors, 0 without `anova`; one a column (a category has one column a value).
    variance_ : float
        The process variance, in the output's unit squared (of its warp, if there is one).
    nugget_ : float
        The nugget that was used.
    noise_std_ : float or array of shape (n,)
        Standard deviation of the noise, in the output's unit (of its warp, if there is one); 0 without, an array where
        it differs by run.
    log_likelihood_ : float
        Restricted log likelihood of the scaled outputs (of at most 1,000 runs) at the optimum, without the prior, up to
        a constant.
    inflation_ : float
        Factor of the standard deviations from `calibrate` and from the number of fitted parameters.
    space_ : Space or None
    input_range_ : array of shape (2, d) or None
        Lowest and highest inputs that it learnt from; None with a space.
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame or with a space

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006.
    .. [2] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
       Statistical Science 4(4), 1989.
    .. [3] H. Akaike, "Fitting autoregressive models for prediction", Annals of the Institute of Statistical
       Mathematics 21, 1969: the final prediction error, by which intervals of few runs are widened.
    .. [4] N. Durrande, D. Ginsbourger, O. Roustant, "Additive covariance kernels for high-dimensional Gaussian process
       modeling", Annales de la Faculte des Sciences de Toulouse 21(3), 2012.
    .. [5] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology 15(6), 1983.

    Examples
    --------
    >>> x = np.linspace(0, 1, 8)[:, None]
    >>> gp = GaussianProcess().fit(x, np.sin(6 * x[:, 0]))
    >>> mean, std = gp.predict([[0.5]], return_std=True)
    >>> bool(abs(mean[0] - np.sin(3.0)) < 0.01 and std[0] < 0.05)
    True
    """

    def __init__(
        self,
        *,
        kernel: str = "auto",
        trend: TrendKind = "auto",
        noise: Literal["estimate"] | float | None = None,
        warp: Literal["auto"] | Warp | None = "auto",
        anova: bool = True,
        nugget: float = 1e-13,
        n_starts: int = 3,
        hyper_uncertainty: Literal["auto"] | bool = "auto",
        calibrate: bool = True,
        approximation: Literal["auto", "exact", "vecchia"] = "auto",
    ) -> None:
        self.kernel = kernel
        self.trend = trend
        self.noise = noise
        self.warp = warp
        self.anova = anova
        self.nugget = nugget
        self.n_starts = n_starts
        self.hyper_uncertainty = hyper_uncertainty
        self.calibrate = calibrate
        self.approximation = approximation

    def fit(self, X: ArrayLike, y: ArrayLike, space: Space | None = None, noise_std: ArrayLike | None = None) -> Self:
        """Choose hyper-parameters and factorise.

        Parameters
        ----------
        X : array or DataFrame of shape (n, d)
            Numbers; with a `space` a DataFrame of its columns, in its units, of any type. At least two rows.
        y : array of shape (n,)
        space : Space, optional
            Types of the inputs. Numbers are then taken at their position in the unit cube, where logarithms and
            distributions are undone.
        noise_std : array of shape (n,), optional
            Known standard deviation of each output's noise, in its unit. Overrides `noise`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If an option is not allowed, shapes do not match, a value is not a finite number, or there are fewer than
            two rows.
        InvalidInputError
            If inputs do not belong to `space`.
        """
        self._check_options()
        x, targets = check_training(self, X, y, space)
        self._inputs, z = Inputs.of(x, space)
        self._trend = Trend.of(self.trend, z)
        noise = self._known_noise(noise_std, len(targets))
        z, targets, noise, estimates_noise = self._merge_repeated(z, targets, noise)
        self.trend_ = self._trend.kind
        with few_threads(len(targets)):
            self._choose(z, targets, noise, estimates_noise)
            self._tell()
        return self

    def _check_options(self) -> None:
        if self.kernel != "auto" and self.kernel not in FAMILIES:
            raise ValueError(f"kernel must be 'auto' or one of {sorted(FAMILIES)}, got {self.kernel!r}")
        if self.trend not in ("auto", "constant", "linear", "quadratic"):
            raise ValueError(f"trend must be 'auto', 'constant', 'linear' or 'quadratic', got {self.trend!r}")
        if self.warp not in ("auto", None, *WARPS):
            raise ValueError(f"warp must be 'auto', None, 'log' or 'sqrt', got {self.warp!r}")
        if not (self.noise is None or self.noise == "estimate" or _is_number(self.noise)):
            raise ValueError(f"noise must be None, 'estimate' or a standard deviation, got {self.noise!r}")
        if self.approximation not in ("auto", "exact", "vecchia"):
            raise ValueError(f"approximation must be 'auto', 'exact' or 'vecchia', got {self.approximation!r}")
        if not self.nugget >= 0:
            raise ValueError(f"nugget must not be negative, got {self.nugget}")
        if self.n_starts < 1:
            raise ValueError(f"n_starts must be at least 1, got {self.n_starts}")

    def _columns(self, X: Any) -> FloatArray:
        """New inputs as scaled columns."""
        return self._inputs.scaled(check_new(self, X))

    def _known_noise(self, noise_std: ArrayLike | None, n: int) -> FloatArray | None:
        """Standard deviations of the noise, (n,), where they are known."""
        if noise_std is None:
            return np.full(n, self.noise, dtype=float) if _is_number(self.noise) else None
        found = np.asarray(noise_std, dtype=float)
        if found.shape != (n,):
            raise ValueError(f"noise_std must have shape ({n},) like y, got {found.shape}")
        if not (np.isfinite(found) & (found >= 0)).all():
            raise ValueError("noise_std must be finite and not negative")
        return found

    def _merge_repeated(
        self, z: FloatArray, y: FloatArray, noise: FloatArray | None
    ) -> tuple[FloatArray, FloatArray, FloatArray | None, bool]:
        """Without noise, one of each repeated point; with it all of them. Also whether noise is to be estimated."""
        self._group = np.arange(len(y))
        if noise is not None or self.noise == "estimate":
            return z, y, noise, noise is None
        order, group, agrees = _repeated(z, y)
        if not agrees.all():
            return z, y, None, True
        self._group = group
        return z[order], y[order], None, False

    def _choose(self, z: FloatArray, y: FloatArray, noise: FloatArray | None, estimates_noise: bool) -> None:
        families = AUTO_KERNELS if self.kernel == "auto" else (self.kernel,)
        if self.warp not in ("auto", None) and noise is not None:
            raise ValueError(f"warp={self.warp!r} cannot be used with known noise; use warp=None")
        scalings = [Outputs.of(y, None if self.warp == "auto" else self.warp)]
        if self.warp == "auto" and noise is None and not estimates_noise and y.min() > 0:
            scalings += [Outputs.of(y, warp) for warp in WARPS]
        self._outputs = scalings[0]
        variances = None if noise is None else self._scaled_noise(noise)
        problem = Problem(
            Kernel(families[0], self.anova),
            z,
            self._outputs.forward(y),
            self._trend.basis(z),
            max(self.nugget, np.finfo(float).eps),
            variances,
            estimates_noise,
        )
        self.approximation_ = self.approximation
        if self.approximation == "auto":
            self.approximation_ = "exact" if len(y) <= EXACT_ROWS else "vecchia"
        if not problem.y.any():
            # Constant outputs say nothing about the hyper-parameters.
            theta = Prior.of(problem).mean
        else:
            variants = [
                Variant(dataclasses.replace(problem, y=outputs.forward(y)), outputs.log_slopes(y))
                for outputs in scalings
            ]
            chosen, problem, theta = choose(variants, families, self.n_starts)
            self._outputs = scalings[chosen]
        part = spread(len(y), ALL_ROWS)
        self._posterior: ExactPosterior | NeighbourPosterior
        if self.approximation_ == "vecchia":
            logger.info("%d runs: each prediction from the nearest runs (approximation='vecchia')", len(y))
            self._posterior = NeighbourPosterior.of(problem, theta, part)
        else:
            uncertain = self.hyper_uncertainty
            if uncertain == "auto":
                uncertain = len(y) <= UNCERTAIN_ROWS and bool(problem.y.any())
            covariance = posterior_covariance(problem, theta) if uncertain else None
            self._posterior = ExactPosterior.of(problem, theta, covariance)
        self.log_likelihood_ = log_likelihood(problem.rows(part), theta)

    def _scaled_noise(self, noise: FloatArray) -> FloatArray:
        return np.asarray((noise / (self._outputs.unit * self._outputs.scale)) ** 2)

    def _tell(self) -> None:
        """Set the public attributes from the posterior."""
        self._name_results()
        self.inflation_ = self._inflation()

    def _name_results(self) -> None:
        posterior, outputs = self._posterior, self._outputs
        problem = posterior.problem
        d = problem.z.shape[1]
        kernel_theta, ratio, _ = problem.split(posterior.theta)
        self.kernel_ = problem.kernel.family
        self.warp_ = outputs.warp
        self.length_scales_ = self._inputs.own_scales(np.exp(kernel_theta[:d]))
        self.floors_ = problem.kernel.floors(kernel_theta, d)
        self.nugget_ = posterior.nugget
        scale = outputs.unit * outputs.scale
        with np.errstate(over="ignore", under="ignore"):  # outputs of 1e300 have an infinite variance, and still a std
            self.variance_ = float(np.float64(scale) ** 2 * posterior.variance)
        self.noise_std_: Any = float(scale * np.sqrt(ratio * posterior.variance))
        if problem.noise is not None:
            known = scale * np.sqrt(problem.noise)
            self.noise_std_ = float(known[0]) if (known == known[0]).all() else known

    def _inflation(self) -> float:
        """Factor of the standard deviations."""
        posterior = self._posterior
        problem = posterior.problem
        n, p = problem.basis.shape
        # The variance is estimated: Student's t with n - p degrees of freedom, whose own variance is finite above two.
        factor = 1.0 + 2.0 / max(n - p - 2, 1)
        if posterior.theta_covariance is not None:
            factor = posterior.optimism
        if self.calibrate and problem.y.any():
            rows = spread(n, ALL_ROWS)
            mean, variance = posterior.leave_one_out(rows)
            factor *= max(1.0, float(((problem.y[rows] - mean) ** 2 / variance).mean()))
        return float(np.sqrt(factor))

    def _answer(self, table: Any, with_std: bool) -> tuple[FloatArray, FloatArray]:
        # The mean of a warped output depends on the variance.
        with_variance = with_std or bool(self._outputs.warp)
        return self._outputs.moments(*self._moments(self._inputs.scaled(table), with_variance=with_variance))

    def _answer_unseen(self) -> tuple[FloatArray, FloatArray]:
        mean, variance = self._posterior.leave_one_out()
        mean, std = self._outputs.moments(mean, self.inflation_**2 * variance)
        return mean[self._group], std[self._group]

    def _mass(self, table: Any, low: float, high: float) -> FloatArray:
        mean, variance = self._moments(self._inputs.scaled(table))
        return normal_mass(mean, np.sqrt(variance), self._outputs.threshold(low), self._outputs.threshold(high))

    def _moments(self, z: FloatArray, *, with_variance: bool = True) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of scaled outputs at scaled points."""
        with few_threads(len(self._posterior.problem.y)):
            parts = [
                self._posterior.predict(part, self._trend.basis(part), with_variance=with_variance)
                for part in np.split(z, range(CHUNK_ROWS, len(z), CHUNK_ROWS))
            ]
        return np.concatenate([m for m, _ in parts]), self.inflation_**2 * np.concatenate([v for _, v in parts])

    def draws(self, X: ArrayLike, n: int, rng: int | np.random.Generator | None = None) -> FloatArray:
        """Functions drawn from the posterior, at new points jointly and without noise.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
            Memory grows with m squared.
        n : int
            How many.
        rng : int, Generator or None

        Returns
        -------
        array of shape (n, m)
        """
        z = self._columns(X)
        with few_threads(len(self._posterior.problem.y)):
            mean, covariance = self._posterior.joint(z, self._trend.basis(z))
            # Singular where points lie close together: roots of eigenvalues, of which rounding makes some negative.
            values, vectors = np.linalg.eigh(covariance)
        root = vectors * (self.inflation_ * np.sqrt(np.maximum(values, 0.0)))
        return self._outputs.backward(mean + np.random.default_rng(rng).standard_normal((n, len(z))) @ root.T)

    def gradient(self, X: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Derivatives of the predicted mean and standard deviation by the inputs.

        Analytic, except for the part of the standard deviation that comes from the hyper-parameters' uncertainty, which
        is differenced.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)

        Returns
        -------
        mean, std : array of shape (m, d)
            In the output's unit per unit of each input. NaN for ordinal and categorical inputs.
        """
        z = self._columns(X)
        mean, variance = self._moments(z)
        with few_threads(len(self._posterior.problem.y)):
            mean_slope, variance_slope = self._posterior.gradient(z, self._trend)
        variance_slope *= self.inflation_**2
        by = [part[:, None] for part in self._outputs.moment_slopes(mean, variance)]
        return (
            self._inputs.own_gradient(by[0] * mean_slope + by[1] * variance_slope, X),
            self._inputs.own_gradient(by[2] * mean_slope + by[3] * variance_slope, X),
        )

    def update(self, X: ArrayLike, y: ArrayLike, noise_std: ArrayLike | None = None) -> Self:
        """Add points without choosing hyper-parameters anew: the factor grows by a block.

        Trend coefficients and, unless noise is known, the process variance are estimated from all points.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        y : array of shape (m,)
        noise_std : array of shape (m,), optional
            Where the fit had it.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If shapes do not match, noise is known of one and not of the other, an output has no place under the warp
            that the fit chose, or a point is repeated with another output.
        """
        x = check_new(self, X)
        z = self._inputs.scaled(x)
        _, targets = check_X_y(z, y, y_numeric=True)
        noise = self._known_noise(noise_std, len(targets))
        old = self._posterior.problem
        n = len(old.y)
        if (old.noise is None) != (noise is None):
            raise ValueError("noise_std must be given where the fit had it, and only there")
        targets = np.asarray(targets, dtype=float)
        self._check_warped(targets)
        t = self._outputs.forward(targets)
        group = np.arange(n + len(t))
        if noise is None and not old.estimates_noise:
            order, group, agrees = _repeated(np.vstack([old.z, z]), np.concatenate([old.y, t]))
            if not agrees.all():
                row = int(np.flatnonzero(~agrees)[0]) - n
                raise ValueError(f"X: row {row} repeats a point with another output; fit anew, with noise='estimate'")
            new = order[n:] - n
            z, t = z[new], t[new]
        self._group = group[np.concatenate([self._group, np.arange(n, len(group))])]
        if self.input_range_ is not None:
            self.input_range_ = np.stack(
                [np.minimum(self.input_range_[0], x.min(axis=0)), np.maximum(self.input_range_[1], x.max(axis=0))]
            )
        if len(t):
            scaled = None if noise is None else self._scaled_noise(noise)
            with few_threads(n + len(t)):
                self._posterior = self._posterior.extended(z, t, self._trend.basis(z), scaled)
                self._tell()
        return self

    def _check_warped(self, y: FloatArray) -> None:
        """Raise if the warp that the fit chose has no value at an output."""
        if self.warp_ is None:
            return
        bad = np.flatnonzero(y <= 0 if self.warp_ == "log" else y < 0)
        if len(bad):
            wanted, chosen = ("positive", "logarithm") if self.warp_ == "log" else ("not negative", "square root")
            raise ValueError(
                f"y must be {wanted}, since the fit took the output's {chosen} (warp_={self.warp_!r}), got "
                f"{y[bad[0]]} in row {bad[0]}; fit anew to all runs"
            )

    def get_state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Everything a prediction needs, as arrays and JSON-ready facts; see :func:`surrogate.load_emulator`."""
        check_is_fitted(self)
        inputs, posterior = self._inputs, self._posterior
        problem = posterior.problem
        arrays: dict[str, NDArray[Any]] = {
            "owner": inputs.owner,
            "low": inputs.low,
            "width": inputs.width,
            "group": self._group,
            "z": problem.z,
            "y": problem.y,
            "theta": posterior.theta,
        } | posterior.arrays()
        if problem.noise is not None:
            arrays["noise"] = problem.noise
        facts = {
            "parameters": self.get_params(),
            "space": None if inputs.space is None else inputs.space.to_json(),
            "feature_names": list(map(str, self.feature_names_in_)) if hasattr(self, "feature_names_in_") else None,
            "trend": {"kind": self._trend.kind, "terms": [list(term) for term in self._trend.terms]},
            "outputs": dataclasses.asdict(self._outputs),
            "kernel": dataclasses.asdict(problem.kernel),
            "nugget": problem.nugget,
            "estimates_noise": problem.estimates_noise,
            "approximation": self.approximation_,
            "log_likelihood": self.log_likelihood_,
            "inflation": self.inflation_,
            "input_range": None if self.input_range_ is None else self.input_range_.tolist(),
            "posterior": posterior.facts(),
        }
        return arrays, facts

    def standalone(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any], str]:
        """What :func:`surrogate.export_python` writes."""
        check_is_fitted(self)
        posterior = self._posterior
        if not isinstance(posterior, ExactPosterior):
            raise ValueError("predictions from nearest runs (approximation='vecchia') cannot be exported; use save")
        problem, f, outputs = posterior.problem, posterior.factorised, self._outputs
        d = problem.z.shape[1]
        arrays = {
            "low": self._inputs.low,
            "width": self._inputs.width,
            "z": problem.z,
            "rates": problem.kernel.rates(posterior.kernel_theta, d),
            "floors": self.floors_,
            "inverse_lower": solve_lower(f.lower, np.eye(len(f.lower))),
            "inverse_information": np.linalg.inv(f.information),
        } | {name: array for name, array in posterior.arrays().items() if name not in ("lower", "information")}
        names = getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)])
        facts = {
            "inputs": self._inputs.described(list(map(str, names))),
            "terms": [list(term) for term in self._trend.terms],
            "family": self.kernel_,
            "has_floors": problem.kernel.has_floors,
            "inflation": self.inflation_,
            "max_log_std": MAX_LOG_STD,
        }
        return arrays, facts | posterior.facts() | dataclasses.asdict(outputs), inspect.getsource(standalone)

    @classmethod
    def from_state(cls, arrays: Mapping[str, NDArray[Any]], facts: Mapping[str, Any]) -> Self:
        """The fitted emulator whose ``get_state`` gave these."""
        made = cls(**facts["parameters"])
        space = None if facts["space"] is None else Space.from_json(facts["space"])
        made._inputs = Inputs(space, arrays["owner"], arrays["low"], arrays["width"])
        made._trend = Trend(facts["trend"]["kind"], tuple(tuple(term) for term in facts["trend"]["terms"]))
        made._outputs = Outputs(**facts["outputs"])
        made._group = arrays["group"]
        made.space_, made.n_features_in_ = space, made._inputs.d
        # Files of earlier versions do not tell it.
        known = facts.get("input_range")
        made.input_range_ = None if known is None else np.array(known)
        if facts["feature_names"] is not None:
            made.feature_names_in_ = np.array(facts["feature_names"], dtype=object)
        made.trend_, made.approximation_ = made._trend.kind, facts["approximation"]
        made.log_likelihood_ = facts["log_likelihood"]
        problem = Problem(
            Kernel(**facts["kernel"]),
            arrays["z"],
            arrays["y"],
            made._trend.basis(arrays["z"]),
            facts["nugget"],
            arrays.get("noise"),
            facts["estimates_noise"],
        )
        kind = NeighbourPosterior if made.approximation_ == "vecchia" else ExactPosterior
        made._posterior = kind.from_arrays(problem, arrays["theta"], arrays, facts["posterior"])
        made._name_results()
        made.inflation_ = facts["inflation"]
        return made


def _repeated(z: FloatArray, y: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row numbers of points the first time, which of these each point is, and whether their outputs are the same."""
    _, first, group = np.unique(z, axis=0, return_index=True, return_inverse=True)
    group = group.ravel()
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    with np.errstate(over="ignore"):  # outputs too far apart are refused later
        agrees = np.abs(y - y[first[group]]) <= SAME_OUTPUT * (y.max() - y.min())
    return first[order], place[group], agrees


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(0 <= value < np.inf)
