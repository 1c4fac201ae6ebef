"""Golden vectors of a segmenter: does this engine see the same on a few pictures?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import golden
from foveal.bundle.session import Session, UInt8
from foveal.data.preprocess import Preprocess
from foveal.tasks.segment.decode import OUTPUTS, checked

# Share of the pixels whose class may be another one: where two are equally probable, rounding decides.
SHARES = {"fp32": 0.002, "fp16": 0.01, "bf16": 0.05, "int8": 0.1, "int4": 0.1}
_LEAST = 2  # pictures


@dataclass(frozen=True)
class GoldenRegions:
    """A few pictures, and what the sealed model saw on them.

    Attributes:
        inputs: uint8 (G, H, W, C), 1 ≤ G ≤ 4; synthetic, never a user's picture.
        regions: The class of each pixel, uint8 (G, H, W).
    """

    inputs: UInt8
    regions: UInt8

    @property
    def members(self) -> dict[str, NDArray[Any]]:
        """The arrays by the name of their file in a bundle."""
        return {"golden_inputs.npy": self.inputs, f"golden_{OUTPUTS[0]}.npy": self.regions}

    def row(self, index: int) -> "GoldenRegions":
        """Return one of the pictures."""
        only = slice(index, index + 1)
        return GoldenRegions(self.inputs[only], self.regions[only])


def measure(session: Session, preprocess: Preprocess, *, classes: int) -> GoldenRegions:
    """Return golden vectors of a segmenter as its engine runs it here.

    Of twelve synthetic pictures those are kept on which it sees most classes: one that is all one class says
    nothing of places.
    """
    inputs = golden.synthetic(preprocess.sides, preprocess.channels)
    regions = _answers(session, inputs, classes)
    count = max(_LEAST, min(golden.COUNT, golden.BYTES // inputs[0].nbytes))
    varied = [-len(np.unique(one)) for one in regions]
    most = np.argsort(varied, kind="stable")[:count]
    return GoldenRegions(inputs[most], regions[most])


def verify(session: Session, sealed: GoldenRegions, *, classes: int, graph: str = "fp32") -> None:
    """Compare what the engine sees here with what was seen at sealing.

    Args:
        session: The engine.
        sealed: What was measured.
        classes: How many the model knows.
        graph: Precision of the graph: `manifest.model.precision`.

    Raises:
        BundleError: `golden_mismatch`: more pixels have another class than the precision allows.
    """
    allowed = max(SHARES[graph], SHARES[session.precision])
    regions = _answers(session, sealed.inputs, classes)
    if regions.shape != sealed.regions.shape:
        raise golden.mismatch(session, f"maps of {regions.shape[1:]}")
    share = float((regions != sealed.regions).mean())
    if not share <= allowed:
        what = f"{share:.2%} of the pixels have another class; up to {allowed:.2%} are allowed"
        raise golden.mismatch(session, what)


def from_members(members: Mapping[str, bytes], *, preprocess: Preprocess) -> GoldenRegions:
    """Return the golden vectors that `.npy` files hold, which must have the shapes the manifest implies.

    Args:
        members: Content by the name of the file.
        preprocess: Gives the shape of the pictures.

    Raises:
        BundleError: `tampered`: another dtype, shape or length.
    """
    name, answered = "golden_inputs.npy", f"golden_{OUTPUTS[0]}.npy"
    counts = range(1, golden.COUNT + 1)
    inputs: UInt8 = golden.stored(members[name], counts, preprocess.shape, np.uint8, name)
    only = range(len(inputs), len(inputs) + 1)
    regions: UInt8 = golden.stored(members[answered], only, preprocess.sides, np.uint8, answered)
    return GoldenRegions(inputs, regions)


def _answers(session: Session, inputs: UInt8, classes: int) -> UInt8:
    """Return what is seen, one picture a call: a batch would keep its larger buffers for good."""
    parts = [checked(session.answer(inputs[i : i + 1]), 1, classes=classes) for i in range(len(inputs))]
    return np.concatenate(parts)
