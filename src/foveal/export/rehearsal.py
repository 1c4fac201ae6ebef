"""Go once through all that a network of a user's own has to be able to do, before hours are spent on it."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from foveal.core.errors import FovealError, UsageError
from foveal.core.random import seed_for, stream
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.models import Architecture
from foveal.tasks.classify import learn
from foveal.tasks.recognizer import Recognizer

_PICTURES = 4


def rehearse(architecture: Architecture, preprocess: Preprocess, classes: Sequence[str]) -> nn.Module:
    """Build a network, ask it, send gradients back and export it; on a few random pictures.

    Args:
        architecture: What builds it.
        preprocess: Gives size, channels and normalization.
        classes: K names.

    Returns:
        The network as it was built, for reading its structure.

    Raises:
        UsageError: `bad_network`: it does not build, answers with anything but finite logits (N, K), or gets
            no or no finite gradients. `not_exportable`: it does not become an ONNX graph.
    """
    arguments = {"channels": preprocess.channels, "classes": len(classes), "size": preprocess.size}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "rehearsal"))
        network, asked = (_build(architecture, arguments) for _ in range(2))
        images = stream(0, "rehearsal").integers(0, 256, (_PICTURES, *preprocess.shape), dtype=np.uint8)
        seen = learn.normalize(torch.from_numpy(images), preprocess)
        check_answer(_asked(asked, seen, architecture.name), architecture.name, (len(seen), len(classes)))
        _check_gradients(asked.train(), seen, architecture.name, classes=len(classes))
        recognizer = Recognizer(
            asked.eval(), architecture.name, arguments, preprocess, tuple(classes), architecture.task
        )
        try:
            graph(recognizer)
        except Exception as error:  # whatever the exporter and the network may raise
            raise UsageError(
                f"{architecture.name} cannot be exported to ONNX: {_first_line(error)}",
                code="not_exportable",
                hint="replace what depends on the values of tensors, and operations that ONNX lacks; "
                "torch.onnx.export(…, dynamo=True) with a dynamic first axis has to work",
            ) from error
    return network


def check_answer(answer: object, name: str, shape: tuple[int, int]) -> None:
    """Refuse what is no finite logits.

    Args:
        answer: What a network gave.
        name: Of the network.
        shape: (N, K) as it has to be.

    Raises:
        UsageError: `bad_network`.
    """
    needed = f"logits ({shape[0]}, {shape[1]}) for {shape[0]} pictures and {shape[1]} classes"
    if not isinstance(answer, Tensor) or not answer.is_floating_point():
        got = f"a tensor of {answer.dtype}" if isinstance(answer, Tensor) else f"a {type(answer).__name__}"
        raise _bad(f"{name} gives {got}, not {needed}", "forward has to return one float tensor")
    if tuple(answer.shape) != shape:
        raise _bad(
            f"{name} gives {tuple(answer.shape)}, not {needed}",
            "the last layer has as many outputs as there are classes; the builder is told how many",
        )
    if not answer.isfinite().all():
        raise _bad(f"{name} gives NaN or infinity", "divisions, logarithms and initial weights are suspects")


def _build(architecture: Architecture, arguments: dict[str, int]) -> nn.Module:
    try:
        network = architecture.build(**arguments)
    except FovealError:
        raise
    except Exception as error:  # it is the user's
        told = ", ".join(f"{name}={value}" for name, value in arguments.items())
        raise _bad(
            f"{architecture.name}({told}) fails: {_first_line(error)}",
            "a builder takes channels, classes and size by name",
        ) from error
    if not isinstance(network, nn.Module):
        raise _bad(
            f"{architecture.name} returns a {type(network).__name__}, not a torch.nn.Module",
            "return the network",
        )
    return network


def _asked(network: nn.Module, images: Tensor, name: str) -> object:
    try:
        with torch.no_grad():
            return network.eval()(images)
    except Exception as error:  # it is the user's
        raise _bad(
            f"{name} fails on images {tuple(images.shape)}: {_first_line(error)}",
            "it is given float images (N, C, H, W), normalized",
        ) from error


def _check_gradients(network: nn.Module, images: Tensor, name: str, *, classes: int) -> None:
    labels = torch.arange(len(images)) % classes
    try:
        learn.loss(network(images), learn.targets(labels, classes=classes, smoothing=0.0)).backward()  # type: ignore[no-untyped-call]
    except Exception as error:  # it is the user's
        raise _bad(
            f"{name} cannot be trained: {_first_line(error)}",
            "logits must follow from parameters that require a gradient, and keep their graph",
        ) from error
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    if not gradients:
        raise _bad(f"{name} has no parameter that a gradient reaches", "is everything frozen or detached?")
    if not all(gradient.isfinite().all() for gradient in gradients):
        raise _bad(
            f"{name} gets gradients of NaN or infinity", "square roots and norms of zeros are suspects"
        )


def _bad(message: str, hint: str) -> UsageError:
    return UsageError(message, code="bad_network", hint=hint)


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
