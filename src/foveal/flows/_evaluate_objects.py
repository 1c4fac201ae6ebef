"""Measure a detector's bundle on data, and show what was found."""

from dataclasses import dataclass, replace
from pathlib import Path

from foveal.bundle.predictor import Predictor
from foveal.core.progress import Progress, silent
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import content_hashes
from foveal.data.truths import stated
from foveal.evaluate.objects import Scenes, objects_report
from foveal.evaluate.objects_document import ObjectReport
from foveal.export.objects_sealing import truth_of
from foveal.flows._drawn_objects import drawn_mistakes
from foveal.flows._held_out import pick
from foveal.flows._sealed import Sealed


@dataclass(frozen=True)
class EvaluatedObjects:
    """What was found, and the data it was found on.

    Attributes:
        report: The numbers.
        dataset: The data.
        predictor: What answered.
    """

    report: ObjectReport
    dataset: Dataset
    predictor: Predictor

    def page(self, *, threads: int, progress: Progress) -> str:
        """Return the report as one HTML page; see `flows.evaluate.write_page`."""
        from foveal.report.objects_page import objects_page

        pictures = drawn_mistakes(self.predictor, self.report, self.dataset)
        return objects_page(self.report.as_json(), pictures=pictures)


def evaluate_objects(  # noqa: PLR0913 - as `flows.evaluate.evaluate`, which opened the first two
    predictor: Predictor,
    bundle: Path,
    dataset: Dataset,
    *,
    split: str | None,
    seed: int,
    threads: int | None,
    progress: Progress = silent,
) -> EvaluatedObjects:
    """Return what a detector is worth on pictures that it has not learned from.

    Args:
        predictor: Opened with one thread: batches run side by side.
        bundle: The file.
        dataset: With what is where on the pictures.
        split: Part of the data; None is the test part of training data and all of other data.
        seed: For resampled intervals.
        threads: Batches at once; None takes all processors we may use.
        progress: Told a few times a second.

    Raises:
        DataError: A class that the model lacks, a picture that it has learned from, or none to measure on.
        UsageError: No such split, or the data state something else than the recognizer answers.
    """
    hashes = content_hashes(dataset, progress=progress)
    picked = pick(dataset, hashes, Sealed.at(bundle, predictor.manifest), split=split, progress=progress)
    preprocess, data, indices = predictor.preprocess, picked.dataset, picked.indices
    of = stated(data, preprocess, classes=predictor.classes)

    def read(position: int) -> UInt8:
        return preprocess(data.read(int(indices[position])).decode(preprocess.channels))

    scenes = Scenes(
        sources=[data.sources[index] for index in indices],
        read=read,
        truth=lambda position: truth_of(of, int(indices[position])),
        split=picked.split,
        fingerprint=picked.fingerprint,
        split_seed=picked.seed,
        units=picked.units[indices],
    )
    found = objects_report(predictor, scenes, seed=seed, threads=threads, progress=progress)
    provenance = {**found.provenance, "unseen": picked.unseen, "grouped_by": list(data.grouped_by)}
    return EvaluatedObjects(
        replace(found, bundle=str(bundle), provenance=provenance), picked.dataset, predictor
    )
