"""Distance to the nearest class beside the distance to everything, in units of the spread of features.

Source: Lee et al., "A Simple Unified Framework for Detecting Out-of-Distribution Samples and Adversarial
Attacks", 2018, eq. 2; relative to the distance to all: Ren et al., "A Simple Fix to Mahalanobis Distance for
Improving Near-OOD Detection", 2021, eq. 2. https://arxiv.org/abs/2106.09022

Written out, it takes two D×D matrices. Nearly all of them cancels: take directions A with AᵀWA = 1 and
AᵀTA = λ, for the spread W within classes and the whole spread T = W + B. B, the spread of the K class means,
has a rank below K, so all but K - 1 of the λ are 1, and in these directions the class means are equal: both
distances grow by the same there. What is left are the K - 1 directions of Fisher's discriminant.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score

Float64 = NDArray[np.float64]
_SHRUNK = 1e-4  # of the mean spread, added to every direction: some features never move


def mahalanobis(known: Known) -> Score | None:
    """Return the score min_k d²(x, class k) - d²(x, all), any real number, or None.

    With y the discriminant directions of x - mean it is min_k (|m_k|² - 2 y·m_k) + Σ (1 - 1/λ) y².
    """
    if known.answers.features is None or len(known.answers.features) == 0:
        return None
    present, members = np.unique(known.labels, return_inverse=True)
    width = known.answers.features.shape[1]
    rank = min(len(present) - 1, width)
    if rank < 1 or len(known.answers.features) < 2 * len(present):
        return None
    features = known.answers.features.astype(np.float64)
    mean = features.mean(axis=0)
    counts = np.bincount(members).astype(np.float64)
    inside = (members == np.arange(len(present))[:, None]).astype(np.float64)
    means = inside @ (features - mean) / counts[:, None]
    directions, ratios = _discriminant(features - mean - means[members], means, counts)
    directions, ratios = directions[:, :rank], ratios[:rank]
    middles = means @ directions
    parameters = {
        "directions": directions.astype(np.float32),
        "offset": (mean @ directions).astype(np.float32),
        "twice": (2 * middles.T).astype(np.float32),
        "squares": np.square(middles).sum(axis=1).astype(np.float32),
        "weights": (1 - 1 / ratios)[:, None].astype(np.float32),
    }
    score = Score("mahalanobis", parameters, _NODES, _compute)
    return score if score.size_bytes <= known.most_bytes else None


_NODES = (
    Node("MatMul", ("features", "directions"), ("projected",)),
    Node("Sub", ("projected", "offset"), ("y",)),
    Node("MatMul", ("y", "twice"), ("along",)),
    Node("Sub", ("squares", "along"), ("to_classes",)),
    Node("ReduceMin", ("to_classes", "axis"), ("nearest",), {"keepdims": 1}),
    Node("Mul", ("y", "y"), ("y_squared",)),
    Node("MatMul", ("y_squared", "weights"), ("common",)),
    Node("Add", ("nearest", "common"), ("column",)),
    Node("Squeeze", ("column", "axis"), ("unknown",)),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    if answers.features is None:
        raise ValueError("distances need features")
    y = answers.features @ parameters["directions"] - parameters["offset"]
    nearest = (parameters["squares"] - y @ parameters["twice"]).min(axis=1)
    found: Float32 = nearest + (np.square(y) @ parameters["weights"])[:, 0]
    return found


def _discriminant(inside: Float64, means: Float64, counts: Float64) -> tuple[Float64, Float64]:
    """Return directions (D, D) in which the spread within classes is 1, and their λ (D,), falling.

    Args:
        inside: Features less their class mean, (N, D).
        means: Class means less the mean of all, (K, D).
        counts: Pictures of each class, (K,).
    """
    n = len(inside)
    within = inside.T @ inside / n
    within += _SHRUNK * max(float(np.trace(within)) / len(within), 1e-12) * np.eye(len(within))
    spreads, axes = np.linalg.eigh(within)
    whitening = axes / np.sqrt(spreads)
    moved = (means @ whitening) * np.sqrt(counts / n)[:, None]
    between, turned = np.linalg.eigh(moved.T @ moved)
    return whitening @ turned[:, ::-1], 1 + np.maximum(between[::-1], 0)
