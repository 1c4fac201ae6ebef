"""Generalized entropy of the probabilities: counts how many classes have a small share at all.

Source: Liu et al., "GEN: Pushing the Limits of Softmax-Based Out-of-Distribution Detection", 2023, eq. 2,
with its γ = 0.1 and the M largest of the probabilities, M = min(K, 100).
"""

import numpy as np

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score

_GAMMA, _MOST = 0.1, 100


def gen(known: Known) -> Score:
    """Return the score Σ p^γ (1 - p)^γ over the largest probabilities, ≥ 0; nothing is fitted.

    1 - p of the largest is the sum of the others: a difference would lose, in float32, just the small
    numbers that γ makes large, and every engine would lose others.
    """
    classes = known.answers.logits.shape[1]
    parameters: Parameters = {
        "classes": np.array([classes], np.int64),
        "most": np.array([min(classes, _MOST)], np.int64),
        "zero": np.array([0], np.int64),
        "second": np.array([1], np.int64),
        "gamma": np.array(_GAMMA, np.float32),
    }
    return Score("gen", parameters, _NODES, _compute, fitted=False)


_NODES = (
    Node("Softmax", ("logits",), ("p",), {"axis": 1}),
    Node("TopK", ("p", "classes"), ("sorted", "order"), {"axis": 1, "largest": 1, "sorted": 1}),
    Node("Slice", ("sorted", "zero", "second", "axis"), ("first",)),
    Node("Slice", ("sorted", "second", "classes", "axis"), ("others",)),
    Node("Slice", ("sorted", "second", "most", "axis"), ("counted",)),
    Node("ReduceSum", ("others", "axis"), ("rest",), {"keepdims": 1}),
    Node("Mul", ("first", "rest"), ("product",)),
    Node("Sub", ("one", "counted"), ("complements",)),
    Node("Mul", ("counted", "complements"), ("products",)),
    Node("Concat", ("product", "products"), ("all_products",), {"axis": 1}),
    Node("Pow", ("all_products", "gamma"), ("terms",)),
    Node("ReduceSum", ("terms", "axis"), ("unknown",), {"keepdims": 0}),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    exponentials = np.exp(answers.logits - answers.logits.max(axis=1, keepdims=True))
    p = -np.sort(-exponentials / exponentials.sum(axis=1, keepdims=True), axis=1)
    counted = p[:, 1 : int(parameters["most"][0])]
    products = np.hstack([p[:, :1] * p[:, 1:].sum(axis=1, keepdims=True), counted * (1 - counted)])
    found: Float32 = (products ** parameters["gamma"]).sum(axis=1)
    return found
