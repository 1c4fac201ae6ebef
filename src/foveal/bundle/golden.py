"""A few pictures with the answers of the sealed model: does this engine compute the same?"""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.container import tampered
from foveal.bundle.session import Float32, Outputs, Session, UInt8
from foveal.core.errors import BundleError
from foveal.data.preprocess import Preprocess

Float64 = NDArray[np.float64]

# How far a probability may be from the sealed one, by the precision of the graph or of the engine, whichever
# allows more. float32: processors and versions of an engine add in different orders, which stays far below;
# a wrong layout, a lost normalization or bf16 where float32 was promised is far above. The others were
# measured (docs/decisions/0018-engines-and-precision.md), fp16 apart: it rounds 8 times finer than bf16.
TOLERANCES = {"fp32": 1e-3, "fp16": 0.01, "bf16": 0.05, "int8": 0.05, "int4": 0.05}
# The same for how unknown a picture is, as a share of 1 + the largest sealed value: that number has a unit of
# its own and magnifies what the layers before it round. Measured: 0.00002 in float32, 0.13 in bf16.
UNKNOWN_TOLERANCES = {"fp32": 1e-3, "fp16": 0.05, "bf16": 0.25, "int8": 0.25, "int4": 0.25}
COUNT = 4
BYTES = 200_000  # more than two pictures only while they are small
_CANDIDATES = 12


@dataclass(frozen=True)
class Golden:
    """Golden vectors.

    Attributes:
        inputs: uint8 (G, S, S, C), of clips (G, T, S, S, C), 1 ≤ G ≤ 4; synthetic, never a user's picture.
        probabilities: What the model answered, float32 (G, K).
        unknown: How unknown it found them, float32 (G,); None where it does not say, and in older bundles.
    """

    inputs: UInt8
    probabilities: Float32
    unknown: Float32 | None = None

    @property
    def members(self) -> dict[str, UInt8 | Float32]:
        """The arrays by the name of their file in a bundle."""
        members: dict[str, UInt8 | Float32] = {"golden_inputs.npy": self.inputs}
        members["golden_probabilities.npy"] = self.probabilities
        if self.unknown is not None:
            members["golden_unknown.npy"] = self.unknown
        return members

    def row(self, index: int) -> "Golden":
        """Return one of the vectors."""
        only = slice(index, index + 1)
        unknown = None if self.unknown is None else self.unknown[only]
        return Golden(self.inputs[only], self.probabilities[only], unknown)


def measure(session: Session, preprocess: Preprocess) -> Golden:
    """Return golden vectors of a model as its engine runs it here.

    Of twelve synthetic pictures those are kept that the model is least sure of: an answer of 1.0 would
    hide what an engine does wrong.
    """
    inputs = moving(synthetic(preprocess.sides, preprocess.channels), preprocess)
    answers = _answers(session, inputs)
    count = max(2, min(COUNT, BYTES // inputs[0].nbytes))
    unsure = np.argsort(answers.probabilities.max(axis=1), kind="stable")[:count]
    unknown = None if answers.unknown is None else answers.unknown[unsure]
    return Golden(inputs[unsure], answers.probabilities[unsure], unknown)


def verify(session: Session, golden: Golden, *, graph: str = "fp32") -> None:
    """Compare what the engine answers here with what was measured at sealing.

    Args:
        session: The engine.
        golden: What was measured.
        graph: Precision of the graph: `manifest.model.precision`.

    Raises:
        BundleError: Code `golden_mismatch`; some probability, or how unknown a picture is, differs by more
            than the precision allows.
    """
    allowed = max(TOLERANCES[graph], TOLERANCES[session.precision])
    answers = _answers(session, golden.inputs)
    found = answers.probabilities
    if found.shape != golden.probabilities.shape:
        raise mismatch(session, f"{found.shape[1]} classes instead of {golden.probabilities.shape[1]}")
    difference = float(np.abs(found - golden.probabilities).max())
    if not difference <= allowed:
        raise mismatch(session, f"a probability is off by {difference:.2g}; up to {allowed:g} is allowed")
    if golden.unknown is not None:
        allowed = max(UNKNOWN_TOLERANCES[graph], UNKNOWN_TOLERANCES[session.precision])
        _verify_unknown(session, answers.unknown, golden.unknown, allowed)


def _verify_unknown(session: Session, found: Float32 | None, sealed: Float32, share: float) -> None:
    if found is None:
        raise mismatch(session, "it does not say how unknown a picture is")
    difference, allowed = float(np.abs(found - sealed).max()), share * (1 + float(np.abs(sealed).max()))
    if not difference <= allowed:
        what = f"how unknown a picture is is off by {difference:.2g}; up to {allowed:.2g} is allowed"
        raise mismatch(session, what)


def synthetic(sides: tuple[int, int], channels: int, *, count: int = _CANDIDATES) -> UInt8:
    """Return seeded pictures with large and fine structure, uint8 (count, height, width, channels)."""
    from foveal.core import random  # here: numpy.random is needed to seal, not to open

    rng = random.stream(0, "golden")
    makers = (_smooth, _gradient, _checker)
    pictures = [makers[index % 3](sides, channels, rng) for index in range(count)]
    noise = rng.normal(0, 6, (count, *sides, channels))
    return (np.stack(pictures) + noise).round().clip(0, 255).astype(np.uint8)


def moving(pictures: UInt8, preprocess: Preprocess) -> UInt8:
    """Return pictures (N, S, S, C) as clips that move once to the side, uint8 (N, T, S, S, C).

    A recognizer of pictures is given them as they are.
    """
    if preprocess.clip is None:
        return pictures
    frames = preprocess.clip.frames
    steps = [place * preprocess.size // frames for place in range(frames)]
    return np.stack([np.roll(pictures, step, axis=2) for step in steps], axis=1)


def to_bytes(array: NDArray[Any]) -> bytes:
    """Return the `.npy` file of an array."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
    return file.getvalue()


def from_bytes(
    inputs: bytes,
    probabilities: bytes,
    unknown: bytes | None = None,
    *,
    preprocess: Preprocess,
    classes: int,
) -> Golden:
    """Return the golden vectors that `.npy` files hold, which must have the shapes the manifest implies.

    Raises:
        BundleError: Code `tampered`; another dtype, shape or length.
    """
    pictures = stored(inputs, range(1, COUNT + 1), preprocess.shape, np.uint8, "golden_inputs.npy")
    count = len(pictures)
    answers = finite(probabilities, count, (classes,), "golden_probabilities.npy")
    said = None if unknown is None else finite(unknown, count, (), "golden_unknown.npy")
    return Golden(pictures, answers, said)


def finite(content: bytes, count: int, shape: tuple[int, ...], name: str) -> Float32:
    """Return the float32 array of so many rows in `content`; see `stored`.

    Raises:
        BundleError: `tampered`: it is another one, or holds NaN or infinity.
    """
    found: Float32 = stored(content, range(count, count + 1), shape, np.float32, name)
    if not np.isfinite(found).all():
        raise tampered(f"{name} holds NaN or infinity")
    return found


def stored(
    content: bytes, counts: range, shape: tuple[int, ...], dtype: type[np.generic], name: str
) -> NDArray[Any]:
    """Return the array in `content` if it has one of the counts of rows, each of the expected shape.

    Memory is never taken on a header's word.
    """
    file = io.BytesIO(content)
    try:
        version = np.lib.format.read_magic(file)
        found, fortran_order, found_dtype = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise tampered(f"{name} is no NumPy array: {error}") from None
    rows = found[0] if found else 0
    if (version, found[1:], fortran_order, found_dtype) != (
        (1, 0),
        shape,
        False,
        np.dtype(dtype),
    ) or rows not in counts:
        most = (counts[-1], *shape)
        raise tampered(f"{name} holds {found_dtype} {found} instead of at most {np.dtype(dtype)} {most}")
    start, length = file.tell(), math.prod(found) * np.dtype(dtype).itemsize
    if len(content) - start != length:
        raise tampered(f"{name} has {len(content) - start} bytes of numbers instead of {length}")
    return np.frombuffer(content, dtype, offset=start).reshape(found)


def _answers(session: Session, inputs: UInt8) -> Outputs:
    """Return what is answered, one picture a call: a batch would keep its larger buffers for good."""
    answers = (session.run(inputs[index : index + 1]) for index in range(len(inputs)))
    return Outputs.joined([one if isinstance(one, Outputs) else Outputs(*one) for one in answers])


def _smooth(sides: tuple[int, int], channels: int, rng: "np.random.Generator") -> Float64:
    """Return random grey levels on a 6×6 grid with straight lines in between."""
    grid: Float64 = rng.uniform(0, 255, (6, 6, channels))
    across = _between(grid, sides[1])
    return _between(across.transpose(1, 0, 2), sides[0])


def _between(levels: Float64, count: int) -> Float64:
    """Return so many rows for six, the first and last as they are, straight lines in between."""
    place = np.linspace(0, 5, count)
    below = np.minimum(place.astype(int), 4)
    share = (place - below)[:, None, None]
    rows: Float64 = levels[below] * (1 - share) + levels[below + 1] * share
    return rows


def _gradient(sides: tuple[int, int], channels: int, rng: "np.random.Generator") -> Float64:
    """Return a ramp in a random direction for each channel."""
    down, right = np.mgrid[0 : 1 : sides[0] * 1j, 0 : 1 : sides[1] * 1j]
    slope = rng.uniform(-200, 200, (2, channels))
    middle = rng.uniform(60, 200, channels)
    picture: Float64 = middle + down[:, :, None] * slope[0] + right[:, :, None] * slope[1]
    return picture


def _checker(sides: tuple[int, int], channels: int, rng: "np.random.Generator") -> Float64:
    """Return a checkerboard in two random colours."""
    down, right = np.indices(sides) // max(1, min(sides) // int(rng.integers(3, 9)))
    picture: Float64 = rng.uniform(0, 255, (2, channels))[(down + right) % 2]
    return picture


def mismatch(session: Session, what: str) -> BundleError:
    """Return the error of an engine that computes something else than was measured at sealing."""
    return BundleError(
        f"{session.engine} in {session.precision} does not compute what was measured at sealing: {what}",
        code="golden_mismatch",
        hint="install another version of the engine, or export the model again on this machine",
    )
