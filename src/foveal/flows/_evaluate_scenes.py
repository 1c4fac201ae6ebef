"""Measure the bundle of a recognizer that says where something is, and show what was found."""

from dataclasses import dataclass, replace
from pathlib import Path

from foveal.bundle.predictor import Predictor
from foveal.core.progress import Progress, silent
from foveal.data.dataset import Dataset, UInt8
from foveal.data.inventory import content_hashes
from foveal.evaluate.scene_document import SceneReport
from foveal.flows._held_out import pick
from foveal.flows._scene_reports import scene_report, with_provenance
from foveal.flows._sealed import Sealed


@dataclass(frozen=True)
class EvaluatedScenes:
    """What was found, and the data it was found on.

    Attributes:
        report: The numbers.
        dataset: The data.
        predictor: What answered.
    """

    report: SceneReport
    dataset: Dataset
    predictor: Predictor

    def page(self, *, threads: int, progress: Progress) -> str:
        """Return the report as one HTML page; see `flows.evaluate.write_page`."""
        from foveal.flows._drawn_scenes import drawn_mistakes  # both need the extra `train`
        from foveal.report.scenes_page import scenes_page

        pictures = drawn_mistakes(self.predictor, self.report, self.dataset)
        return scenes_page(self.report.as_json(), pictures=pictures)


def evaluate_scenes(  # noqa: PLR0913 - as `flows.evaluate.evaluate`, which opened the first three
    predictor: Predictor,
    bundle: Path,
    dataset: Dataset,
    *,
    split: str | None,
    seed: int,
    threads: int | None,
    progress: Progress = silent,
) -> EvaluatedScenes:
    """Return what a recognizer is worth on pictures that it has not learned from.

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

    def read(position: int) -> UInt8:
        return preprocess(data.read(int(indices[position])).decode(preprocess.channels))

    about = {
        "split": picked.split,
        "fingerprint": picked.fingerprint,
        "split_seed": picked.seed,
        "units": picked.units[indices],
    }
    found = scene_report(
        predictor, data, indices, read, about=about, seed=seed, threads=threads, progress=progress
    )
    found = with_provenance(found, unseen=picked.unseen, grouped_by=list(data.grouped_by))
    return EvaluatedScenes(replace(found, bundle=str(bundle)), data, predictor)
