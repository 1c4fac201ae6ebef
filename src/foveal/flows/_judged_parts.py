"""Parts whose truth is known, and what the file that ships says and does about each."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Answers
from foveal.core.errors import DataError, UsageError
from foveal.core.parallel import in_order
from foveal.core.progress import Progress
from foveal.core.task import OBJECT_TASKS
from foveal.data.dataset import Dataset
from foveal.tasks.judging import Inspection, Judgement, judge, quality_faults, score_of

_CHUNK = 8
NO_RULE = Inspection()  # everything is reviewed


@dataclass(frozen=True)
class JudgedPart:
    """A part, and what is done with it.

    Attributes:
        index: Of its picture in the data.
        defective: Whether it is.
        judgement: Verdict, score and reasons.
        answers: Of the graph, N = 1; None where the picture could not be used.
    """

    index: int
    defective: bool
    judgement: Judgement
    answers: Answers | None


def defective_parts(
    dataset: Dataset, indices: NDArray[np.int64], *, good: Sequence[str] = ()
) -> NDArray[np.bool_]:
    """Return which of some parts are defective, bool (N,), as the data say.

    Args:
        dataset: With boxes, with defects, or with a class for each picture.
        indices: The parts, int64 (N,).
        good: Of classes: those that are good.

    Raises:
        UsageError: `other_task`: the data do not say which parts are defective.
        DataError: What they say of one cannot be read.
    """
    task = dataset.task
    if dataset.scenes is not None and task in OBJECT_TASKS:
        objects = (dataset.scenes.objects(int(index)) for index in indices)
        return np.array([bool((~one.ignored).any()) for one in objects], np.bool_)
    if task == "defect":
        return np.asarray(dataset.labels[indices] > 0, np.bool_)
    if task != "classify":
        raise UsageError(
            f"{dataset.path} is for {task}, and does not say which parts are defective", code="other_task"
        )
    fine = [label for label, name in enumerate(dataset.classes) if name in good]
    return ~np.isin(dataset.labels[indices], fine)


def judged_parts(
    predictor: Predictor,
    dataset: Dataset,
    indices: NDArray[np.int64],
    rule: Inspection,
    *,
    threads: int,
    progress: Progress,
) -> list[JudgedPart]:
    """Return what is done with each part; none is left out, whatever its picture is like.

    Args:
        predictor: Looks at them, opened with one thread.
        dataset: Of the parts.
        indices: Which ones, int64 (N,).
        rule: Thresholds and limits of pictures.
        threads: Parts at once.
        progress: Told about the parts.
    """
    defective = defective_parts(dataset, indices, good=rule.good)
    task, classes, preprocess = predictor.manifest.task, predictor.classes, predictor.preprocess

    def one(position: int) -> JudgedPart:
        index, bad = int(indices[position]), bool(defective[position])
        try:
            image = preprocess(dataset.read(index).decode(preprocess.channels))
        except DataError as error:
            return JudgedPart(index, bad, Judgement("review", None, (error.code,)), None)
        answers = predictor.ask(image[None])
        [score] = score_of(answers, task=task, classes=classes, good=rule.good).tolist()
        return JudgedPart(index, bad, judge(score, quality_faults(image, rule.quality), rule), answers)

    return _all(one, len(indices), threads=threads, progress=progress)


def _all(
    one: Callable[[int], JudgedPart], count: int, *, threads: int, progress: Progress
) -> list[JudgedPart]:
    parts: list[JudgedPart] = []
    chunks = (range(start, min(start + _CHUNK, count)) for start in range(0, count, _CHUNK))

    def some(positions: range) -> list[JudgedPart]:
        return [one(position) for position in positions]

    for found in in_order(some, chunks, workers=threads, name="foveal-inspect"):
        parts += found
        progress("inspecting", len(parts), count)
    return parts
