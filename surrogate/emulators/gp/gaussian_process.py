"""Gaussian process regression for simulators: the estimator."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal, Self, overload

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, check_X_y, validate_data

from surrogate.emulators.gp.exact import ExactPosterior
from surrogate.emulators.gp.hyperparameters import Chosen, Prior, choose, posterior_covariance, refine
from surrogate.emulators.gp.inputs import Inputs, Trend, TrendKind
from surrogate.emulators.gp.kernels import FAMILIES, Kernel
from surrogate.emulators.gp.likelihood import Problem, negative_log_likelihood
from surrogate.emulators.gp.outputs import WARPS, Outputs, Warp
from surrogate.emulators.threads import few_threads
from surrogate.space import Space

__all__ = ["GaussianProcess"]

FloatArray = NDArray[np.float64]

# The kernels that "auto" tries. All from the first one's optimum, the likelihood decides.
AUTO_KERNELS = ("matern52", "squared_exponential", "matern32")

# Up to this many runs the hyper-parameters' uncertainty matters enough to be worth its cost.
UNCERTAIN_ROWS = 500

# By how much, times the root of the number of runs, the log likelihood must rise for a warp to be taken.
WARP_MARGIN = 0.5

# Outputs of one point that differ by less than this part of their range are the same but for rounding.
SAME_OUTPUT = 1e-9

# Rows predicted at a time: bounds the memory of the cross-correlation.
CHUNK_ROWS = 4096


class GaussianProcess(RegressorMixin, BaseEstimator):
    """Gaussian process regression with everything chosen by likelihood, and intervals that say what is not known.

    The covariance is a product over the inputs, each factor a one-dimensional correlation with its own length scale
    and its own floor, so that main effects and interactions get the weight that data give them. Hyper-parameters
    maximise the restricted likelihood times a weak prior, from several starts with analytic gradients; trend and
    variance follow in closed form.

    Parameters
    ----------
    kernel : "auto", "matern52", "matern32", "squared_exponential" or "rational_quadratic"
        One-dimensional correlation; "auto" takes the likeliest of the first three.
    trend : "constant", "linear" or "quadratic"
        Polynomial of the scaled inputs under the process.
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
        Whether standard deviations include what is unknown of the hyper-parameters, to first order. "auto" up to 500
        runs, beyond that they are known well.
    calibrate : bool
        Whether standard deviations grow where the closed-form leave-one-out residuals are larger than they should be.
        They never shrink.

    Attributes
    ----------
    kernel_, trend_, warp_ : str or None
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
        Standard deviation of the noise; 0 without. In the output's unit.
    log_likelihood_ : float
        Restricted log likelihood at the optimum, without the prior, up to a constant.
    inflation_ : float
        Factor of the standard deviations from `calibrate` and from the variance's own uncertainty (Student's t).
    n_features_in_ : int
    feature_names_in_ : array of shape (d,), if fitted on a DataFrame

    References
    ----------
    .. [1] C. E. Rasmussen, C. K. I. Williams, "Gaussian Processes for Machine Learning", MIT Press 2006.
    .. [2] J. Sacks, W. J. Welch, T. J. Mitchell, H. P. Wynn, "Design and Analysis of Computer Experiments",
       Statistical Science 4(4), 1989.
    .. [3] N. Durrande, D. Ginsbourger, O. Roustant, "Additive covariance kernels for high-dimensional Gaussian process
       modeling", Annales de la Faculte des Sciences de Toulouse 21(3), 2012.

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
        trend: TrendKind = "constant",
        noise: Literal["estimate"] | float | None = None,
        warp: Literal["auto"] | Warp | None = "auto",
        anova: bool = True,
        nugget: float = 1e-12,
        n_starts: int = 3,
        hyper_uncertainty: Literal["auto"] | bool = "auto",
        calibrate: bool = True,
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
        x, targets = self._checked(X, y, space)
        self._inputs, z = Inputs.of(x, space)
        self._trend = Trend.of(self.trend, z)
        noise = self._known_noise(noise_std, len(targets))
        z, targets, noise, estimates_noise = self._merge_repeated(z, targets, noise)
        self.trend_ = self.trend
        with few_threads(len(targets)):
            self._choose(z, targets, noise, estimates_noise)
        self._tell()
        return self

    def _check_options(self) -> None:
        if self.kernel != "auto" and self.kernel not in FAMILIES:
            raise ValueError(f"kernel must be 'auto' or one of {sorted(FAMILIES)}, got {self.kernel!r}")
        if self.trend not in ("constant", "linear", "quadratic"):
            raise ValueError(f"trend must be 'constant', 'linear' or 'quadratic', got {self.trend!r}")
        if self.warp not in ("auto", None, *WARPS):
            raise ValueError(f"warp must be 'auto', None, 'log' or 'sqrt', got {self.warp!r}")
        if not (self.noise is None or self.noise == "estimate" or _is_number(self.noise)):
            raise ValueError(f"noise must be None, 'estimate' or a standard deviation, got {self.noise!r}")
        if not self.nugget >= 0:
            raise ValueError(f"nugget must not be negative, got {self.nugget}")
        if self.n_starts < 1:
            raise ValueError(f"n_starts must be at least 1, got {self.n_starts}")

    def _checked(self, X: Any, y: Any, space: Space | None) -> tuple[Any, FloatArray]:
        if space is None:
            x, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=2)
        else:
            x = space.validate(X)
            _, y = check_X_y(np.zeros((len(x), 1)), y, y_numeric=True, ensure_min_samples=2)
            self.n_features_in_ = space.d
            self.feature_names_in_ = np.array(space.names, dtype=object)
        return x, np.asarray(y, dtype=np.float64)

    def _columns(self, X: Any) -> FloatArray:
        """New inputs as scaled columns."""
        check_is_fitted(self)
        if self._inputs.space is None:
            X = validate_data(self, X, dtype=np.float64, reset=False)
        return self._inputs.scaled(X)

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
        self._outputs = Outputs.of(y, None if self.warp == "auto" else self.warp)
        variances = None if noise is None else self._scaled_noise(noise)
        basis, nugget = self._trend.basis(z), max(self.nugget, np.finfo(float).eps)
        kernel = Kernel(families[0], self.anova)
        problem = Problem(kernel, z, self._outputs.forward(y), basis, nugget, variances, estimates_noise)
        covariance = None
        if not problem.y.any():
            # Constant outputs say nothing about the hyper-parameters.
            theta = Prior.of(problem).mean
        else:
            chosen = choose(problem, families, self.n_starts)
            if self.warp == "auto" and noise is None and not estimates_noise and y.min() > 0:
                chosen = self._try_warps(y, chosen, families)
            problem, theta = chosen.problem, chosen.theta
            if self.hyper_uncertainty is True or (self.hyper_uncertainty == "auto" and len(y) <= UNCERTAIN_ROWS):
                covariance = posterior_covariance(problem, theta)
        self._posterior = ExactPosterior.of(problem, theta, covariance)
        self.log_likelihood_ = -negative_log_likelihood(problem, theta)[0]

    def _scaled_noise(self, noise: FloatArray) -> FloatArray:
        return np.asarray((noise / (self._outputs.unit * self._outputs.scale)) ** 2)

    def _try_warps(self, y: FloatArray, plain: Chosen, families: tuple[str, ...]) -> Chosen:
        """The best of warps and none; sets the outputs' scaling that belongs to it."""
        degrees = len(y) - plain.problem.basis.shape[1]
        best, least = plain, plain.value - self._outputs.log_jacobian(y, degrees) - WARP_MARGIN * np.sqrt(len(y))
        for warp in WARPS:
            outputs = Outputs.of(y, warp)
            warped = dataclasses.replace(plain.problem, y=outputs.forward(y))
            found = refine(warped, plain.theta, families)
            value = found.value - outputs.log_jacobian(y, degrees)
            if value < least:
                best, least, self._outputs = found, value, outputs
        return best

    def _tell(self) -> None:
        """Set the public attributes from the posterior."""
        posterior, outputs = self._posterior, self._outputs
        problem, f = posterior.problem, posterior.factorised
        d = problem.z.shape[1]
        kernel_theta, ratio, _ = problem.split(posterior.theta)
        self.kernel_ = problem.kernel.family
        self.warp_ = outputs.warp
        self.length_scales_ = self._inputs.own_scales(np.exp(kernel_theta[:d]))
        self.floors_ = 1.0 / (1.0 + np.exp(-kernel_theta[d:])) if problem.kernel.anova else np.zeros(d)
        self.nugget_ = f.nugget
        scale = outputs.unit * outputs.scale
        with np.errstate(over="ignore", under="ignore"):  # outputs of 1e300 have an infinite variance, and still a std
            self.variance_ = float(np.float64(scale) ** 2 * f.variance)
        self.noise_std_: Any = float(scale * np.sqrt(ratio * f.variance))
        if problem.noise is not None:
            self.noise_std_ = scale * np.sqrt(problem.noise)
        n, p = problem.basis.shape
        # The variance is estimated: Student's t with n - p degrees of freedom, whose own variance is finite above two.
        student = 1.0 + 2.0 / max(n - p - 2, 1)
        surprise = 1.0
        if self.calibrate and problem.y.any():
            mean, variance = posterior.leave_one_out()
            surprise = max(1.0, float(((problem.y - mean) ** 2 / variance).mean()) / student)
        self.inflation_ = float(np.sqrt(student * surprise))

    @overload
    def predict(self, X: ArrayLike, return_std: Literal[False] = False) -> FloatArray: ...
    @overload
    def predict(self, X: ArrayLike, return_std: Literal[True]) -> tuple[FloatArray, FloatArray]: ...
    def predict(self, X: ArrayLike, return_std: bool = False) -> Any:
        """Mean, and standard deviation if asked for, of the output at new points, without noise.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        return_std : bool

        Returns
        -------
        mean : array of shape (m,)
        std : array of shape (m,)
            Only if `return_std`; includes what is unknown of trend, variance and hyper-parameters.
        """
        moments = self._moments(self._columns(X), with_variance=return_std or bool(self._outputs.warp))
        mean, std = self._outputs.moments(*moments)
        return (mean, std) if return_std else mean

    def _moments(self, z: FloatArray, *, with_variance: bool = True) -> tuple[FloatArray, FloatArray]:
        """Mean and variance of scaled outputs at scaled points."""
        with few_threads(len(self._posterior.problem.y)):
            parts = [
                self._posterior.predict(part, self._trend.basis(part), with_variance=with_variance)
                for part in np.split(z, range(CHUNK_ROWS, len(z), CHUNK_ROWS))
            ]
        return np.concatenate([m for m, _ in parts]), self.inflation_**2 * np.concatenate([v for _, v in parts])

    def probability(self, X: ArrayLike, *, below: float | None = None, above: float | None = None) -> FloatArray:
        """Probability that the output, without noise, lies below or above a threshold, or between two.

        Parameters
        ----------
        X : array or DataFrame of shape (m, d)
        below, above : float
            At least one, in the output's unit.

        Returns
        -------
        array of shape (m,)

        Examples
        --------
        >>> gp = GaussianProcess().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
        >>> gp.probability([[0.1], [1.9]], below=1.0).round(2)
        array([1., 0.])
        """
        if below is None and above is None:
            raise ValueError("give below, above, or both")
        mean, variance = self._moments(self._columns(X))
        std = np.sqrt(variance)

        def share(threshold: float | None, default: float) -> FloatArray:
            t = default if threshold is None else self._outputs.threshold(threshold)
            return np.asarray(scipy.special.ndtr((t - mean) / std))

        return np.maximum(share(below, np.inf) - share(above, -np.inf), 0.0)

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

    def leave_one_out(self) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation at every training point as predicted from the others.

        Hyper-parameters and variance stay as fitted, the trend is estimated without the point. Of a noise-free point
        that was given twice all copies are left out.

        Returns
        -------
        mean, std : array of shape (n,)
            With noise, of the noisy output.

        References
        ----------
        .. [1] O. Dubrule, "Cross validation of kriging in a unique neighborhood", Mathematical Geology 15(6), 1983.
        """
        check_is_fitted(self)
        mean, variance = self._posterior.leave_one_out()
        mean, std = self._outputs.moments(mean, self.inflation_**2 * variance)
        return mean[self._group], std[self._group]

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
        """
        z = self._columns(X)
        _, targets = check_X_y(z, y, y_numeric=True)
        noise = self._known_noise(noise_std, len(targets))
        old = self._posterior.problem
        n = len(old.y)
        if (old.noise is None) != (noise is None):
            raise ValueError("noise_std must be given where the fit had it, and only there")
        t = self._outputs.forward(np.asarray(targets, dtype=float))
        group = np.arange(n + len(t))
        if noise is None and not old.estimates_noise:
            order, group, agrees = _repeated(np.vstack([old.z, z]), np.concatenate([old.y, t]))
            if not agrees.all():
                row = int(np.flatnonzero(~agrees)[0]) - n
                raise ValueError(f"X: row {row} repeats a point with another output; fit anew, with noise='estimate'")
            new = order[n:] - n
            z, t = z[new], t[new]
        self._group = group[np.concatenate([self._group, np.arange(n, len(group))])]
        if len(t):
            scaled = None if noise is None else self._scaled_noise(noise)
            with few_threads(n + len(t)):
                self._posterior = self._posterior.extended(z, t, self._trend.basis(z), scaled)
                self._tell()
        return self


def _repeated(z: FloatArray, y: FloatArray) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row numbers of points the first time, which of these each point is, and whether their outputs are the same."""
    _, first, group = np.unique(z, axis=0, return_index=True, return_inverse=True)
    group = group.ravel()
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    agrees = np.abs(y - y[first[group]]) <= SAME_OUTPUT * np.ptp(y)
    return first[order], place[group], agrees


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and bool(0 <= value < np.inf)
