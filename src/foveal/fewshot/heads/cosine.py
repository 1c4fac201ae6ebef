"""The angle to the class means.

Source: Gidaris & Komodakis, "Dynamic Few-Shot Visual Learning without Forgetting", 2018, §3.1; the scale is
left to the temperature. https://arxiv.org/abs/1804.09458
"""

import numpy as np

from foveal.fewshot.heads._head import Float64, Head, Labels, lengthless, prototypes

SCALE = 20.0  # brings the temperature near 1: a cosine is in [-1, 1]


def cosine(coordinates: Float64, labels: Labels, classes: int) -> Head:
    """Return the head with logits 20 cos(x, mean_k)."""
    means = lengthless(prototypes(coordinates, labels, classes))
    return Head(SCALE * means.T, np.zeros(classes), normalized=True)
