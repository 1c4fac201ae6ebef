"""The short lessons of a search, taught at the same time on a backend.

Only the teaching is given out. How long a lesson is was decided here by the clock before, as everything that
is timed is timed here, on one machine, while nothing else of the search runs. A worker leaves nothing but the
checkpoints of the lesson; the search then goes on from them as after a kill, with no step left to do. So a
lesson that was lost, or could not be given out, is simply finished here.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.torch import load as read_tensors

from foveal.core import files
from foveal.core.files import write_bytes
from foveal.core.work import Backend, Task
from foveal.optimize.candidate import Candidate
from foveal.optimize.lessons import CHECKPOINTS, SHORT, Assignment, Learning, needed
from foveal.optimize.steps.distill import Lesson, distill
from foveal.optimize.workshop import TEACHER, Workshop
from foveal.tasks import recognizer as recognizers
from foveal.train.examples import Examples
from foveal.train.objectives.distill import Teaching
from foveal.train.plan import Plan

Hands = Callable[[], AbstractContextManager[tuple[Backend, int]]]
"""Opens a backend, and tells how many workers to use; it is closed before anything is timed again."""

_ENTRY = "foveal.optimize.given_out:teach"
_GIVEN = "given"


def teach_at_once(
    shop: Workshop, learning: Learning, candidates: Sequence[Candidate], *, seconds: float, hands: Hands
) -> None:
    """Teach candidates their short lessons, each on one processor; what is finished is not done again.

    Args:
        shop: Where; its folder lies where all workers see it under the same path.
        learning: How.
        candidates: What.
        seconds: That each lesson may take.
        hands: The backend.

    Raises:
        TemporaryError: It has no worker for us.
    """
    ones = [Assignment(shop, learning, candidate, SHORT) for candidate in candidates]
    tasks = [_task(one, seconds) for one in ones if f"{one.name}: teach" not in shop.steps]
    given = [task for task in tasks if task is not None]
    if not given:
        return
    shop.progress("lessons", 0, len(given))
    with hands() as (backend, workers):
        for done, receipt in enumerate(backend.map(given, workers=min(workers, len(given))), 1):
            shop.telling("lessons", done, len(given), f"{receipt.key}: {receipt.outcome} on {receipt.node}")
    shop.note_time()
    for task in given:
        files.remove(shop.place_of(task.key) / _GIVEN)


def _task(one: Assignment, seconds: float) -> Task | None:
    """Plan a lesson, write down what it needs, and return it; None: its pictures are in no file."""
    shop, student = one.shop, one.student()
    examples = needed(shop, student)
    pixels = getattr(examples.images, "filename", None)  # of a memory-mapped file
    if pixels is None:
        return None
    given = shop.place(one.name) / _GIVEN
    lesson = one.planned(student, seconds, threads=1)
    files.make_folder(given)
    recognizers.save(student, given / "student")
    if one.learning.teacher_logits is None:
        recognizers.save(one.learning.teacher, given / "teacher")
    for name, values in (("labels", examples.labels), ("indices", examples.indices)):
        write_bytes(given / f"{name}.i64", values.astype("<i8").tobytes())
    spec = {
        "folder": str(given.absolute()),
        "pixels": str(Path(pixels).absolute()),
        "logits": str((shop.folder / TEACHER).absolute())
        if one.learning.teacher_logits is not None
        else None,
        "plan": lesson.plan.model_dump(mode="json"),
        "checkpoints": str((shop.place(one.name) / CHECKPOINTS).absolute()),
    }
    return Task(one.name, _ENTRY, spec)


def teach(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Carry one lesson out, or go on with it, on whatever machine this is; its checkpoints are the result."""
    given, logits = Path(spec["folder"]), spec["logits"]
    lesson = Lesson(Plan(**spec["plan"]), Teaching())
    distill(
        recognizers.load(given / "student"),
        recognizers.load(given / "teacher") if logits is None else read_tensors(_bytes(logits))["logits"],
        Examples(
            np.load(spec["pixels"], mmap_mode="r", allow_pickle=False),
            np.frombuffer(_bytes(given / "labels.i64"), "<i8"),
            np.frombuffer(_bytes(given / "indices.i64"), "<i8"),
        ),
        lesson,
        checkpoints=Path(spec["checkpoints"]),
    )
    return {"steps": lesson.plan.steps}


def _bytes(path: str | Path) -> bytes:
    return Path(path).read_bytes()
