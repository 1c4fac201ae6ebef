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
        look: What the pictures look like whatever they show, float32 (N, L) of `_look.look`; None: not known.
        rounded_look: The same as an engine in bf16 finds it.
    """

    features: Float32 | None = field(repr=False)
    logits: Float32 = field(repr=False)
    look: Float32 | None = field(default=None, repr=False)
    rounded_look: Float32 | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Known:
    """What scores are fitted on.

    Attributes:
        answers: Of the graph for N ≥ 0 pictures that it learned from.
        labels: Of these, integers (N,) in [0, K).
        strange: Its answers for pictures of nothing, made of others that it learned from, by kind.
        most_bytes: So large the parameters of a score may be.
        shape: Height, width and channels of all pictures, where their looks are known.
    """

    answers: Answers
    labels: NDArray[np.integer] = field(repr=False)
    strange: Mapping[str, Answers] = field(default_factory=dict, repr=False)
    most_bytes: int = 1 << 16
    shape: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class Node:
    """One operator of the standard domain, opset 18 or later.

    Attributes:
        op: Its type.
        inputs: `features`, `logits`, `images` as they come in, names of parameters, or outputs of earlier
            nodes.
        outputs: What it writes; the last node of a score writes `unknown`.
        attributes: Of the operator.
    """

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, int | list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Score:
    """A fitted score.

    Attributes:
        name: Of its file.
        parameters: What was fitted, float16 or float32; computed with in float32.
        nodes: From `features`, `logits`, `images` and the parameters to `unknown`, in the order they run.
            Besides them nodes may read `one` and `axis`, the constants 1.0 and [1].
        compute: The same in numpy, from the parameters as float32 and what the graph answers, to (N,).
        fitted: Whether any parameter depends on pictures; else they only say how to compute.
        exposed: Whether it has learned from pictures of nothing.
        beyond: Area under the ROC curve that it may stand behind others on pictures of nothing, for what it
            sees in real unknown things and those do not have.
    """

    name: str
    parameters: Parameters = field(repr=False)
    nodes: tuple[Node, ...] = field(repr=False)
    compute: Callable[[Parameters, Answers], Float32] = field(repr=False)
    fitted: bool = True
    exposed: bool = False
    beyond: float = 0.0

    @property
    def size_bytes(self) -> int:
        """Return how long the parameters are in a file."""
        return sum(array.nbytes for array in self.parameters.values())

    def of(self, answers: Answers) -> Float32:
        """Return how unknown N pictures are, float32 (N,); larger is more so.

        Args:
            answers: Of the graph for them.
        """
        wide = {name: array.astype(np.float32) for name, array in self.parameters.items()}
        return self.compute(wide, answers).astype(np.float32)
