"""The answers of a report, asked in the workers of a backend.

A worker (`worker.py`) opens bundle and data by their paths. A task names its pictures: where each lies in the
data, what it is called, and the hash of its content. So what is answered are the pictures that were chosen,
or there is an error. Those of a task are run together, as they are without a backend, so that the answers
are the same to the last bit.
"""

import base64
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core.batches import in_parts
from foveal.core.errors import DataError, ImageError, TemporaryError
from foveal.core.progress import Progress
from foveal.core.work import Backend, Json, Receipt, Task
from foveal.data.sizing import evenly_spaced
from foveal.evaluate.answers import Answers, Part, joined
from foveal.evaluate.document import Disturbed
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.robustness import MOST_IMAGES, NAMES, NONE, counted

_WORKER = "foveal.evaluate.worker"


@dataclass(frozen=True)
class GivenOut:
    """Answers from workers; `reporting.Asked`.

    Attributes:
        backend, workers: Where, and how many at most.
        bundle, data: Paths; all workers see the same there.
        predictor: The bundle, opened here: workers run it on the same engine.
        held_out: The pictures.
        indices: Which pictures of the data they are, int64 (N,).
        contents: The content hash of each.
        processors: Names of those that have answered.
    """

    backend: Backend
    workers: int
    bundle: Path
    predictor: Predictor
    data: Path
    held_out: HeldOut
    indices: NDArray[np.int64]
    contents: Sequence[str]
    processors: set[str] = field(default_factory=set)

    @property
    def provenance(self) -> dict[str, Json]:
        """Where the answers came from."""
        return {"backend": self.backend.name, "cpu": ", ".join(sorted(self.processors))}

    def answers(self, progress: Progress, /) -> Answers:
        """Return the answers for all pictures.

        Raises:
            DataError: `worker_killed`: a picture kills whoever answers it; `data_changed`: the data are no
                longer what they were, or other ones where a worker is.
            TemporaryError: `answers_lost`: workers died again and again; `no_worker`.
        """
        began, done = time.monotonic(), 0
        parts: dict[int, Part] = {}
        together = in_parts(len(self.held_out), self.predictor.preprocess.shape)
        asked = {str(positions[0]): positions for positions in together}
        lost = None
        with closing(self._map([self._task(positions) for positions in asked.values()], "begin")) as receipts:
            for receipt in receipts:
                if receipt.outcome == "lost":
                    lost = receipt.key
                    break  # all workers end: who looks for the reason may need their room
                positions = asked[receipt.key]
                parts[positions.start] = _part(receipt.detail, positions.start)
                done += len(positions)
                progress("measuring", done, len(self.held_out))
        if lost is not None:
            raise self._culprit(asked[lost])
        return joined([parts[first] for first in sorted(parts)], seconds=time.monotonic() - began)

    def robustness(
        self, positions: NDArray[np.int64], seed: int, progress: Progress, /
    ) -> tuple[Disturbed, ...]:
        """Return how a sample of some pictures stands corruptions; a worker takes one of them at a time.

        Raises:
            DataError, TemporaryError: As `answers`.
        """
        names = (NONE, *NAMES)
        chosen = positions[evenly_spaced(len(positions), at_most=MOST_IMAGES)].tolist()
        tasks = [Task(name, f"{_WORKER}:disturb", {"name": name, "seed": seed}) for name in names]
        rows: dict[str, Disturbed] = {}
        for receipt in self._map(tasks, "begin_disturbing", pictures=self._named(chosen)):
            if receipt.outcome == "lost":
                raise _lost(f"pictures disturbed by {receipt.key}")
            rows[receipt.key] = counted(receipt.key, receipt.detail["right"], receipt.detail["images"])
            done = sum(name in rows for name in NAMES)
            progress("disturbing", done, len(NAMES), "" if receipt.key == NONE else receipt.key)
        return tuple(rows[name] for name in names)

    def _map(self, tasks: Sequence[Task], begin: str, **more: Json) -> Generator[Receipt]:
        """Yield the receipts of what is done or lost; raise what a task raised."""
        session = self.predictor.session
        spec = {
            "bundle": str(self.bundle.absolute()),
            "digest": self.predictor.digest,
            "engine": session.engine,
            "precision": session.precision,
            "data": str(self.data.absolute()),
            **more,
        }
        init = Task("begin", f"{_WORKER}:{begin}", spec)
        for receipt in self.backend.map(tasks, init=init, workers=min(self.workers, len(tasks))):
            if receipt.outcome == "failed":
                raise receipt.error
            if receipt.outcome == "done":
                self.processors.add(receipt.detail["cpu"])
            yield receipt

    def _task(self, positions: Sequence[int]) -> Task:
        return Task(str(positions[0]), f"{_WORKER}:answer", {"pictures": self._named(positions)})

    def _named(self, positions: Sequence[int]) -> list[Json]:
        held_out = self.held_out
        return [
            [int(self.indices[k]), held_out.sources[k], int(held_out.labels[k]), self.contents[k]]
            for k in positions
        ]

    def _culprit(self, positions: Sequence[int]) -> DataError | TemporaryError:
        """Return the error that names the picture of which workers die; each is asked alone to find it."""
        for receipt in self._map([self._task([position]) for position in positions], "begin"):
            if receipt.outcome == "lost":
                source = self.held_out.sources[int(receipt.key)]
                return DataError(
                    f"workers died of the picture {source} each time",
                    code="worker_killed",
                    hint="take it out of the data; or give them more memory, if it is very large",
                    path=source,
                )
        first, last = (self.held_out.sources[positions[k]] for k in (0, -1))
        return _lost(f"the pictures {first} to {last}, and of none of them alone")


def _lost(what: str) -> TemporaryError:
    return TemporaryError(
        f"three workers died of {what}",
        code="answers_lost",
        hint="memory may be short: try again with fewer workers",
    )


def _part(told: Mapping[str, Json], first: int) -> Part:
    """Return what a worker answered for the pictures from `first` on."""
    errors = [ImageError(**error) for error in told["errors"]]
    positions = [first + position for position in told["positions"]]
    if not positions:
        return Part(None, positions, errors)
    rows = np.frombuffer(base64.b64decode(told["probabilities"]), "<f4").reshape(len(positions), -1)
    return Part(rows.astype(np.float32), positions, errors)
