"""The same network on smaller pictures: its weights stay, its maps shrink, and multiply-adds with the area.

A network that pools its last maps, whatever their size, takes pictures of any size. Its filters then see
things smaller than those they learned, and the statistics of its norms are others; those are set anew here,
the rest is for a lesson. Source: Touvron et al., "Fixing the train-test resolution discrepancy", 2019, §3.
"""

import copy
from dataclasses import replace

import torch

from foveal import models
from foveal.core.errors import UsageError
from foveal.core.task import SCENE_TASKS
from foveal.data.dataset import UInt8
from foveal.optimize.steps.recalibrated import recalibrated
from foveal.tasks.recognizer import Recognizer

_SHARES = (0.75, 0.625, 0.5)  # of the side; 0.875 of it would save less than a quarter
_ROUND_TO, _SCENES_ROUND_TO = 8, 32  # pixels, so that maps are halved without a rest
_SMALLEST = 16  # pixels


def at_size(recognizer: Recognizer, size: int, pictures: UInt8) -> Recognizer:
    """Return a recognizer with the same weights for pictures of another size, its norms set anew on some.

    Args:
        recognizer: Any network that takes pictures of that size; it is left alone.
        size: Side of the input in pixels.
        pictures: uint8 (N, size, size, C), or clips (N, T, size, size, C), N ≥ 2, made from files by the
            preprocessing at that size (docs/decisions/0003-one-preprocess.md); no label is needed.

    Raises:
        UsageError: `fixed_size`: the network does not take such pictures; `no_images`: fewer than two; or
            pictures of another size.
    """
    given = pictures.shape[-3:-1]
    if given != (size, size):
        raise UsageError(
            f"need pictures of {size}×{size} pixels; got {'×'.join(map(str, given))}",
            hint="recognizer.preprocess.model_copy(update={'size': …}) makes them from files",
        )
    return recalibrated(taking(recognizer, size), pictures)


def taking(recognizer: Recognizer, size: int) -> Recognizer:
    """Return the recognizer as it is, for pictures of another size.

    What its builder is given stays: from the size there follow strides and depth, and those are the network
    that has these weights. Only the preprocessing says which pictures it takes now. Mean and deviation stay,
    too: the weights were learned with them.

    Args:
        recognizer: It is left alone.
        size: Side of the input in pixels.

    Raises:
        UsageError: `fixed_size`: the network does not run on such pictures, which is tried.
    """
    preprocess = recognizer.preprocess.sized(size)
    network = copy.deepcopy(recognizer.network).eval()
    made = replace(recognizer, network=network, preprocess=preprocess)
    if isinstance(network, models.FollowsSize):
        network.made_for(preprocess.sides)
    try:
        with torch.no_grad():
            answers = made.network(made.blank)
    except (RuntimeError, ValueError, AssertionError) as error:  # as torch and torchvision refuse sizes
        raise _fixed(recognizer, size, str(error).splitlines()[0] if str(error) else "") from error
    if recognizer.task not in SCENE_TASKS and tuple(answers.shape) != (1, len(recognizer.classes)):
        raise _fixed(recognizer, size, f"its answers have the shape {tuple(answers.shape)}")
    return made


def smaller_sizes(recognizer: Recognizer) -> list[int]:
    """Return sides in pixels below the one that a recognizer takes, the largest first.

    They are shares of it, rounded so that maps are halved without a rest; of letterboxes they are heights.
    """
    side, name = recognizer.preprocess.size, recognizer.architecture
    smallest = models.card(name).smallest_size if models.is_known(name) else _SMALLEST
    step = _SCENES_ROUND_TO if recognizer.task in SCENE_TASKS else _ROUND_TO
    rounded = {step * round(share * side / step) for share in _SHARES}
    return sorted((size for size in rounded if max(_SMALLEST, smallest) <= size < side), reverse=True)


def _fixed(recognizer: Recognizer, size: int, why: str) -> UsageError:
    return UsageError(
        f"{recognizer.architecture} takes no pictures of {size} pixels: {why}",
        code="fixed_size",
        hint=f"it was made for {recognizer.preprocess.size} pixels",
    )
