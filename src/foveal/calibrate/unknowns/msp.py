"""One minus the largest probability.

Source: Hendrycks & Gimpel, "A Baseline for Detecting Misclassified and Out-of-Distribution Examples in
Neural Networks", 2017. https://arxiv.org/abs/1610.02136
"""

import numpy as np

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score


def msp(known: Known) -> Score:
    """Return the score 1 - max softmax(logits), in [0, 1); nothing is fitted."""
    del known
    return Score("msp", {}, _NODES, _compute, fitted=False)


_NODES = (
    Node("Softmax", ("logits",), ("p",), {"axis": 1}),
    Node("ReduceMax", ("p", "axis"), ("largest",), {"keepdims": 0}),
    Node("Sub", ("one", "largest"), ("unknown",)),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    del parameters
    exponentials = np.exp(answers.logits - answers.logits.max(axis=1, keepdims=True))
    largest: Float32 = (exponentials / exponentials.sum(axis=1, keepdims=True)).max(axis=1)
    return np.float32(1) - largest
