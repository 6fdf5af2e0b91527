"""From 1,000 labelled digits to one readable tree: network -> small network -> millions of warped copies -> tree.

    python examples/mnist/chain.py                       # default: one draw of the labels, 10 to 20 minutes on 2 cores
    python examples/mnist/chain.py --quick               # a few minutes' worth of everything, for a first look
    python examples/mnist/chain.py --data mnist.npz      # images from a file instead of from openml.org

Needs the extra ``distill`` (PyTorch). Writes ``report.md`` and ``mnist.png`` beside itself, or where ``--out`` says.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from digits import Bytes, Warp, article_network, load, pooled, small_network
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

import surrogate as sg

HERE = Path(__file__).parent
N_LABELLED = 1000
# Images of the pool that no tree learns from: what is chosen is chosen by agreement with the teacher on them.
N_HELD_OUT = 5000


# Trees of up to so many leaves learn probabilities, larger ones classes.
SOFT_LEAVES = 1000


@dataclass(frozen=True)
class Copies:
    """A transfer set to choose from: the pool and warped copies of it.

    Large trees need more and bolder copies, small ones hardly any.
    """

    warp: Warp
    n: int  # of each image
    least: int  # leaves of the trees that learn from it
    most: int

    def __str__(self) -> str:
        return f"{self.n} of {self.warp.affine}/{self.warp.shift}/{self.warp.elastic}"


@dataclass(frozen=True)
class Effort:
    """How much is done."""

    teacher_epochs: int = 80
    article_steps: int = 1500
    leaves: tuple[int, ...] = (50, 200, 500, 1000, 2000, 5000, 10_000)
    copies: tuple[Copies, ...] = (
        Copies(Warp(0.4, 0.8, 0.34), 2, 0, 500),
        Copies(Warp(0.4, 0.6, 0.5, varied=True), 4, 0, 1000),
        Copies(Warp(0.7, 1.2, 1.1, varied=True), 90, 2000, 10_000),
    )
    # Rounds of tree alternating optimisation, up to so many leaves.
    rounds: tuple[tuple[int, int], ...] = ((1000, 6), (2000, 2), (10_000, 1))
    student_epochs: int = 12

    def n_refine(self, leaves: int) -> int:
        """Rounds for a tree of so many leaves."""
        return next(rounds for most, rounds in self.rounds if leaves <= most)


QUICK = Effort(
    teacher_epochs=15,
    article_steps=160,
    leaves=(50, 500, 2000),
    copies=(Copies(Warp(0.4, 0.6, 0.5, varied=True), 2, 0, 10_000),),
    rounds=((10_000, 1),),
    student_epochs=1,
)


@dataclass
class Digits:
    """One draw: 1,000 labelled images, the others without their labels, and the test images."""

    labelled: Bytes
    labels: NDArray[Any]
    pool: Bytes
    test: Bytes
    test_labels: NDArray[Any]

    @classmethod
    def draw(cls, seed: int, path: str | None) -> Digits:
        x, y, x_test, y_test = load(path)
        chosen = np.random.default_rng(seed).permutation(len(x))[:N_LABELLED]
        return cls(x[chosen], y[chosen], x, x_test, y_test)


class Clock:
    """CPU seconds of each step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self.last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - self.last
        self.last = now


def network(seed: int, build: Callable[[int], Any] = article_network, **options: Any) -> Any:
    """A network on images in bytes."""
    return sg.TorchClassifier(build, input_shape=(1, 28, 28), scale=1 / 255, random_state=seed, **options)


def article(digits: Digits, effort: Effort, seed: int) -> dict[str, float]:
    """The article's chain: network, self-training at 0.98 whose labels stay, tree with default settings."""
    teacher = sg.SelfTraining(
        network(seed, epochs=effort.teacher_epochs, max_steps=effort.article_steps, augment=Warp()),
        threshold=0.98,
        rounds=1,
        unlabelled=digits.pool,
        validation=0.0,
        balance=None,
        permanent=True,
    ).fit(digits.labelled, digits.labels)
    points = teacher.pseudo_labels_
    tree = DecisionTreeClassifier(random_state=seed).fit(
        np.concatenate([digits.labelled, points.X]), np.concatenate([digits.labels, points.y])
    )
    return {"accuracy": tree.score(digits.test, digits.test_labels), "leaves": tree.get_n_leaves()}


def transfer_set(images: Bytes, known: Any, copies: Copies, student: Any, seed: int) -> tuple[Bytes, NDArray[Any]]:
    """Means of 2 x 2 pixels of images and of their warped copies, and what the small network says of them."""
    points, told = [pooled(images)], [known]
    for k in range(copies.n):
        warped = copies.warp.of_bytes(images, 1000 * seed + k)
        points.append(pooled(warped))
        told.append(sg.label(student, warped, labels="soft").probabilities)
    return np.concatenate(points), np.concatenate(told)


def student_trees(
    digits: Digits, known: Any, student: Any, effort: Effort, seed: int, clock: Clock
) -> dict[int, tuple[Any, str]]:
    """By number of leaves: the tree of the transfer set whose tree agrees best with the teacher on held-out images."""
    order = np.random.default_rng(seed).permutation(len(digits.pool))
    held, used = order[:N_HELD_OUT], order[N_HELD_OUT:]
    held_points = pooled(digits.pool[held])
    found: dict[int, tuple[float, Any, str]] = {}
    for copies in effort.copies:
        points, soft = transfer_set(digits.pool[used], known.probabilities[used], copies, student, seed)
        hard = known.classes[soft.argmax(axis=1)]
        clock.lap("warped copies and their labels")
        for leaves in effort.leaves:
            if not copies.least <= leaves <= copies.most:
                continue
            tree = sg.BinnedTree(leaves, max_bins=32, n_refine=effort.n_refine(leaves))
            if leaves <= SOFT_LEAVES:
                tree.fit(points, soft, classes=known.classes)
            else:
                tree.fit(points, hard)
            agreement = float((tree.predict(held_points) == known.y[held]).mean())
            if leaves not in found or agreement > found[leaves][0]:
                found[leaves] = (agreement, tree, str(copies))
        clock.lap("trees")
    return {leaves: (tree, name) for leaves, (_, tree, name) in found.items()}


def direct_trees(digits: Digits, leaves: tuple[int, ...], seed: int) -> dict[int, float]:
    """Accuracy of trees grown on the labelled images alone, on 2 x 2 means, by number of leaves at most."""
    small, test = pooled(digits.labelled), pooled(digits.test)
    return {
        n: DecisionTreeClassifier(max_leaf_nodes=n, random_state=seed)
        .fit(small, digits.labels)
        .score(test, digits.test_labels)
        for n in leaves
    }


def one_draw(digits: Digits, effort: Effort, seed: int) -> dict[str, Any]:
    """Everything for one draw of the labels."""
    clock = Clock()
    raw = DecisionTreeClassifier(random_state=seed).fit(digits.labelled, digits.labels)
    out: dict[str, Any] = {"direct": raw.score(digits.test, digits.test_labels), "direct leaves": raw.get_n_leaves()}
    direct = direct_trees(digits, effort.leaves, seed)
    clock.lap("direct trees")
    out["article"] = article(digits, effort, seed)
    clock.lap("article's chain")

    teacher = network(seed, epochs=effort.teacher_epochs, augment=Warp()).fit(digits.labelled, digits.labels)
    clock.lap("teacher")
    known = sg.label(teacher, digits.pool, labels="soft")
    test_answers = teacher.predict(digits.test)
    clock.lap("teacher's answers")
    out["teacher"] = float((test_answers == digits.test_labels).mean())

    student = network(
        seed, small_network, epochs=effort.student_epochs, batch_size=128, learning_rate=4e-3,
        augment=Warp(0.6, 1.2, 0.5), temperature=2.0,
    )  # fmt: skip
    student.fit(digits.pool, known.probabilities, classes=known.classes)
    clock.lap("student network")

    trees = student_trees(digits, known, student, effort, seed, clock)
    test = pooled(digits.test)
    out["curve"] = pd.DataFrame(
        [
            {
                "leaves": leaves,
                "accuracy": tree.score(test, digits.test_labels),
                "fidelity": float((tree.predict(test) == test_answers).mean()),
                "mean path": float(tree.nodes_.depth[tree.apply(test)].mean()),
                "copies": name,
                "direct": direct[leaves],
            }
            for leaves, (tree, name) in sorted(trees.items())
        ]
    ).set_index("leaves")
    clock.lap("evaluation")

    models = {"teacher": teacher, "student network": student}
    out["compression"] = sg.compare_models(models, digits.test, digits.test_labels)
    out["seconds"] = pd.Series(clock.seconds)
    return out


def written(result: dict[str, Any]) -> str:
    """The result as text."""
    return "\n".join(
        [
            "# From 1,000 labelled digits to one tree",
            "",
            f"Tree on the 1,000 labels: accuracy {result['direct']:.4f} ({result['direct leaves']} leaves).",
            f"The article's chain: {result['article']['accuracy']:.4f} ({result['article']['leaves']} leaves).",
            f"Teacher: {result['teacher']:.4f}.",
            "",
            "One axis-parallel tree on 2 x 2 means, by number of leaves, beside the tree grown on the labels directly:",
            "",
            result["curve"].to_string(float_format=lambda v: f"{v:.4f}"),
            "",
            "Compression:",
            "",
            result["compression"].to_string(float_format=lambda v: f"{v:.4g}"),
            "",
            "CPU seconds:",
            "",
            result["seconds"].round(1).to_string(),
            "",
        ]
    )


def draw(result: dict[str, Any], digits: Digits, warp: Warp, out: Path) -> None:
    """Accuracy against leaves, and what the trees learn from."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=(3, 2))
    curve = result["curve"]
    left.plot(curve.index, curve["accuracy"], "o-", color="#0077BB", label="tree taught by the chain")
    left.plot(curve.index, curve["direct"], "o-", color="0.6", label="tree grown on the 1,000 labels")
    for name, value in (("network (teacher)", result["teacher"]), ("article's chain", result["article"]["accuracy"])):
        left.axhline(value, color="0.8", linewidth=1, zorder=0)
        left.annotate(f"{name} {value:.3f}", (curve.index[0], value), va="bottom", fontsize=8, color="0.35")
    left.set(xscale="log", xlabel="leaves, at most", ylabel="accuracy on 10,000 test images", ylim=(0.6, 1.01))
    left.legend(frameon=False, fontsize=8, loc="lower right")
    images = np.repeat(digits.pool[:4], 5, axis=0)
    warped = warp.of_bytes(images, seed=1)
    warped[::5] = digits.pool[:4]
    tiles = pooled(warped).reshape(4, 5, 14, 14).transpose(0, 2, 1, 3).reshape(56, 70)
    right.imshow(tiles, cmap="gray_r")
    right.set_title("images, and four warped copies of each", fontsize=9)
    right.set_axis_off()
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", help="an .npz with x_train, y_train, x_test, y_test; by default from openml.org")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path, default=HERE / "report.md")
    arguments = parser.parse_args()
    digits, effort = Digits.draw(arguments.seed, arguments.data), QUICK if arguments.quick else Effort()
    result = one_draw(digits, effort, arguments.seed)
    arguments.out.write_text(written(result))
    draw(result, digits, effort.copies[-1].warp, arguments.out.with_name("mnist.png"))
    print(written(result))


if __name__ == "__main__":
    main()
