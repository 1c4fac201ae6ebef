"""What every engine demands of a graph and of its answers."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.session import NEXT_WINDOW, UNKNOWN, WINDOW, Float32, Outputs
from foveal.core.errors import BundleError, UsageError


class Inputs(NamedTuple):
    """What a graph takes: (H, W, C), or (T, H, W, C) and a window (T, D)."""

    images: tuple[int, ...]
    window: tuple[int, int] | None = None


OUTPUTS = ("probabilities", "logits")
_Told = dict[str, tuple[str, int]]
_OBJECTS: _Told = {"boxes": ("float32", 3), "scores": ("float32", 2), "labels": ("int64", 2)}
_MASKS: _Told = {"masks": ("uint8", 4)}
_REGIONS: _Told = {"regions": ("uint8", 3)}
_DEFECTS: _Told = {"maps": ("float32", 4), "scores": ("float32", 1)}  # the first names them
_ATTRIBUTES: _Told = {"attributes": ("float32", 3)}
# Name, type and number of axes of what graphs answer that say where something is.
SCENE_OUTPUTS: tuple[_Told, ...] = (
    _OBJECTS,
    {**_OBJECTS, **_ATTRIBUTES},
    _REGIONS,
    {**_OBJECTS, **_MASKS},
    {**_OBJECTS, **_MASKS, **_REGIONS},
    _DEFECTS,
)
_SUM_TOLERANCE = 1e-3


def check_precision(engine: str, precision: str, known: Sequence[str]) -> None:
    """Check that an engine computes in a precision on this processor.

    Raises:
        UsageError: Code `no_precision`; it does not.
    """
    if precision not in known:
        raise UsageError(
            f"{engine} computes in {', '.join(known)} on this processor, not in {precision}",
            code="no_precision",
            hint="foveal doctor lists every engine with its precisions",
        )


def inputs(found: Sequence[tuple[str, str, Sequence[int | None]]]) -> Inputs:
    """Return what a graph takes.

    Args:
        found: Name, type and shape of each input; None: a side that is free.

    Raises:
        BundleError: Code `bad_graph`; it is not one input `images`, uint8 (N, H, W, C) with only N free, or,
            for clips, `images` (N, F, H, W, C) with N and F free and `window`, float32 (N, T, D).
    """
    named = sorted((name, kind) for name, kind, _ in found)
    shapes = {name: shape for name, _, shape in found}
    if named == [("images", "uint8")]:
        return Inputs(_sides(shapes["images"], free=1, fixed=3))
    if named != [("images", "uint8"), (WINDOW, "float32")]:
        raise contract(f"one input 'images' of uint8; it has {named}")
    frames, features = _sides(shapes[WINDOW], free=1, fixed=2)
    return Inputs((frames, *_sides(shapes["images"], free=2, fixed=3)), (frames, features))


def _sides(shape: Sequence[int | None], *, free: int, fixed: int) -> tuple[int, ...]:
    """Return the fixed sides behind the free ones."""
    sides = tuple(side for side in shape[free:] if side is not None)
    if len(shape) != free + fixed or len(sides) != fixed or any(side is not None for side in shape[:free]):
        raise contract(f"an input with only N free, or N and the frames; it has {list(shape)}")
    return sides


def classes(outputs: Mapping[str, tuple[str, Sequence[int | None]]]) -> int | None:
    """Return how many classes a graph declares, or None where it leaves that open.

    Args:
        outputs: Type and shape of each output, by name.

    Raises:
        BundleError: Code `bad_graph`; they are not `probabilities` and `logits`, float32 (N, K), and at most
            `unknown` beside them, float32 (N,), and `next_window`, float32 (N, T, D); nor one of
            `SCENE_OUTPUTS`.
    """
    scene = _scene(outputs)
    if scene is not None:
        told = {name: (kind, len(shape)) for name, (kind, shape) in outputs.items()}
        if told != scene:
            raise contract(f"the outputs {scene}; it has {told}")
        return None
    named = sorted((name, kind) for name, (kind, _) in outputs.items())
    if named != sorted((name, "float32") for name in answered(outputs)):
        raise contract(f"the outputs 'probabilities' and 'logits' of float32; it has {named}")
    shapes = [list(outputs[name][1]) for name in OUTPUTS]
    if any(len(shape) != 2 for shape in shapes):
        raise contract(f"outputs (N, classes); they are {shapes}")
    if UNKNOWN in outputs and len(outputs[UNKNOWN][1]) != 1:
        raise contract(f"an output 'unknown' (N,); it is {list(outputs[UNKNOWN][1])}")
    return shapes[0][1]


def answered(outputs: Collection[str]) -> tuple[str, ...]:
    """Return what to ask of a graph with these outputs, in the order of `Outputs`."""
    if (scene := _scene(outputs)) is not None:
        return tuple(scene)
    return (*OUTPUTS, *(name for name in (UNKNOWN, NEXT_WINDOW) if name in outputs))


def _scene(outputs: Collection[str]) -> dict[str, tuple[str, int]] | None:
    """Return what a graph has to answer that says where something is; None: it is a classifier."""
    found = [told for told in SCENE_OUTPUTS if next(iter(told)) in outputs]
    return next((told for told in found if told.keys() == set(outputs)), found[0] if found else None)


def named(asked: Sequence[str], answers: Sequence[NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return what an engine answered by name."""
    return dict(zip(asked, answers, strict=True))


def check_classifies(asked: Sequence[str]) -> None:
    """Refuse to read probabilities where a graph has none.

    Raises:
        UsageError: `other_task`.
    """
    if OUTPUTS[0] not in asked:
        raise UsageError(
            f"this recognizer answers with {', '.join(asked)}: it says where something is, and gives no "
            "picture a class",
            code="other_task",
        )


def checked(asked: Sequence[str], answers: Sequence[Float32], count: int) -> Outputs:
    """Return what an engine answered for `count` pictures.

    Args:
        asked: What `answered` returned.
        answers: In that order.
        count: How many pictures, or clips.

    Raises:
        BundleError: Code `model_output_invalid`; it is not probabilities, logits and perhaps how unknown.
    """
    named = dict(zip(asked, answers, strict=True))
    outputs = Outputs(answers[0], answers[1], named.get(UNKNOWN), named.get(NEXT_WINDOW))
    _check_probabilities(outputs.probabilities, outputs.logits, count)
    unknown = outputs.unknown
    if unknown is not None and (unknown.shape != (count,) or not np.isfinite(unknown).all()):
        raise BundleError(
            f"the model does not say how unknown {count} pictures are: {unknown.shape}, NaN or infinity",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )
    return outputs


def _check_probabilities(probabilities: Float32, logits: Float32, count: int) -> None:
    good = probabilities.shape == logits.shape and len(probabilities) == count
    good = good and bool(np.isfinite(logits).all()) and bool((probabilities >= 0).all())
    if not good or np.abs(probabilities.sum(axis=1) - 1).max(initial=0) > _SUM_TOLERANCE:
        raise BundleError(
            "the model answered with what are no probabilities: NaN, infinite, negative or not summing to 1 "
            f"(for {count} pictures, shapes {probabilities.shape} and {logits.shape})",
            code="model_output_invalid",
            hint="train or export it again; its weights are not usable",
        )


def contract(needed: str) -> BundleError:
    """Return the error of a graph that is not what an engine needs."""
    return BundleError(
        f"the model must have {needed}", code="bad_graph", hint="it is no bundle of foveal train"
    )


def cannot_load(engine: str, error: Exception) -> BundleError:
    """Return the error of a graph that an engine does not load."""
    return BundleError(f"{engine} cannot load the model: {_said(error)}", code="bad_graph")


def cannot_run(engine: str, shape: tuple[int, ...], error: Exception) -> BundleError:
    """Return the error of pictures that an engine does not run a model on."""
    return BundleError(f"{engine} cannot run the model on {shape}: {_said(error)}", code="model_failed")


def _said(error: Exception) -> str:
    """Return the first line that says what is wrong: OpenVINO begins with places in its own source."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if not line.startswith("Exception from ")), "".join(lines[:1]))[:300]
