"""How far the features point away from those of pictures that were learned from.

Source: Sun et al., "Out-of-Distribution Detection with Deep Nearest Neighbors", 2022, §3: features of length
1, distance to the k-th nearest of a stored bank. Cosine distance is half the square of the Euclidean one
there, so it ranks pictures equally.
"""

import numpy as np

from foveal.calibrate.unknowns._score import SMALLEST, Answers, Float32, Known, Node, Parameters, Score

_ROUNDS = 20  # of moving the middles
_EACH, _TOGETHER = 2, 32  # middles of a class, and of all where there are few
_BYTES = 2  # of a number: float16


def knn(known: Known) -> Score | None:
    """Return the score 1 - cosine to the nearest row of the bank, in [0, 2], or None.

    All features do not fit into a small file. The bank holds the middles of groups, the same number for each
    class (Lloyd's algorithm on the sphere, from an even choice): one such middle stands for its group, and
    so the nearest takes the place of the k-th nearest of all.
    """
    if known.answers.features is None or len(known.answers.features) == 0:
        return None
    features = _unit(known.answers.features)
    present = np.unique(known.labels)
    each = known.most_bytes // (_BYTES * features.shape[1]) // len(present)
    if each < 1:
        return None
    each = min(each, max(_EACH, _TOGETHER // len(present)))
    groups = [_middles(features[known.labels == label], each) for label in present]
    bank = np.concatenate(groups).T.astype(np.float16)
    return Score("knn", {"bank": bank, "smallest": np.array(SMALLEST)}, _NODES, _compute)


_NODES = (
    Node("ReduceL2", ("features", "axis"), ("length",), {"keepdims": 1}),
    Node("Max", ("length", "smallest"), ("divisor",)),
    Node("Div", ("features", "divisor"), ("unit",)),
    Node("MatMul", ("unit", "bank"), ("cosines",)),
    Node("ReduceMax", ("cosines", "axis"), ("nearest",), {"keepdims": 0}),
    Node("Sub", ("one", "nearest"), ("unknown",)),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    if answers.features is None:
        raise ValueError("cosines need features")
    found: Float32 = np.float32(1) - (_unit(answers.features) @ parameters["bank"]).max(axis=1)
    return found


def _unit(features: Float32) -> Float32:
    lengths = np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, SMALLEST), np.float32)


def _middles(features: Float32, count: int) -> Float32:
    """Return at most `count` directions, float32 (≤ count, D), that directions lie around."""
    if len(features) <= count:
        return features
    middles = features[np.linspace(0, len(features) - 1, count).round().astype(int)]
    for _ in range(_ROUNDS):
        nearest = (features @ middles.T).argmax(axis=1)
        inside = (nearest == np.arange(count)[:, None]).astype(np.float32)
        taken = inside.any(axis=1, keepdims=True)
        middles = np.where(taken, _unit(inside @ features), middles)
    return np.asarray(middles)
