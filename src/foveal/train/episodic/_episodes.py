"""Tasks to learn from: a few classes, a few pictures of each to adapt to, others to be judged by."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from foveal.core.errors import DataError
from foveal.core.random import seed_for, stream
from foveal.train.examples import Examples
from foveal.train.objective import Batch
from foveal.train.plan import Plan

Int64 = NDArray[np.int64]
TURNS = 4  # a quarter turn makes another character of one


@dataclass(frozen=True)
class Shape:
    """How large the tasks of a step are.

    Attributes:
        tasks: T, how many tasks there are at once.
        way: W, classes of each.
        shot: Support pictures of each class.
        query: Query pictures of each class.
        turns: 4 where the quarter turns of a class are further classes, otherwise 1.
    """

    tasks: int
    way: int
    shot: int
    query: int
    turns: int = 1

    @classmethod
    def of(cls, settings: Mapping[str, float]) -> "Shape":
        """Return the shape that the settings of a plan state."""
        return cls(*(int(settings[name]) for name in ("tasks", "way", "shot", "query", "turns")))

    @property
    def pictures(self) -> int:
        """Of all tasks together."""
        return self.tasks * self.way * (self.shot + self.query)


@dataclass(frozen=True)
class Drawn:
    """Who is in the tasks.

    Attributes:
        support: Places in the examples, int64 (T, W, shot).
        query: Places in the examples, int64 (T, W, query); none of them is in the support set of its task.
        turns: Quarter turns of each class, int64 (T, W).
        classes: Labels of the classes in their order inside the task, int64 (T, W); the place in that order
            is the class's name for the task, and says nothing of the next one.
    """

    support: Int64
    query: Int64
    turns: Int64
    classes: Int64


class Pool:
    """Pictures by class, to draw tasks from."""

    def __init__(self, labels: Int64, *, least: int) -> None:
        """Sort pictures by class; classes with fewer than `least` pictures are left out.

        Args:
            labels: int64 (N,).
            least: Pictures that a task takes of a class.
        """
        order = np.argsort(labels, kind="stable")
        classes, starts = np.unique(labels[order], return_index=True)
        members = np.split(order, starts[1:])
        self.members = [some for some in members if len(some) >= least]
        self.classes = np.array([k for k, some in zip(classes, members, strict=True) if len(some) >= least])

    def draw(self, shape: Shape, rng: np.random.Generator) -> Drawn:
        """Draw tasks: classes without repetition, in an order that is drawn, too, and pictures of each.

        Args:
            shape: Of the tasks.
            rng: The only source of randomness.

        Raises:
            DataError: `too_few_classes`: there are fewer than a task needs.
        """
        there = len(self.members) * shape.turns
        if there < shape.way:
            raise DataError(
                f"a task needs {shape.way} classes with {shape.shot} + {shape.query} pictures each; "
                f"there are {there} that have them",
                code="too_few_classes",
                hint="--way, --shot or --query may be smaller",
            )
        chosen = np.stack([rng.permutation(there)[: shape.way] for _ in range(shape.tasks)])
        kind, turns = chosen % len(self.members), chosen // len(self.members)
        each = shape.shot + shape.query
        taken = np.stack([[rng.permutation(self.members[k])[:each] for k in row] for row in kind.tolist()])
        return Drawn(taken[..., : shape.shot], taken[..., shape.shot :], turns, self.classes[kind])


def episodes(examples: Examples, plan: Plan, step: int) -> Batch:
    """Return the tasks of one step: a pure function of plan and step, in the place of `loop.fetch`.

    The pictures of a batch are those of the first task, then those of the next; of each first the support
    set, class by class, then the queries, class by class. Labels are places in the task, 0 to W - 1.

    Args:
        examples: Pictures of the classes that are learned from.
        plan: Its settings give the shape of the tasks.
        step: From 0.

    Raises:
        DataError: `too_few_classes`.
    """
    shape = Shape.of(plan.settings)
    pool = _pool(examples.labels[examples.indices].tobytes(), shape.shot + shape.query)
    drawn = pool.draw(shape, stream(plan.seed, "episodes", step))
    rows = in_order(drawn.support, drawn.query)
    turns = in_order(
        *(np.broadcast_to(drawn.turns[..., None], part.shape) for part in (drawn.support, drawn.query))
    )
    images = turned(examples.images[examples.indices[rows]], turns)
    return Batch(
        images=torch.from_numpy(images),
        labels=torch.from_numpy(places(shape)).repeat(shape.tasks),
        rows=torch.from_numpy(rows),
        passes=torch.zeros(len(rows), dtype=torch.int64),
        share=step / plan.steps,
        generator=torch.Generator().manual_seed(seed_for(plan.seed, "augment", step)),
    )


@lru_cache(maxsize=2)  # sorting 80,000 labels for each step would take longer than drawing
def _pool(labels: bytes, least: int) -> Pool:
    return Pool(np.frombuffer(labels, dtype=np.int64), least=least)


def in_order(support: NDArray[np.int64], query: NDArray[np.int64]) -> Int64:
    """Return what belongs to the pictures of tasks in the order of a batch: support, then query, by task."""
    return np.concatenate([part.reshape(len(part), -1) for part in (support, query)], axis=1).reshape(-1)


def places(shape: Shape) -> Int64:
    """Return the labels inside one task, int64 (W · (shot + query),), in the order of a batch."""
    each = np.arange(shape.way, dtype=np.int64)
    return np.concatenate([each.repeat(shape.shot), each.repeat(shape.query)])


def turned(images: NDArray[np.uint8], turns: Int64) -> NDArray[np.uint8]:
    """Return square pictures, uint8 (N, H, H, C), each rotated by its number of quarter turns, int64 (N,)."""
    images = np.array(images)
    for turn in np.unique(turns[turns > 0]).tolist():
        images[turns == turn] = np.rot90(images[turns == turn], turn, axes=(1, 2))
    return images


def divided(pictures: Tensor, shape: Shape) -> tuple[Tensor, Tensor]:
    """Return support (T, W · shot, …) and query (T, W · query, …) of what is in the order of a batch."""
    by_task = pictures.reshape(shape.tasks, -1, *pictures.shape[1:])
    return by_task[:, : shape.way * shape.shot], by_task[:, shape.way * shape.shot :]
