"""What of the features the principal directions leave over, beside the energy of the logits.

Source: Wang et al., "ViM: Out-Of-Distribution with Virtual-logit Matching", 2022, eq. 3 to 6.
https://arxiv.org/abs/2203.10807
"""

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score

Float64 = NDArray[np.float64]
_BYTES = 2  # of a number of the directions: float16


def vim(known: Known) -> Score | None:
    """Return the score α |left over| - log Σ exp(logits), any real number, or None.

    The features are seen from the point where all logits are 0, which features and logits determine; how many
    directions are principal is as in the paper's §5. Where what is left has too many directions for the file,
    those stay in which known pictures move least. α brings both terms to one mean size.
    """
    if known.answers.features is None or len(known.answers.features) < 2:
        return None
    width = known.answers.features.shape[1]
    left = min(width - _principal(width), known.most_bytes // (_BYTES * width) - 4)
    if left < 1:
        return None
    features, logits = known.answers.features.astype(np.float64), known.answers.logits.astype(np.float64)
    origin = _origin(features, logits)
    moved = features - origin
    _, axes = np.linalg.eigh(moved.T @ moved / len(moved))  # rising: what moves least comes first
    directions = axes[:, :left].astype(np.float16)
    length = np.linalg.norm(moved @ directions.astype(np.float64), axis=1).mean()
    alpha = logits.max(axis=1).mean() / length if length > 0 else 0.0
    if not alpha > 0:
        return None
    parameters: Parameters = {
        "directions": directions,
        "offset": (origin @ directions.astype(np.float64)).astype(np.float32),
        "alpha": np.array(alpha, np.float32),
    }
    return Score("vim", parameters, _NODES, _compute)


_NODES = (
    Node("MatMul", ("features", "directions"), ("projected",)),
    Node("Sub", ("projected", "offset"), ("residual",)),
    Node("ReduceL2", ("residual", "axis"), ("length",), {"keepdims": 0}),
    Node("Mul", ("length", "alpha"), ("virtual",)),
    Node("ReduceLogSumExp", ("logits", "axis"), ("lse",), {"keepdims": 0}),
    Node("Sub", ("virtual", "lse"), ("unknown",)),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    if answers.features is None:
        raise ValueError("residuals need features")
    residual = answers.features @ parameters["directions"] - parameters["offset"]
    most = answers.logits.max(axis=1)
    lse = most + np.log(np.exp(answers.logits - most[:, None]).sum(axis=1))
    found: Float32 = np.linalg.norm(residual, axis=1) * parameters["alpha"] - lse
    return found


def _principal(width: int) -> int:
    """Return how many directions are principal: 1000 of 2048 and more, 512 of 768 and more, else half."""
    return 1000 if width >= 2048 else 512 if width >= 768 else width // 2


def _origin(features: Float64, logits: Float64) -> Float64:
    """Return -W⁺b of the last layer, logits = features W + b, found from what it answered."""
    mean = features.mean(axis=0)
    weights, *_ = np.linalg.lstsq(features - mean, logits - logits.mean(axis=0), rcond=1e-9)
    bias = logits.mean(axis=0) - mean @ weights
    origin, *_ = np.linalg.lstsq(weights.T, -bias, rcond=1e-9)
    return np.asarray(origin)
