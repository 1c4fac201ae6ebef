"""The page of a few-shot training: how it learned, what was measured, and one task as a picture."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from foveal.core import files
from foveal.core.random import stream
from foveal.flows._fewshot_data import Classes
from foveal.report.fewshot_page import Example, fewshot_page
from foveal.tasks.classify import learn
from foveal.train.episodic._episodes import Pool, Shape
from foveal.train.episodic._episodic import Episodic

_SHOWN = 5  # at most so many support and query pictures of each class are drawn


def write_page(
    path: Path,
    document: dict[str, Any],
    history: list[dict[str, float]],
    classes: Classes,
    objective: Episodic,
) -> None:
    """Write `report.html`.

    Args:
        path: The page.
        document: `foveal.fewshot/1` of the training.
        history: Rows of the learning curve.
        classes: Their held-out classes give the task; without any, those that were learned from.
        objective: What answers.

    Raises:
        WriteError: It cannot be written.
    """
    role = next(role for role in ("test", "calib", "fit") if len(classes.split.role(role)))
    measured = document["metrics"]["test"] or document["metrics"]["val"]
    files.write_text(
        path, fewshot_page(document, history=history, task=_task(classes, role, objective, measured))
    )


@torch.no_grad()
def _task(
    classes: Classes, role: str, objective: Episodic, measured: dict[str, Any] | None
) -> list[Example] | None:
    """Return one task, class by class, or None where nothing was measured."""
    if measured is None:
        return None
    indices = classes.split.role(role)
    shape = Shape(1, measured["way"], measured["shot"], min(_SHOWN, measured["query"]))
    pool = Pool(classes.store.labels[indices], least=measured["shot"] + measured["query"])
    drawn = pool.draw(shape, stream(classes.split.seed, "shown"))
    support, query = indices[drawn.support[0]], indices[drawn.query[0]]  # (W, shot), (W, query)
    pictures = [
        learn.normalize(
            torch.from_numpy(classes.store.images[rows.ravel()]), objective.preprocess
        ).contiguous()
        for rows in (support, query)
    ]
    labels = torch.arange(shape.way).repeat_interleave(shape.shot)
    answers = objective.answers(
        pictures[0][None], labels[None], pictures[1][None], way=shape.way, steps=measured["inner_steps"]
    )
    said = answers[0].argmax(1).reshape(shape.way, shape.query).tolist()
    names = [classes.dataset.classes[k] for k in drawn.classes[0].tolist()]
    return [
        Example(
            name,
            tuple(np.asarray(classes.store.images[i]) for i in support[k][:_SHOWN]),
            tuple((np.asarray(classes.store.images[i]), names[said[k][j]]) for j, i in enumerate(query[k])),
        )
        for k, name in enumerate(names)
    ]
