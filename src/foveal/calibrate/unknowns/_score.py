"""What a score for unknown pictures is fitted on, and what comes out of that."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Parameters = Mapping[str, NDArray[Any]]
SMALLEST = np.float32(1e-12)  # a length below this is no length


@dataclass(frozen=True)
class Answers:
    """What a graph answers for N pictures.

    Attributes:
        features: What its last layer reads, float32 (N, D); None: it has no such layer.
        logits: Before the temperature, float32 (N, K).
    """

    features: Float32 | None = field(repr=False)
    logits: Float32 = field(repr=False)


@dataclass(frozen=True)
class Known:
    """What scores are fitted on.

    Attributes:
        answers: Of the graph for N ≥ 0 pictures that it learned from.
        labels: Of these, integers (N,) in [0, K).
        strange: Its answers for pictures of nothing, made of others that it learned from, by kind.
        most_bytes: So large the parameters of a score may be.
    """

    answers: Answers
    labels: NDArray[np.integer] = field(repr=False)
    strange: Mapping[str, Answers] = field(default_factory=dict, repr=False)
    most_bytes: int = 1 << 16


@dataclass(frozen=True)
class Node:
    """One operator of the standard domain, opset 18 or later.

    Attributes:
        op: Its type.
        inputs: `features`, `logits`, names of parameters, or outputs of earlier nodes.
        outputs: What it writes; the last node of a score writes `unknown`.
        attributes: Of the operator.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A fitted score.

    Attributes:
        name: Of its file.
        parameters: What was fitted, float16 or float32; computed with in float32.
        nodes: From `features`, `logits` and the parameters to `unknown`, in the order they run. Besides them
            nodes may read `one` and `axis`, the constants 1.0 and [1].
        compute: The same in numpy, from the parameters as float32, features or None, and logits, to (N,).
        fitted: Whether any parameter depends on pictures; else they only say how to compute.
        exposed: Whether it has learned from pictures of nothing.
    """

    name: str
    parameters: Parameters = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False)
    compute: Callable[[Parameters, Float32 | None, Float32], Float32] = field(repr=False)
    fitted: bool = True
    exposed: bool = False

    @property
    def size_bytes(self) -> int:
        """Return how long the parameters are in a file."""
        return sum(array.nbytes for array in self.parameters.values())

    def of(self, features: Float32 | None, logits: Float32) -> Float32:
        """Return how unknown pictures are, float32 (N,); larger is more so.

        Args:
            features: float32 (N, D), or None where the score reads none.
            logits: float32 (N, K).
        """
        wide = {name: array.astype(np.float32) for name, array in self.parameters.items()}
        return self.compute(wide, features, logits).astype(np.float32)
