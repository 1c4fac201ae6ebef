"""How a network learns, in numpy: softmax, cross-entropy, derivatives, mini-batch gradient descent.

    python examples/learning_rules.py OUT [DATA]

trains a small convolutional network on the handwritten digits of scikit-learn, or on DATA, with every
derivative written out; holds these derivatives against finite differences and against torch; and ships the
weights as a bundle like any other. docs/learning-rules.md has the formulas beside this code. foveal itself
trains with torch.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import nn

import foveal
from foveal.bundle.manifest import Data, Images
from foveal.data.fingerprint import fingerprint
from foveal.data.inventory import content_hashes
from foveal.data.preprocess import Preprocess
from foveal.export import Origin, bundle
from foveal.flows.demo import lay_out
from foveal.tasks.recognizer import Recognizer
from foveal.train import Examples

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]
Weights = dict[str, Floats]
SIZE, FILTERS, SIDE = 8, 8, 3


def initial(channels: int, classes: int, rng: np.random.Generator) -> Weights:
    """Return weights whose products keep the variance of what goes through a ReLU (He et al., 2015)."""
    inputs, features = channels * SIDE**2, FILTERS * (SIZE - SIDE + 1) ** 2
    return {
        "filters": rng.normal(0, (2 / inputs) ** 0.5, (FILTERS, channels, SIDE, SIDE)),
        "shift": np.zeros(FILTERS),
        "matrix": rng.normal(0, (1 / features) ** 0.5, (classes, features)),
        "bias": np.zeros(classes),
    }


def patches(x: Floats) -> Floats:
    """Return what each place of a convolution sees, (N, C, H, W) → (N, C, H', W', SIDE, SIDE)."""
    return np.lib.stride_tricks.sliding_window_view(x, (SIDE, SIDE), axis=(2, 3))


def forward(weights: Weights, x: Floats) -> tuple[Floats, Floats]:
    """Return hidden maps before the ReLU, (N, FILTERS, H', W'), and logits (N, K)."""
    hidden = np.einsum("nchwij,fcij->nfhw", patches(x), weights["filters"], optimize=True)
    hidden = hidden + weights["shift"][:, None, None]
    features = np.maximum(hidden, 0).reshape(len(x), -1)
    return hidden, features @ weights["matrix"].T + weights["bias"]


def softmax(logits: Floats) -> Floats:
    """Return probabilities p_k = exp(z_k) / Σ_j exp(z_j), (N, K).

    The largest z is taken off first: that changes no share, and exp stays finite.
    """
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats = powers / powers.sum(axis=1, keepdims=True)
    return shares


def cross_entropy(logits: Floats, labels: Labels) -> float:
    """Return the mean of -ln p_y = ln Σ_j exp(z_j) - z_y over the images, in nats."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    right = shifted[np.arange(len(labels)), labels]
    return float((np.log(np.exp(shifted).sum(axis=1)) - right).mean())


def gradients(weights: Weights, x: Floats, labels: Labels) -> Weights:
    """Return the derivatives of the mean cross-entropy by all weights, from the last layer to the first."""
    hidden, logits = forward(weights, x)
    features = np.maximum(hidden, 0).reshape(len(x), -1)

    by_logits = softmax(logits)  # ∂L/∂z = (p - y) / N, with y = 1 for the true class
    by_logits[np.arange(len(labels)), labels] -= 1
    by_logits /= len(labels)

    by_features = by_logits @ weights["matrix"]  # z = A f + b
    by_hidden = by_features.reshape(hidden.shape) * (hidden > 0)  # f = max(h, 0)
    return {
        "matrix": by_logits.T @ features,
        "bias": by_logits.sum(axis=0),
        "filters": np.einsum("nfhw,nchwij->fcij", by_hidden, patches(x), optimize=True),  # h = w * x + s
        "shift": by_hidden.sum(axis=(0, 2, 3)),
    }


def batches(images: int, size: int, rng: np.random.Generator) -> Iterator[Labels]:
    """Yield the rows of one pass over the images: a fresh order, in pieces; the last may be smaller."""
    order = rng.permutation(images)
    for start in range(0, images, size):
        yield order[start : start + size]


def descend(
    weights: Weights, x: Floats, labels: Labels, *, epochs: int = 15, batch_size: int = 32, rate: float = 0.1
) -> list[float]:
    """Move the weights, in place, by mini-batch gradient descent: w ← w - η ∂L/∂w.

    Returns:
        The loss over all images after each pass.
    """
    rng, losses = np.random.default_rng(1), []
    for _ in range(epochs):
        for rows in batches(len(x), batch_size, rng):
            for name, gradient in gradients(weights, x[rows], labels[rows]).items():
                weights[name] -= rate * gradient
        losses.append(cross_entropy(forward(weights, x)[1], labels))
    return losses


def by_differences(weights: Weights, x: Floats, labels: Labels, name: str, index: tuple[int, ...]) -> float:
    """Return (L(w + ε) - L(w - ε)) / 2ε for one weight: what its derivative has to be."""
    sides = []
    for step in (1e-5, -1e-5):
        moved = {key: value.copy() for key, value in weights.items()}
        moved[name][index] += step
        sides.append(cross_entropy(forward(moved, x)[1], labels))
    return (sides[0] - sides[1]) / 2e-5


def by_torch(weights: Weights, x: Floats, labels: Labels) -> Weights:
    """Return the same derivatives from torch's automatic differentiation."""
    leaves = {name: torch.tensor(value, requires_grad=True) for name, value in weights.items()}
    hidden = F.conv2d(torch.from_numpy(x), leaves["filters"], leaves["shift"])
    logits = F.linear(torch.relu(hidden).flatten(1), leaves["matrix"], leaves["bias"])
    F.cross_entropy(logits, torch.from_numpy(labels)).backward()  # type: ignore[no-untyped-call]
    return {name: leaf.grad.numpy() for name, leaf in leaves.items() if leaf.grad is not None}


def network(weights: Weights) -> nn.Module:
    """Return the same function as a module of torch, for the export."""
    filters, matrix = (torch.from_numpy(weights[name]).float() for name in ("filters", "matrix"))
    made = nn.Sequential(
        nn.Conv2d(filters.shape[1], FILTERS, SIDE),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(matrix.shape[1], len(matrix)),
    )
    values = (filters, torch.from_numpy(weights["shift"]), matrix, torch.from_numpy(weights["bias"]))
    with torch.no_grad():
        for parameter, value in zip(made.parameters(), values, strict=True):
            parameter.copy_(value)
    return made.eval()


def main(out: Path, data: Path | None = None) -> None:
    """Learn, check the derivatives, and ship."""
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    dataset = foveal.data.open(data or lay_out("digits", out / "digits"))
    preprocess = Preprocess(size=SIZE, channels=1, mean=(0.3,), std=(0.35,))
    images = np.stack([preprocess(sample.picture.decode(1)) for sample in dataset])
    x = ((images / 255 - 0.3) / 0.35).transpose(0, 3, 1, 2)
    labels = np.asarray(dataset.labels)
    order = np.random.default_rng(0).permutation(len(x))
    learned, held_out = order[: len(order) * 2 // 3], order[len(order) * 2 // 3 :]

    weights = initial(1, len(dataset.classes), np.random.default_rng(0))
    first = learned[:16]
    ours, theirs = gradients(weights, x[first], labels[first]), by_torch(weights, x[first], labels[first])
    for name, gradient in ours.items():
        index = tuple(np.unravel_index(np.abs(gradient).argmax(), gradient.shape))
        measured = by_differences(weights, x[first], labels[first], name, tuple(map(int, index)))
        print(
            f"{name:8} largest derivative {gradient[index]:+.6f}, by differences {measured:+.6f}; "
            f"from torch's at most {np.abs(gradient - theirs[name]).max():.0e}"
        )

    losses = descend(weights, x[learned], labels[learned])
    right = forward(weights, x[held_out])[1].argmax(axis=1) == labels[held_out]
    print(f"loss {losses[0]:.3f} after the first pass, {losses[-1]:.3f} after pass {len(losses)}")
    print(f"{right.mean():.3f} of {len(right)} pictures right that it did not learn from")
    path = ship(weights, dataset, preprocess, Examples(images, labels, held_out), out / "learned.foveal")
    print(f"bundle {path}")


def ship(
    weights: Weights, dataset: foveal.data.Dataset, preprocess: Preprocess, calib: Examples, path: Path
) -> Path:
    """Seal the weights as a bundle: the same calibration, the same gate."""
    names = [dataset.classes[label] for label in dataset.labels]
    made_from = fingerprint(dataset.sources, names, content_hashes(dataset))
    counts = Images(fit=len(dataset) - len(calib), calib=len(calib), test=0)
    exported = bundle(
        Recognizer(network(weights), "learning_rules", {}, preprocess, dataset.classes),
        path,
        calib=calib,
        origin=Origin(Data(fingerprint=made_from, split_seed=0, images=counts), source="numpy"),
    )
    if exported.bundle is None:
        raise SystemExit("the exported file decides differently from the network")
    return exported.bundle


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:3] or ["learning_rules"]))
