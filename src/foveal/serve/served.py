"""The bundles that a server answers with."""

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers, joined
from foveal.bundle.ways import REFERENCE
from foveal.core import extras
from foveal.core.errors import UsageError
from foveal.core.files import is_there
from foveal.serve.tensors import Output, outputs_of

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TRIAL = 8  # pictures of the batch that is tried
_TRIAL_SECONDS = 0.1  # that trying may take
_WORTH = 0.8  # of the time of single pictures that a batch may take at most


@dataclass(frozen=True)
class Served:
    """A model under its name.

    Attributes:
        name: In requests.
        index: Its place among the models of the server, from 0.
        predictor: What answers.
        seconds: That the network takes for one picture here.
        batch: How many pictures of different requests one run takes.
        outputs: What the protocol for inference gives of its answers.
    """

    name: str
    index: int
    predictor: Predictor
    seconds: float
    batch: int
    outputs: Mapping[str, Output] = field(repr=False)


def served(
    sources: Sequence[str],
    *,
    engine: str | None = None,
    precision: str | None = None,
    threads: int = 1,
    max_batch: int | None = None,
) -> list[Served]:
    """Open bundles, verify them, and time one picture on each.

    Args:
        sources: `NAME=path`, or a path whose stem is the name.
        engine: A file of `bundle/engines`; None: ONNX Runtime.
        precision: None: fp32.
        threads: For one picture.
        max_batch: Pictures in one run; None: measured.

    Raises:
        UsageError: `bad_name`, `same_name`: what a model is to be called.
        FovealError: As `Predictor.open`.
    """
    models: list[Served] = []
    for index, source in enumerate(sources):
        name, path = _named(source)
        if name in [model.name for model in models]:
            raise UsageError(f"two models are called {name!r}", code="same_name", hint=_hint(path))
        predictor = Predictor.open(path, engine=engine or REFERENCE, precision=precision, threads=threads)
        if predictor.preprocess.clip is not None:
            extras.need("video", what="answering for films")  # now, and not when the first one comes
        seconds, batch, answers = _measured(predictor)
        outputs = outputs_of(answers)
        models.append(Served(name, index, predictor, seconds, max_batch or batch, outputs))
    return models


def _named(source: str) -> tuple[str, Path]:
    name, equals, path = source.partition("=")
    if equals and _NAME.fullmatch(name) and path and not is_there(Path(source)):
        return name, Path(path)
    found = locate(Path(source))
    name = found.name.removesuffix(".foveal")
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be part of an address", code="bad_name", hint=_hint(found))
    return name, found


def _hint(path: Path) -> str:
    return f"give it a name of letters, digits, . _ and -: NAME={path}"


def _measured(predictor: Predictor) -> tuple[float, int, Answers]:
    """Return the seconds of one picture, how many of different requests to run together, and its answers.

    A batch must be clearly faster, and give the same answers to the last bit: what a picture gets must not
    depend on which others were there at the time.
    """
    shape = predictor.session.input_shape
    count = int(np.prod(shape)) * _TRIAL
    pictures = (np.arange(count, dtype=np.uint32) * 2654435761 >> 24).astype(np.uint8).reshape(_TRIAL, *shape)
    predictor.ask(pictures[:1])
    start = time.perf_counter()
    first = predictor.ask(pictures[:1])
    seconds = time.perf_counter() - start
    if seconds * 3 * _TRIAL > _TRIAL_SECONDS:
        return seconds, 1, first
    predictor.ask(pictures)
    alone, together, rows, all_at_once = [], [], [first], first
    for _ in range(3):
        start = time.perf_counter()
        rows = [predictor.ask(pictures[at : at + 1]) for at in range(_TRIAL)]
        middle = time.perf_counter()
        all_at_once = predictor.ask(pictures)
        alone.append(middle - start)
        together.append(time.perf_counter() - middle)
    same = all(np.array_equal(values, all_at_once[name]) for name, values in joined(rows).items())
    faster = min(together) < _WORTH * min(alone)
    return min(alone) / _TRIAL, _TRIAL if same and faster else 1, first
