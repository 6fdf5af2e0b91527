"""Networks as teachers and students: a PyTorch module as a scikit-learn classifier. Needs the extra ``distill``."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

__all__ = ["TorchClassifier"]

# Rows answered at a time: a convolution's intermediate images of more would not fit into the caches.
PREDICT_ROWS = 1024


class TorchClassifier(ClassifierMixin, BaseEstimator):
    """A PyTorch module that learns classes, or a teacher's probabilities of them.

    Parameters
    ----------
    network : callable
        ``network(n_outputs) -> torch.nn.Module`` with logits as output, one a class.
    input_shape : tuple of int, optional
        What a row is made to before the module sees it, e.g. ``(1, 28, 28)``.
    scale : float
        What inputs are multiplied by, e.g. ``1 / 255`` for images in bytes; these stay bytes in memory.
    epochs, batch_size, learning_rate, weight_decay : int and float
        Of AdamW with one cosine cycle.
    max_steps : int, optional
        Batches at most, however many rows there are.
    label_smoothing : float
        Share of each label that goes to all classes.
    temperature : float
        Of logits and soft labels while learning [1]_; the loss is multiplied by its square, as there.
    augment : callable, optional
        ``augment(batch, generator) -> batch`` of tensors of shape ``(n, *input_shape)``, applied in training only.
    n_threads : int, optional
        Threads of PyTorch while it works; by default as PyTorch is set.
    device : str
    random_state : int

    Attributes
    ----------
    classes_ : array of shape (k,)
    module_ : torch.nn.Module
    n_parameters_ : int
    n_features_in_ : int

    References
    ----------
    .. [1] G. Hinton, O. Vinyals, J. Dean, "Distilling the Knowledge in a Neural Network", arXiv:1503.02531, 2015.

    Examples
    --------
    >>> student = TorchClassifier(lambda k: torch.nn.Linear(64, k), scale=1 / 16, epochs=5)  # doctest: +SKIP
    >>> student.fit(digits.data, digits.target).n_parameters_  # doctest: +SKIP
    650
    """

    soft_labels = True  # y may be probabilities

    def __init__(
        self,
        network: Callable[[int], Any],
        *,
        input_shape: tuple[int, ...] | None = None,
        scale: float = 1.0,
        epochs: int = 20,
        max_steps: int | None = None,
        batch_size: int = 64,
        learning_rate: float = 2e-3,
        weight_decay: float = 1e-4,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
        augment: Callable[[Any, Any], Any] | None = None,
        n_threads: int | None = None,
        device: str = "cpu",
        random_state: int = 0,
    ) -> None:
        self.network = network
        self.input_shape = input_shape
        self.scale = scale
        self.epochs = epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.temperature = temperature
        self.augment = augment
        self.n_threads = n_threads
        self.device = device
        self.random_state = random_state

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, classes: Any = None) -> TorchClassifier:
        """Train a new module.

        Parameters
        ----------
        X : array of shape (n, d)
        y : array of shape (n,) or (n, k)
            Classes, or probabilities of `classes`.
        sample_weight : array of shape (n,), optional
        classes : array of shape (k,), optional
            Names of the columns of probabilities; not needed with classes in `y`.

        Returns
        -------
        self

        Raises
        ------
        ModuleNotFoundError
            If PyTorch is not installed.
        ValueError
            If shapes do not match, a weight is negative, or probabilities come without classes.
        """
        torch = _torch()
        if self.epochs < 1 or self.batch_size < 1:
            raise ValueError(f"epochs and batch_size must be at least 1, got {self.epochs} and {self.batch_size}")
        X = validate_data(self, X, dtype=None)
        y = np.asarray(y)
        if len(y) != len(X):
            raise ValueError(f"y must have as many rows as X ({len(X)}), got {len(y)}")
        if y.ndim == 2:
            if classes is None or len(classes) != y.shape[1]:
                raise ValueError(f"y has {y.shape[1]} columns of probabilities: classes must name them, got {classes}")
            self.classes_, targets = np.asarray(classes), torch.as_tensor(y, dtype=torch.float32)
        else:
            self.classes_, codes = np.unique(y, return_inverse=True)
            targets = torch.as_tensor(codes, dtype=torch.int64)
        weights = None
        if sample_weight is not None:
            checked = _check_sample_weight(sample_weight, X, dtype=np.float32, ensure_non_negative=True)
            weights = torch.as_tensor(checked / checked.mean())
        with _settings(torch, self.random_state, self.n_threads) as generator:
            module = self.network(len(self.classes_)).to(self.device)
            self._train(torch, module, X, targets, weights, generator)
            self.module_ = module.eval().to("cpu")
        self.n_parameters_ = sum(p.numel() for p in module.parameters())
        return self

    def _train(self, torch: Any, module: Any, X: Any, targets: Any, weights: Any, generator: Any) -> None:
        steps = self.epochs * -(-len(X) // self.batch_size)
        steps = steps if self.max_steps is None else min(steps, self.max_steps)
        optimiser = torch.optim.AdamW(module.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        rows = torch.as_tensor(X)
        temperature = self.temperature
        module.train()
        batches: Iterator[Any] = iter(())
        for _ in range(steps):
            batch = next(batches, None)
            if batch is None:  # a new epoch
                batches = iter(torch.randperm(len(rows), generator=generator).split(self.batch_size))
                batch = next(batches)
            inputs = self._inputs(torch, rows[batch])
            if self.augment is not None:
                inputs = self.augment(inputs, generator)
            goal = targets[batch].to(self.device)
            if temperature != 1 and goal.ndim == 2:
                goal = torch.softmax(goal.clamp_min(1e-6).log() / temperature, dim=1)
            losses = torch.nn.functional.cross_entropy(
                module(inputs.to(self.device)) / temperature,
                goal,
                reduction="none",
                label_smoothing=self.label_smoothing,
            )
            # By the mean weight of all rows: of its own a batch could have none, and its rows would count too much.
            loss = losses.mean() if weights is None else (losses * weights[batch]).mean()
            optimiser.zero_grad(set_to_none=True)
            (loss * temperature**2).backward()
            optimiser.step()
            schedule.step()

    def _inputs(self, torch: Any, rows: Any) -> Any:
        scaled = rows.to(torch.float32) * self.scale
        return scaled if self.input_shape is None else scaled.reshape(len(rows), *self.input_shape)

    def decision_function(self, X: Any) -> NDArray[np.float64]:
        """Logits; array of shape (m, k)."""
        torch = _torch()
        check_is_fitted(self)
        X = validate_data(self, X, dtype=None, reset=False)
        with _settings(torch, self.random_state, self.n_threads), torch.inference_mode():
            parts = [
                self.module_(self._inputs(torch, torch.as_tensor(X[start : start + PREDICT_ROWS]))).numpy()
                for start in range(0, len(X), PREDICT_ROWS)
            ]
        return np.concatenate(parts).astype(float)

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of ``classes_``; array of shape (m, k)."""
        z = self.decision_function(X)
        p = np.exp(z - z.max(axis=1, keepdims=True))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest classes; array of shape (m,)."""
        logits = self.decision_function(X)
        return np.asarray(self.classes_[logits.argmax(axis=1)])

    def copy_module(self) -> Any:
        """A copy of the trained module, for use without this package."""
        check_is_fitted(self)
        return copy.deepcopy(self.module_)


def _torch() -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "TorchClassifier needs PyTorch: pip install 'surrogate-learn[distill]'", name="torch"
        ) from error
    return torch


@contextmanager
def _settings(torch: Any, seed: int, threads: int | None) -> Iterator[Any]:
    """PyTorch's random numbers and threads as asked for, and afterwards as they were."""
    state, before = torch.random.get_rng_state(), torch.get_num_threads()
    try:
        if threads is not None:
            torch.set_num_threads(threads)
        # Modules draw their first weights, and dropout its masks, from the global state.
        torch.manual_seed(seed)
        yield torch.Generator().manual_seed(seed)
    finally:
        torch.random.set_rng_state(state)
        torch.set_num_threads(before)
