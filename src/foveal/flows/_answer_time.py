"""How long one answer of an architecture takes here, before anything is trained."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from foveal import models
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.core.random import seed_for, stream
from foveal.data.preprocess import Preprocess
from foveal.export.graph import graph
from foveal.metrics.quantile import Quantile, quantile
from foveal.tasks.recognizer import Recognizer

_WARM_UP = 3  # calls
_LEAST_BLOCKS, _MOST_BLOCKS, _CALLS = 11, 60, 3  # calls within a block are not independent
_SECONDS = 1.0  # after which no further block is begun, the least aside


@dataclass(frozen=True)
class AnswerTime:
    """What was measured of one network.

    Attributes:
        latency: Median seconds of one answer for one picture.
        size_bytes: Of its graph.
    """

    latency: Quantile
    size_bytes: int


def answer_time(name: str, preprocess: Preprocess, classes: Sequence[str], *, threads: int) -> AnswerTime:
    """Build a network with random weights, export it as a trained one is, and time it in ONNX Runtime.

    How long an answer takes follows from the layers, not from what they learned.

    Args:
        name: Of an architecture.
        preprocess: Gives size and channels.
        classes: K names.
        threads: Of one answer.
    """
    arguments = {"channels": preprocess.channels, "classes": len(classes), "size": preprocess.size}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed_for(0, "weights"))
        network = models.architecture(name).build(**arguments).eval()
    model = graph(Recognizer(network, name, arguments, preprocess, tuple(classes)))
    session = onnxruntime(model, threads=threads)
    picture = stream(0, "picture").integers(0, 256, (1, *preprocess.shape), dtype=np.uint8)
    for _ in range(_WARM_UP):
        session.run(picture)
    blocks: list[float] = []
    started = time.perf_counter()
    while len(blocks) < _LEAST_BLOCKS or (
        len(blocks) < _MOST_BLOCKS and time.perf_counter() - started < _SECONDS
    ):
        seconds = []
        for _ in range(_CALLS):
            before = time.perf_counter()
            session.run(picture)
            seconds.append(time.perf_counter() - before)
        blocks.append(float(np.median(seconds)))
    return AnswerTime(quantile(np.array(blocks), 0.5), len(model))
