"""How well classes never seen are told apart after a few pictures, beside what needs no learning."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.core.errors import DataError
from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.core.types import Measured
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess
from foveal.metrics.episode_mean import episode_mean
from foveal.tasks.classify import learn
from foveal.train.episodic import _method
from foveal.train.episodic._episodes import Drawn, Pool, Shape
from foveal.train.episodic._episodic import Episodic
from foveal.train.episodic._normalization import learn_statistics
from foveal.train.episodic.prototypes import distances
from foveal.train.plan import Plan

_TOGETHER = 10  # tasks at once
_SHOWN, _BATCHES = 250, 20  # pictures of a batch, and batches, that running statistics are taken from
Int64 = NDArray[np.int64]
Answer = Callable[[Tensor, Tensor, Tensor], Tensor]  # support, labels, query → (T, Q, W)


@dataclass(frozen=True)
class Terms:
    """What is measured.

    Attributes:
        way: Classes of a task.
        shot: Support pictures of each.
        query: Query pictures of each, at most: fewer where classes have fewer.
        episodes: Tasks.
        steps: Inner steps; no method without any takes notice.
        transductive: Measure also with all queries of a task seen at once.
        seed: Of the tasks; not of the training.
    """

    way: int
    shot: int
    query: int = 15
    episodes: int = 600
    steps: int | None = None
    transductive: bool = False
    seed: int = 0


@dataclass(frozen=True)
class Pictures:
    """What is measured on.

    Attributes:
        images: uint8 (N, size, size, C) at model size.
        labels: int64 (N,).
    """

    images: UInt8 = field(repr=False)
    labels: Int64 = field(repr=False)


@dataclass(frozen=True)
class Asked:
    """Tasks, and what they are about.

    Attributes:
        drawn: Places in the pictures.
        shape: Of a task.
        left_out: Classes that have too few pictures.
    """

    drawn: Drawn = field(repr=False)
    shape: Shape
    left_out: int


def measured(
    objective: Episodic, plan: Plan, pictures: Pictures, terms: Terms, *, progress: Progress
) -> dict[str, Any]:
    """Return accuracies over the same tasks: of what was learned, of raw pixels, of an untrained network.

    Args:
        objective: What was learned; put into eval mode.
        plan: What it was learned by.
        pictures: Of classes that nothing was learned from.
        terms: What is measured.
        progress: Told about the tasks.

    Raises:
        DataError: `too_few_classes`.
    """
    asked = draw(pictures.labels, terms)
    preprocess = objective.preprocess
    untrained = _method.begin(plan, preprocess)
    indices = np.unique(np.concatenate([asked.drawn.support.ravel(), asked.drawn.query.ravel()]))
    # Without statistics of its own it gets those of the very pictures: it is not to look worse than it is.
    learn_statistics(untrained.backbone, _batches(pictures.images, indices, preprocess, seed=terms.seed))
    pixels = torch.from_numpy(pictures.images).flatten(1)
    normalized = _Normalized(pictures.images, preprocess)

    def of(model: Episodic, name: str, *, steps: int | None, transductive: bool = False) -> Measured:
        model.eval()

        def answer(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
            return model.answers(
                support, labels, query, way=terms.way, steps=steps, transductive=transductive
            )

        compared = model.compared(terms.way)
        if compared is not None and not transductive:
            return _accuracy(asked, _embedded(model, normalized), compared, name, progress)
        return _accuracy(asked, normalized, answer, name, progress)

    steps = (terms.steps or objective.steps) if objective.steps else None
    raw = {"pixels_nearest": nearest, "pixels_prototypes": _prototypes(terms.way)}
    return {
        "way": terms.way,
        "shot": terms.shot,
        "query": asked.shape.query,
        "episodes": terms.episodes,
        "classes": len(np.unique(pictures.labels)) - asked.left_out,
        "classes_left_out": asked.left_out,
        "inner_steps": steps,
        "mode": "inductive",
        "accuracy": of(objective, "tasks", steps=steps).as_json(),
        "transductive": of(objective, "transductive", steps=steps, transductive=True).as_json()
        if terms.transductive
        else None,
        "before_adaptation": of(objective, "before adapting", steps=0).as_json() if steps else None,
        "baselines": {
            **{name: _accuracy(asked, pixels, rule, name, progress).as_json() for name, rule in raw.items()},
            "untrained": of(untrained, "untrained", steps=steps).as_json(),
            "chance": 1 / terms.way,
        },
    }


def draw(labels: Int64, terms: Terms) -> Asked:
    """Return the tasks: a pure function of labels and terms.

    Raises:
        DataError: `too_few_classes`.
    """
    counts = np.unique(labels, return_counts=True)[1]
    enough = counts[counts > terms.shot]
    if len(enough) < terms.way:
        raise DataError(
            f"tasks of {terms.way} classes with {terms.shot} pictures each and one to ask about need as many "
            f"classes; {len(enough)} of {len(counts)} have that many pictures",
            code="too_few_classes",
            hint="a smaller --way or --shot, or data of more classes",
        )
    # As many as half of them have, where that leaves enough: few large ones are not to be all that counts.
    usual, needed = int(np.median(enough)), int(np.sort(enough)[-terms.way])
    query = min(terms.query, usual - terms.shot, needed - terms.shot)
    shape = Shape(1, terms.way, terms.shot, query)
    pool = Pool(labels, least=terms.shot + query)
    each = [pool.draw(shape, stream(terms.seed, "evaluated", i)) for i in range(terms.episodes)]
    joined = (np.concatenate(parts) for parts in zip(*(vars(one).values() for one in each), strict=True))
    return Asked(Drawn(*joined), shape, len(counts) - len(pool.members))


def nearest(support: Tensor, labels: Tensor, query: Tensor) -> Tensor:
    """Return minus the squared distance to the nearest support picture of each class, (T, Q, W).

    Args:
        support: (T, S, D).
        labels: int64 (T, S).
        query: (T, Q, D).
    """
    between = torch.cdist(query.float(), support.float()).square()  # (T, Q, S)
    way = int(labels.max()) + 1
    other = labels[:, None, :, None] != torch.arange(way)  # (T, 1, S, W)
    return -between[..., None].masked_fill(other, torch.inf).amin(2)


def _prototypes(way: int) -> Answer:
    return lambda support, labels, query: distances(support.float(), labels, query.float(), way=way)


class _Normalized:
    """Pictures that are normalized as they are asked for."""

    def __init__(self, images: UInt8, preprocess: Preprocess) -> None:
        self.images, self.preprocess = images, preprocess

    def __getitem__(self, rows: Int64) -> Tensor:
        chosen = learn.normalize(torch.from_numpy(self.images[rows.ravel()]), self.preprocess).contiguous()
        return chosen.reshape(*rows.shape, *chosen.shape[1:])


@torch.no_grad()
def _embedded(model: Episodic, normalized: _Normalized) -> Tensor:
    """Return the features of all pictures, each by itself, (N, D)."""
    every = np.arange(len(normalized.images))
    return torch.cat([model.backbone(normalized[every[i : i + 500]]) for i in range(0, len(every), 500)])


@torch.no_grad()
def _accuracy(
    asked: Asked, pictures: Tensor | _Normalized, answer: Answer, name: str, progress: Progress
) -> Measured:
    """Return the mean accuracy over the tasks; `pictures[rows]` is what `answer` takes."""
    support, query = (part.reshape(len(part), -1) for part in (asked.drawn.support, asked.drawn.query))
    way, shape = np.arange(asked.shape.way), asked.shape
    labels, truth = torch.from_numpy(way.repeat(shape.shot)), torch.from_numpy(way.repeat(shape.query))
    shares: list[float] = []
    for start in range(0, len(support), _TOGETHER):
        known, unknown = support[start : start + _TOGETHER], query[start : start + _TOGETHER]
        logits = answer(pictures[known], labels.repeat(len(known), 1), pictures[unknown])
        shares += (logits.argmax(2) == truth).double().mean(1).tolist()
        progress(name, len(shares), len(support))
    return episode_mean(shares)


def settle(objective: Episodic, images: UInt8, indices: Int64, *, seed: int) -> None:
    """Give a trained backbone running statistics of pictures that were learned from."""
    learn_statistics(objective.backbone, _batches(images, indices, objective.preprocess, seed=seed))


def _batches(images: UInt8, indices: Int64, preprocess: Preprocess, *, seed: int) -> Iterator[Tensor]:
    order = stream(seed, "statistics").permutation(indices)[: _SHOWN * _BATCHES]
    for part in np.array_split(order, max(1, len(order) // _SHOWN)):
        yield learn.normalize(torch.from_numpy(images[part]), preprocess).contiguous()
