"""Ways to run a bundle: which engine, computing in which precision, with how many threads."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from foveal.bundle import engines
from foveal.bundle.ir import Ir
from foveal.bundle.session import Session
from foveal.core import catalog
from foveal.core.errors import MissingExtraError

REFERENCE = "onnxruntime"  # is always there; what was sealed was measured on it
MOST_FLIPS = 0.005  # share of pictures that a way to run, or a rounded file, may label otherwise
# The same of all that is decided, by what `agreement.flips` counts. One picture has many objects, some at the
# very edge of being shown, and thousands of pixels at borders: rounding moves a hundredth of these, and what
# the answers are worth by a tenth of a point (docs/benchmarks.md).
MOST_FLIPS_OF = {"pictures": MOST_FLIPS, "objects": 0.02, "pixels": 0.02}


@dataclass(frozen=True)
class Way:
    """One way to run a bundle.

    Attributes:
        engine: A file of `bundle/engines`.
        precision: In which the engine computes what the graph leaves in float32; one of its `precisions()`.
        threads: Of one call.
    """

    engine: str
    precision: str
    threads: int

    def load(self, model: bytes, forms: Mapping[str, Ir] = MappingProxyType({})) -> Session:
        """Return a session for a graph; see `bundle.engines`.

        Args:
            model: The serialized ONNX graph.
            forms: The same in the own form of an engine, by its name: that engine takes it instead.
        """
        given = forms.get(self.engine, model)
        session: Session = catalog.find(engines, self.engine)(
            given, threads=self.threads, precision=self.precision
        )
        return session


def precisions(engine: str) -> tuple[str, ...]:
    """Return in which precisions an engine computes on this processor, "fp32" first.

    Raises:
        UnknownNameError: No such engine.
        MissingExtraError: It is not installed.
    """
    load = catalog.find(engines, engine)
    found: tuple[str, ...] = importlib.import_module(load.__module__).precisions()
    return found


def called(graph: str, computed: str) -> str:
    """Return what the precision of a graph in an engine is called.

    Args:
        graph: `manifest.model.precision`.
        computed: `session.precision`.

    >>> called("fp32", "bf16"), called("int8", "fp32"), called("int8", "bf16")
    ('bf16', 'int8', 'int8+bf16')
    """
    if graph == "fp32":
        return computed
    return graph if computed == "fp32" else f"{graph}+{computed}"


def here(names: Sequence[str] | None = None) -> dict[str, tuple[str, ...]]:
    """Return the engines that are installed, each with the precisions in which it computes.

    Args:
        names: Files of `bundle/engines`; None: all, and those that are not installed are left out.

    Raises:
        UnknownNameError, MissingExtraError: An engine that was named is not there.
    """
    found = {}
    for name in catalog.names(engines) if names is None else names:
        try:
            found[name] = precisions(name)
        except MissingExtraError:
            if names is not None:
                raise
    return found
