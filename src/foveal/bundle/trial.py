"""Does an engine run here at all? It is given a graph of five nodes, in a process of its own.

`python -m foveal.bundle.trial ENGINE` is that process.
"""

import json
import sys
import time
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from foveal.bundle.ways import Way, precisions
from foveal.core import child
from foveal.core.errors import FovealError

# logits = mean level of each channel of (N, 4, 4, 3), probabilities = their softmax. The test writes it anew.
MODEL = b64decode(
    "CAo6pwIKIQoGaW1hZ2VzEgZsZXZlbHMiBENhc3QqCQoCdG8YAaABAgouCgZsZXZlbHMSBnBsYW5lcyIJVHJhbnNwb3NlKhEK"
    "BHBlcm1AAEADQAFAAqABBwoiCgZwbGFuZXMSBW1lYW5zIhFHbG9iYWxBdmVyYWdlUG9vbAoYCgVtZWFucxIGbG9naXRzIgdG"
    "bGF0dGVuCi0KBmxvZ2l0cxINcHJvYmFiaWxpdGllcyIHU29mdG1heCoLCgRheGlzGAGgAQISBW1lYW5zWiEKBmltYWdlcxIX"
    "ChUIAhIRCgMSAU4KAggECgIIBAoCCANiIAoNcHJvYmFiaWxpdGllcxIPCg0IARIJCgMSAU4KAggDYhkKBmxvZ2l0cxIPCg0I"
    "ARIJCgMSAU4KAggDQgQKABAS"
)


@dataclass(frozen=True)
class Trial:
    """How an engine did.

    Attributes:
        name: Its file in `bundle/engines`.
        version: Name and version, or None.
        works: It computed what it should.
        error: What went wrong, or None.
        milliseconds: Of loading and the first run, or None.
        precisions: In which it computes here; empty where it does not work.
    """

    name: str
    version: str | None
    works: bool
    error: str | None
    milliseconds: float | None = None
    precisions: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "name": self.name,
            "version": self.version,
            "works": self.works,
            "error": self.error,
            "first_run_ms": self.milliseconds,
            "precisions": list(self.precisions),
        }


def trial(engine: str) -> Trial:
    """Return how an engine of `bundle/engines` does in a fresh process; nothing is raised."""
    told = child.ask(__name__, engine)
    if told.answer is None:
        return Trial(engine, None, False, told.error)
    return Trial(**told.answer)


def _try(engine: str) -> Trial:
    version = None
    try:
        start = time.perf_counter()
        session = Way(engine, "fp32", 1).load(MODEL)
        version = session.engine
        images = np.arange(96, dtype=np.uint8).reshape(2, 4, 4, 3)
        probabilities, logits = session.run(images)
        spent = (time.perf_counter() - start) * 1e3
    except (FovealError, ImportError) as error:
        return Trial(engine, version, False, str(error))
    means = images.mean(axis=(1, 2))
    exact = np.exp(means - means.max(axis=1, keepdims=True))
    exact /= exact.sum(axis=1, keepdims=True)
    if not (np.allclose(logits, means, atol=1e-3) and np.allclose(probabilities, exact, atol=1e-4)):
        return Trial(engine, version, False, "it computes something else than it should")
    return Trial(engine, version, True, None, round(spent, 2), precisions(engine))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(_try(sys.argv[1]))))
