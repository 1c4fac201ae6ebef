"""Three views at once: the bank of known features, the energy of the logits, and what noise looks like.

The third is a linear one that has learned to tell known pictures from pictures of nothing; the idea is
Hendrycks et al., "Deep Anomaly Detection with Outlier Exposure", 2019, here for one layer behind a network
that is finished, by least squares. Alone it knows the kinds it has seen; nearest neighbours know others, and
their sum is blind where all three are. https://arxiv.org/abs/1812.04606
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score
from foveal.calibrate.unknowns.energy import energy
from foveal.calibrate.unknowns.knn import knn

Vector = NDArray[np.float64]
_SHRUNK = 0.05  # of the spread of each feature, against chance differences
_FIXED = {"features", "logits", "images", "one", "axis"}


def exposed(known: Known) -> Score | None:
    """Return the sum of `knn`, `energy` and a linear score, any real number, or None.

    Each is divided by its standard deviation over known pictures.
    """
    features = known.answers.features
    strange = [each.features for each in known.strange.values() if each.features is not None]
    if features is None or len(features) < 2 or not strange:
        return None
    width = features.shape[1]
    near = knn(replace(known, most_bytes=known.most_bytes - 4 * width - 64))
    if near is None:
        return None
    logit = energy(known)
    line = _line(features, strange)
    scales = [_spread(part, known.answers) for part in (near, logit)]
    parameters = {
        "line": (line / max(float((features @ line).std()), 1e-12))[:, None].astype(np.float32),
        "near_scale": np.array(1 / scales[0], np.float32),
        "logit_scale": np.array(1 / scales[1], np.float32),
        **{f"near_{name}": array for name, array in near.parameters.items()},
    }
    nodes = (*_renamed(near, "near_"), *_renamed(logit, "logit_"), *_SUM)

    def compute(wide: Parameters, answers: Answers) -> Float32:
        if answers.features is None:
            raise ValueError("a linear score needs features")
        parts = {
            prefix: score.compute(_own(wide, prefix), answers) * wide[f"{prefix}scale"]
            for prefix, score in (("near_", near), ("logit_", logit))
        }
        found: Float32 = parts["near_"] + parts["logit_"] + (answers.features @ wide["line"])[:, 0]
        return found

    return Score("exposed", parameters, nodes, compute, exposed=True)


_SUM = (
    Node("Mul", ("near_unknown", "near_scale"), ("near_part",)),
    Node("Mul", ("logit_unknown", "logit_scale"), ("logit_part",)),
    Node("MatMul", ("features", "line"), ("column",)),
    Node("Squeeze", ("column", "axis"), ("line_part",)),
    Node("Add", ("near_part", "logit_part"), ("two_parts",)),
    Node("Add", ("two_parts", "line_part"), ("unknown",)),
)


def _renamed(score: Score, prefix: str) -> tuple[Node, ...]:
    def names(some: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name if name in _FIXED else prefix + name for name in some)

    return tuple(
        replace(node, inputs=names(node.inputs), outputs=names(node.outputs)) for node in score.nodes
    )


def _own(parameters: Parameters, prefix: str) -> Parameters:
    return {name.removeprefix(prefix): a for name, a in parameters.items() if name.startswith(prefix)}


def _spread(score: Score, answers: Answers) -> float:
    return max(float(score.of(answers).std()), 1e-12)


def _line(features: Float32, strange: list[Float32]) -> Vector:
    """Return weights (D,) by ridge regression to 1 for unknown, each kind equally, and -1 for known."""
    groups = [features, *strange]
    rows = np.concatenate(groups).astype(np.float64)
    weights = np.concatenate([
        np.full(len(group), (0.5 if place == 0 else 0.5 / len(strange)) / len(group))
        for place, group in enumerate(groups)
    ])  # fmt: skip
    targets = np.where(np.arange(len(rows)) < len(features), -1.0, 1.0)
    rows = rows - weights @ rows
    spread = np.sqrt(weights @ np.square(rows)) + 1e-6
    rows = rows / spread
    weighted = rows * weights[:, None]
    square = weighted.T @ rows + _SHRUNK * np.eye(rows.shape[1])
    found: Vector = np.linalg.solve(square, weighted.T @ targets) / spread
    return found
