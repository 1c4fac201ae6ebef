"""Fit how a graph tells unknown pictures: a score inside it, and a threshold on what it then answers."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import UInt8
from foveal.calibrate.fit import split_roles
from foveal.calibrate.unknown import choose, most_bytes, rule
from foveal.calibrate.unknowns._score import Answers, Known
from foveal.core import catalog
from foveal.core.batches import batches
from foveal.core.random import stream
from foveal.data.clip import framewise
from foveal.data.sizing import evenly_spaced
from foveal.export.unknown import answering, looks_of, with_unknown
from foveal.perturb import unknowns as kinds
from foveal.tasks.classify.decode import Unknown
from foveal.train.examples import Examples
from foveal.train.sampling import spread

MOST_FIT, MOST_TUNING = 2000, 500  # pictures
_MOST_STRANGE, _LEAST_STRANGE = 100, 24  # pictures of a kind
_STRANGE_PIXELS = 2**22  # of a kind: with more, large pictures would take longer here than in the training

Run = Callable[[UInt8], Answers]


def with_rejection(
    model: bytes, *, fit: Examples | None, calib: Examples, threads: int, seed: int = 0
) -> tuple[bytes, Unknown, NDArray[np.float32]]:
    """Return the graph with an output `unknown`, the rule that goes with it, and its scores.

    The scores are those of the proving pictures, in their order, float32 (M,).

    Of the calibration pictures those that tune the temperature choose the score, against pictures of nothing
    made from them; the threshold rests on the others, on what the new graph answers. Without pictures that
    were learned from only scores of the logits can be had. Which score finds things that are like the known
    ones cannot be asked here: it takes classes that the network was not trained on.

    Args:
        model: A serialized classifier, its temperature in place.
        fit: Pictures at model size that the network learned from; of many 2000 are used, of all classes in
            about their proportions.
        calib: Pictures that it did not learn from, N ≥ 1; the roles are those of `calibrate.fit`.
        threads: Of the engine.
        seed: Decides which pictures tune and which prove, and what pictures of nothing look like.
    """
    labels = calib.labels[calib.indices]
    units = None if calib.units is None else calib.units[calib.indices]
    tuning, proving = (calib.indices[part] for part in split_roles(labels, units, seed=seed))
    seen = np.asarray(calib.images[tuning[evenly_spaced(len(tuning), at_most=MOST_TUNING)]])
    run = answering(model, threads=threads)
    answers = replace(run(seen), rounded_look=looks_of(seen, rounded=True))
    known = _known(run, fit, answers, most_bytes=most_bytes(len(model)), seed=seed)
    chosen = choose(known, answers, _strange(run, seen, seed=seed, purpose="tuning"))
    graph = with_unknown(model, chosen.score)
    session = onnxruntime(graph, threads=threads)
    scores = [session.run(batch).unknown for batch in batches(calib.images, proving)]
    found = np.concatenate([np.empty(0, np.float32), *(s for s in scores if s is not None)])
    return graph, rule(chosen.score.name, found), found


def most_strange(shape: Sequence[int]) -> int:
    """Return how many pictures of nothing are made of a kind at most, for pictures or clips of a shape.

    >>> most_strange((32, 32, 3)), most_strange((224, 224, 3)), most_strange((384, 384, 3))
    (100, 83, 28)
    """
    return max(_LEAST_STRANGE, min(_MOST_STRANGE, _STRANGE_PIXELS // math.prod(shape[:-1])))


def _known(run: Run, fit: Examples | None, like: Answers, *, most_bytes: int, seed: int) -> Known:
    """Return what the graph answers for pictures that it learned from, and for pictures of nothing."""
    if fit is None or len(fit) == 0:
        return Known(Answers(None, like.logits[:0]), np.empty(0, np.int64))
    order = spread(fit.labels[fit.indices], seed=seed, purpose="unknown")[:MOST_FIT]
    rows = np.sort(fit.indices[order])
    images = np.asarray(fit.images[rows])
    strange = _strange(run, images, seed=seed, purpose="fit")
    height, width, channels = images.shape[-3:]
    shape = (height, width, channels) if images.ndim == 4 else None
    return Known(run(images), fit.labels[rows], strange=strange, most_bytes=most_bytes, shape=shape)


def _strange(run: Run, images: UInt8, *, seed: int, purpose: str) -> dict[str, Answers]:
    """Return what the graph answers for pictures of nothing made from known ones, by kind."""
    some = images[evenly_spaced(len(images), at_most=most_strange(images.shape[1:]))]
    found = {}
    for name in catalog.names(kinds):
        kind = partial(catalog.find(kinds, name), rng=stream(seed, "unknown", purpose, name))
        found[name] = run(framewise(kind, some))
    return found
