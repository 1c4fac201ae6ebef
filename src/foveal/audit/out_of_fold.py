"""What quickly trained networks say of pictures that they have not learned from.

For each fold a small network learns from the others and answers for it: no picture's own label had a part in
its probabilities.
"""

import copy
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from torch import nn

from foveal.audit.folds import FOLDS
from foveal.core.progress import Progress
from foveal.core.random import seed_for
from foveal.data.preprocess import Preprocess
from foveal.data.store import channel_statistics
from foveal.models import architecture
from foveal.models.nano import SIZES
from foveal.tasks import recognizer as recognizers
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples
from foveal.train.loop import fit, settings
from foveal.train.plan import Plan
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe
from foveal.train.starting import start

Int64 = NDArray[np.int64]
Float32 = NDArray[np.float32]
SEEN_IMAGES = 300_000  # of 32 pixels, shown in all: about two minutes on two cores
MOST_PASSES = 12.0  # over small sets
_CHUNK = 4096


@dataclass(frozen=True)
class Answers:
    """One row per example, in their order.

    Attributes:
        probabilities: Of the classes, by the network that has not learned from the picture, float32 (M, K).
        embedding: What one of the networks sees in it before it decides, length 1, float32 (M, D).
    """

    probabilities: Float32 = field(repr=False)
    embedding: Float32 = field(repr=False)


def out_of_fold(
    examples: Examples, folds: Int64, *, classes: int, seed: int, threads: int, progress: Progress
) -> Answers:
    """Train one small network per fold and return what each says of the pictures it has not seen.

    How many steps follows from the number and the size of the pictures and from nothing else.

    Args:
        examples: Pictures at model size, square, at least 16 pixels.
        folds: That of each example in [0, 3), int64 (M,), as `audit.folds` deals them where they
            are `enough`.
        classes: K.
        seed: Decides weights and order.
        threads: Of torch.
        progress: Told about every step.

    Raises:
        DataError: The loss is no longer finite.
    """
    probabilities = np.empty((len(examples), classes), dtype=np.float32)
    embeddings, plan = [], None
    for number in range(FOLDS):
        rest = Examples(examples.images, examples.labels, examples.indices[folds != number])
        preprocess = _preprocess(rest)
        if plan is None:
            plan = _plan(rest, preprocess, classes, Recipe(epochs=_passes(rest), seed=seed, threads=threads))
        mine = plan.model_copy(update={"images": len(rest), "seed": seed_for(seed, "fold", number)})
        network = _learn(rest, mine, preprocess, classes, _Part(progress, number))
        asked = examples.indices[folds == number]
        with settings(mine):
            probabilities[folds == number] = _softmax(_run(network, examples.images, asked))
            if number == 0:
                embeddings.append(_run(_without_head(network), examples.images, examples.indices))
    (embedding,) = embeddings
    return Answers(probabilities, embedding / np.linalg.norm(embedding, axis=1, keepdims=True).clip(min=1e-6))


def _passes(rest: Examples) -> float:
    size = rest.images.shape[1]
    return float(min(MOST_PASSES, SEEN_IMAGES / FOLDS * (32 / size) ** 2 / len(rest)))


def _preprocess(rest: Examples) -> Preprocess:
    mean, std = channel_statistics(rest.images, rest.indices)
    return Preprocess(size=rest.images.shape[1], channels=rest.images.shape[3], mean=mean, std=std)


def _plan(rest: Examples, preprocess: Preprocess, classes: int, recipe: Recipe) -> Plan:
    """Return the plan of one fold, for the smallest network of the default family."""
    plan = plan_training(
        recipe,
        rest,
        Facts(preprocess.size, preprocess.channels, classes),
        lambda draft: start(draft, recipe.architecture, rest, preprocess, classes=classes),
    )
    return plan.model_copy(update={"arguments": {**plan.arguments, **SIZES[0]}})


@dataclass(frozen=True)
class _Part:
    """Progress of one fold as a part of all."""

    progress: Progress
    number: int

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        self.progress("learning", self.number * total + done, FOLDS * total)


def _learn(
    rest: Examples, plan: Plan, preprocess: Preprocess, classes: int, progress: Progress
) -> Recognizer:
    with settings(plan):
        objective = start(plan, architecture(plan.model), rest, preprocess, classes=classes)
    fitted = fit(objective, rest, plan, progress=progress)
    network = recognizers.build(plan.model, plan.arguments)
    names = tuple(map(str, range(classes)))
    return Recognizer(network, plan.model, plan.arguments, preprocess, names).with_weights(fitted.weights)


def _without_head(recognizer: Recognizer) -> Recognizer:
    """Return a network that ends before its last linear layer."""
    network = copy.deepcopy(recognizer.network)
    network.head = nn.Identity()
    return replace(recognizer, network=network)


def _run(recognizer: Recognizer, images: NDArray[np.uint8], rows: Int64) -> Float32:
    """Return what the network gives for some rows of a store, without having all of them in memory."""
    chunks = (rows[start : start + _CHUNK] for start in range(0, len(rows), _CHUNK))
    return np.concatenate([recognizer.logits(images[chunk]) for chunk in chunks])


def _softmax(logits: Float32) -> Float32:
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True))
