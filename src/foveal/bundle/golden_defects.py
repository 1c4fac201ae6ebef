"""Golden vectors of what looks for defects: does this engine see the same on a few pictures?"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import golden
from foveal.bundle.session import Float32, Session, UInt8
from foveal.data.preprocess import Preprocess
from foveal.tasks.defect.decode import OUTPUTS, DefectAnswers, checked

# How far a score, or a place of a map, may be from the sealed one, as a share of 1 + the largest sealed one:
# distances have a unit of their own. As of how unknown a picture is, see `golden.UNKNOWN_TOLERANCES`.
SHARES = golden.UNKNOWN_TOLERANCES
PLACES = 8  # of a map along each side that are kept: so its size needs no entry in the manifest
_LEAST = 2  # pictures


@dataclass(frozen=True)
class GoldenDefects:
    """A few pictures, and what the sealed model saw on them.

    Attributes:
        inputs: uint8 (G, H, W, C), 1 ≤ G ≤ 4; synthetic, never a user's picture.
        scores: How defective it found them, float32 (G,).
        maps: How strongly 8 × 8 places of each show each kind, evenly spread, float32 (G, K, 8, 8).
    """

    inputs: UInt8
    scores: Float32
    maps: Float32

    @property
    def members(self) -> dict[str, NDArray[Any]]:
        """The arrays by the name of their file in a bundle."""
        answers = {f"golden_{name}.npy": getattr(self, name) for name in OUTPUTS}
        return {"golden_inputs.npy": self.inputs, **answers}

    def row(self, index: int) -> "GoldenDefects":
        """Return one of the pictures."""
        only = slice(index, index + 1)
        return GoldenDefects(self.inputs[only], self.scores[only], self.maps[only])


def measure(session: Session, preprocess: Preprocess, *, kinds: int) -> GoldenDefects:
    """Return golden vectors as an engine runs the model here.

    Of twelve synthetic pictures those are kept whose maps vary most from place to place: a map that is the
    same everywhere says nothing of places.
    """
    inputs = golden.synthetic(preprocess.sides, preprocess.channels)
    answers = _answers(session, inputs, kinds)
    count = max(_LEAST, min(golden.COUNT, golden.BYTES // inputs[0].nbytes))
    most = np.argsort(-np.ptp(answers.maps, axis=(1, 2, 3)), kind="stable")[:count]
    return GoldenDefects(inputs[most], answers.scores[most], answers.maps[most])


def verify(session: Session, sealed: GoldenDefects, *, kinds: int, graph: str = "fp32") -> None:
    """Compare what the engine sees here with what was seen at sealing.

    Args:
        session: The engine.
        sealed: What was measured.
        kinds: How many kinds of defect the model knows.
        graph: Precision of the graph: `manifest.model.precision`.

    Raises:
        BundleError: `golden_mismatch`: a score, or a place of a map, differs by more than the precision
            allows.
    """
    share = max(SHARES[graph], SHARES[session.precision])
    answers = _answers(session, sealed.inputs, kinds)
    for name in OUTPUTS:
        found, known = getattr(answers, name), getattr(sealed, name)
        difference, allowed = float(np.abs(found - known).max()), share * (1 + float(np.abs(known).max()))
        if not difference <= allowed:
            what = f"{name} are off by {difference:.2g}; up to {allowed:.2g} is allowed"
            raise golden.mismatch(session, what)


def from_members(members: Mapping[str, bytes], *, preprocess: Preprocess, kinds: int) -> GoldenDefects:
    """Return the golden vectors that `.npy` files hold, which must have the shapes the manifest implies.

    Args:
        members: Content by the name of the file.
        preprocess: Gives the shape of the pictures.
        kinds: How many kinds of defect the model knows.

    Raises:
        BundleError: `tampered`: another dtype, shape or length, NaN or infinity.
    """
    name = "golden_inputs.npy"
    counts = range(1, golden.COUNT + 1)
    inputs: UInt8 = golden.stored(members[name], counts, preprocess.shape, np.uint8, name)
    shapes: dict[str, tuple[int, ...]] = {"scores": (), "maps": (kinds, PLACES, PLACES)}
    found = {
        name: golden.finite(members[f"golden_{name}.npy"], len(inputs), shapes[name], f"golden_{name}.npy")
        for name in OUTPUTS
    }
    return GoldenDefects(inputs, **found)


def _answers(session: Session, inputs: UInt8, kinds: int) -> DefectAnswers:
    """Return what is seen at the places that are kept, one picture a call: a batch would keep its buffers."""
    parts = [checked(session.answer(inputs[i : i + 1]), 1, kinds=kinds) for i in range(len(inputs))]
    maps = np.concatenate([part.maps for part in parts])
    down, across = (((np.arange(PLACES) + 0.5) * side / PLACES).astype(np.int64) for side in maps.shape[2:])
    scores: Float32 = np.concatenate([part.scores for part in parts])
    return DefectAnswers(scores, np.ascontiguousarray(maps[:, :, down[:, None], across]))
