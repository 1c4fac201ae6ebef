"""The free energy of the logits: low where the network has seen anything like it.

Source: Liu et al., "Energy-based Out-of-distribution Detection", 2020, eq. 4 and 6 with T = 1.
https://arxiv.org/abs/2010.03759
"""

import numpy as np

from foveal.calibrate.unknowns._score import Answers, Float32, Known, Node, Parameters, Score


def energy(known: Known) -> Score:
    """Return the score -log Σ exp(logits), any real number; nothing is fitted."""
    del known
    return Score("energy", {}, _NODES, _compute, fitted=False)


_NODES = (
    Node("ReduceLogSumExp", ("logits", "axis"), ("lse",), {"keepdims": 0}),
    Node("Neg", ("lse",), ("unknown",)),
)


def _compute(parameters: Parameters, answers: Answers) -> Float32:
    del parameters
    most = answers.logits.max(axis=1)
    found: Float32 = -(most + np.log(np.exp(answers.logits - most[:, None]).sum(axis=1)))
    return found
