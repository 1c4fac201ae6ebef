"""What a worker of a backend does for a report: it begins once, then answers batch after batch."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle.predictor import Predictor
from foveal.core import failpoints, machine
from foveal.core.errors import DataError, ImageError, UsageError
from foveal.core.work import Json
from foveal.data import opening
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import hash_of
from foveal.evaluate.answers import ask
from foveal.evaluate.held_out import HeldOut, at_size
from foveal.evaluate.robustness import right_under


@dataclass(frozen=True)
class Worker:
    """What answers, and what the pictures are from."""

    predictor: Predictor
    dataset: Dataset

    def held_out(self, pictures: Sequence[tuple[int, str, int, str]]) -> HeldOut:
        """Return pictures that are named: where in the data, source, label, and hash of the content.

        Reading one that is another by now is a DataError.
        """
        preprocess = self.predictor.preprocess

        def read(position: int) -> UInt8:
            index, source, _, content = pictures[position]
            if index >= len(self.dataset) or self.dataset.sources[index] != source:
                raise self._changed(source)
            try:
                picture = self.dataset.read(index)
                now = hash_of(picture)
            except ImageError as error:
                if content:  # it could be read before
                    raise self._changed(source) from error
                raise
            if now != content:
                raise self._changed(source)
            return preprocess(picture.decode(preprocess.channels))

        labels = np.array([label for _, _, label, _ in pictures], dtype=np.int64)
        return HeldOut(labels, [source for _, source, _, _ in pictures], read)

    def _changed(self, source: str) -> DataError:
        return DataError(
            f"{self.dataset.path} is not the same for a worker: {source} is missing or another picture",
            code="data_changed",
            hint="data must lie on a disk that all machines see under the same path, and must not change",
            path=self.dataset.path,
        )


def begin(spec: Mapping[str, Any]) -> Worker:
    """Open bundle and data.

    Raises:
        UsageError: `other_bundle`, `other_versions`: not what the command that asks has opened.
        FovealError: They cannot be opened here.
    """
    engine = spec["engine"].split()[0]
    predictor = Predictor.open(spec["bundle"], engine=engine, precision=spec["precision"], threads=1)
    if predictor.digest != spec["digest"]:
        raise UsageError(f"{spec['bundle']} was replaced meanwhile", code="other_bundle", path=spec["bundle"])
    if predictor.session.engine != spec["engine"]:
        raise UsageError(
            f"a worker has {predictor.session.engine}; the command has {spec['engine']}",
            code="other_versions",
            hint="install the same versions on all machines",
        )
    dataset = opening.open_for(spec["data"], predictor.preprocess.clip)
    return Worker(predictor, predictor.preprocess.seeing(dataset))


def answer(spec: Mapping[str, Any], worker: Worker) -> dict[str, Json]:
    """Answer one batch of pictures; positions are those in the task."""
    part = ask(worker.predictor, worker.held_out(spec["pictures"]), range(len(spec["pictures"])))
    failpoints.reach("evaluate.answered")
    rows = b"" if part.probabilities is None else part.probabilities.astype("<f4").tobytes()
    return {
        "probabilities": base64.b64encode(rows).decode("ascii"),
        "positions": part.positions,
        "errors": [error.as_json() for error in part.errors],
        "cpu": machine.cpu_name(),
    }


@dataclass(frozen=True)
class Disturber:
    """What answers, and pictures at model size, uint8 (M, size, size, C), with their labels, int64 (M,)."""

    predictor: Predictor
    images: UInt8
    labels: NDArray[np.int64]


def begin_disturbing(spec: Mapping[str, Any]) -> Disturber:
    """Open bundle and data, and read the pictures that are to be disturbed; raises as `begin` does."""
    worker = begin(spec)
    return Disturber(
        worker.predictor, *at_size(worker.held_out(spec["pictures"]), range(len(spec["pictures"])))
    )


def disturb(spec: Mapping[str, Any], worker: Disturber) -> dict[str, Json]:
    """Count the right answers under one corruption."""
    right = right_under(spec["name"], worker.predictor, worker.images, worker.labels, seed=spec["seed"])
    failpoints.reach("evaluate.disturbed")
    return {"right": right, "images": len(worker.labels), "cpu": machine.cpu_name()}
