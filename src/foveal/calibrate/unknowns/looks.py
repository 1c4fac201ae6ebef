"""Four views at once: the three of `exposed`, and how far a picture's looks are from those of known ones.

The fourth is the Mahalanobis distance (Lee et al., 2018, eq. 2) of what `_look` sees in the pixels, as far as
it lies beyond that of half of the known ones: the views of the network are blind where a strange thing falls
on features that classes use, as grey and flat pictures often do. It counts as much as the sum of the others,
each in units of its spread over known pictures. It takes known things for unknown, too, once light or camera
change; what was promised was promised of the old ones.
"""

from dataclasses import replace

import numpy as np

from foveal.calibrate.unknowns._look import nodes, parameters
from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score
from foveal.calibrate.unknowns.exposed import exposed

_BEYOND = 0.03
_SHRUNK = 3e-3  # variance that is added to each number: some are the same in all pictures


def looks(known: Known) -> Score | None:
    """Return the sum of `exposed` and the distance of looks, any real number, or None."""
    look, shape = known.answers.look, known.shape
    if look is None or shape is None or len(look) <= look.shape[1]:
        return None
    middle = look.mean(axis=0)
    constants = parameters(shape, middle)
    taken = sum(array.nbytes for array in constants.values()) + 4 * (look.shape[1] + 1) * look.shape[1] + 64
    views = exposed(replace(known, most_bytes=known.most_bytes - taken))
    if views is None:
        return None
    covariance = np.cov(look.T.astype(np.float64)) + _SHRUNK * np.eye(look.shape[1])
    axes = np.linalg.cholesky(np.linalg.inv(covariance)).astype(np.float32)
    distance = _distance(look, axes, middle)
    usual = np.array(np.median(distance), np.float32)
    fitted = {
        "look_axes": axes,
        "look_middle": middle,
        "look_usual": usual,
        "look_scale": np.array(1 / max(float(distance.std()), 1e-12), np.float32),
        "views_scale": np.array(1 / max(float(views.of(known.answers).std()), 1e-12), np.float32),
    }

    def compute(wide: Parameters, answers: Answers) -> Float32:
        if answers.look is None:
            raise ValueError("the distance of looks needs looks")
        far = _distance(answers.look, wide["look_axes"], wide["look_middle"]) - wide["look_usual"]
        mine = np.maximum(far, 0) * wide["look_scale"]
        found: Float32 = views.compute(wide, answers) * wide["views_scale"] + mine
        return found

    renamed = tuple(
        replace(node, outputs=tuple("views" if name == "unknown" else name for name in node.outputs))
        for node in views.nodes
    )
    made = (*renamed, *nodes(shape), *_SUM)
    found = {**constants, **views.parameters, **fitted}
    return Score("looks", found, made, compute, exposed=True, beyond=_BEYOND)


_SUM = (
    Node("MatMul", ("look", "look_axes"), ("look_along",)),
    Node("ReduceL2", ("look_along", "axis"), ("look_distance",), {"keepdims": 0}),
    Node("Sub", ("look_distance", "look_usual"), ("look_more",)),
    Node("Relu", ("look_more",), ("look_far",)),
    Node("Mul", ("look_far", "look_scale"), ("look_part",)),
    Node("Mul", ("views", "views_scale"), ("views_part",)),
    Node("Add", ("views_part", "look_part"), ("unknown",)),
)


def _distance(look: Float32, axes: Float32, middle: Float32) -> Float32:
    found: Float32 = np.linalg.norm((look - middle) @ axes, axis=1)
    return found
