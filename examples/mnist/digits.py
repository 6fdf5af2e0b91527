"""MNIST, ways to change an image that leave its digit as it is, and the networks of this example."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

Bytes = NDArray[np.uint8]
SIDE = 28


def load(path: str | Path | None = None) -> tuple[Bytes, NDArray[Any], Bytes, NDArray[Any]]:
    """Training images (60000, 784), their digits, test images (10000, 784), their digits.

    From an ``.npz`` with ``x_train``, ``y_train``, ``x_test``, ``y_test``, or by ``sklearn.datasets.fetch_openml``.
    """
    if path is not None:
        with np.load(path) as data:
            x, y, x_test, y_test = (data[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    else:
        from sklearn.datasets import fetch_openml

        images, digits = fetch_openml("mnist_784", version=1, return_X_y=True, as_frame=False)
        images, digits = images.astype(np.uint8), digits.astype(int)
        x, y, x_test, y_test = images[:60000], digits[:60000], images[60000:], digits[60000:]
    return x.reshape(len(x), -1), y.astype(int), x_test.reshape(len(x_test), -1), y_test.astype(int)


@dataclass(frozen=True)
class Warp:
    """How far images are changed at most.

    Attributes
    ----------
    affine : float
        Rotation, shear and scaling: 1 is 15 degrees, 0.25 and 16%.
    shift, elastic : float
        Pixels, of the whole image and, as a standard deviation, of a smooth field of arrows.
    varied : bool
        Whether each image is changed by a random share of all this, so that some stay near what they were.
    """

    affine: float = 1.0
    shift: float = 2.0
    elastic: float = 0.84
    varied: bool = False

    def __call__(self, batch: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Images (n, 1, 28, 28), each changed in its own way."""
        n = len(batch)
        share = torch.rand(n, generator=generator) if self.varied else torch.ones(n)

        def uniform(limit: float, columns: int = 1) -> torch.Tensor:
            drawn = (torch.rand(n, columns, generator=generator) * 2 - 1) * limit * share[:, None]
            return drawn[:, 0] if columns == 1 else drawn

        angle, shear = uniform(0.26 * self.affine), uniform(0.25 * self.affine)
        across, down = (torch.exp(uniform(0.15 * self.affine)) for _ in range(2))
        cos, sin = torch.cos(angle), torch.sin(angle)
        matrix = torch.zeros(n, 2, 3)
        matrix[:, 0, 0], matrix[:, 0, 1] = cos * across, (-sin + shear) * down
        matrix[:, 1, 0], matrix[:, 1, 1] = sin * across, cos * down
        pixel = 2 / SIDE  # the image is 2 wide here
        matrix[:, :, 2] = uniform(self.shift * pixel, 2)
        grid = nn.functional.affine_grid(matrix, [n, 1, SIDE, SIDE], align_corners=False)
        # A smooth field: a few random arrows, spread over the image.
        arrows = torch.randn(n, 2, 5, 5, generator=generator) * (self.elastic * pixel * share)[:, None, None, None]
        field = nn.functional.interpolate(arrows, size=(SIDE, SIDE), mode="bicubic", align_corners=True)
        return nn.functional.grid_sample(batch, grid + field.permute(0, 2, 3, 1), align_corners=False)

    def of_bytes(self, images: Bytes, seed: int, chunk: int = 4096) -> Bytes:
        """The same for images in bytes, shape (n, 784)."""
        generator = torch.Generator().manual_seed(seed)
        out = np.empty_like(images)
        for start in range(0, len(images), chunk):
            part = torch.as_tensor(images[start : start + chunk]).float().reshape(-1, 1, SIDE, SIDE)
            changed = self(part, generator).round().clamp(0, 255)
            out[start : start + chunk] = changed.to(torch.uint8).reshape(len(part), -1).numpy()
        return out


def pooled(images: Bytes) -> Bytes:
    """Means of 2 x 2 pixels, rounded; shape (n, 196)."""
    blocks = images.reshape(-1, 14, 2, 14, 2)
    # Sums by hand: NumPy's mean over two axes of bytes is ten times slower.
    total = blocks[:, :, 0, :, 0].astype(np.uint16)
    for row, column in ((0, 1), (1, 0), (1, 1)):
        total += blocks[:, :, row, :, column]
    return ((total + 2) // 4).astype(np.uint8).reshape(len(images), 196)


def article_network(n_outputs: int, dropout: float = 0.25) -> nn.Module:
    """The article's: two convolutions with pooling and a dense layer of 128."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(64 * 25, 128),
        nn.ReLU(),
        nn.Dropout(dropout),
        nn.Linear(128, n_outputs),
    )


def small_network(n_outputs: int) -> nn.Module:
    """A student of some 8,000 parameters."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 16, 3, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 24, 3, stride=2, padding=1),
        nn.BatchNorm2d(24),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(24 * 16, n_outputs),
    )
