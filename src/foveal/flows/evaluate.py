"""Measure a bundle, or the bundle of a run, on data, and show what was found."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.core import files, machine
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.data.dataset import Dataset
from foveal.data.good import as_known
from foveal.data.inventory import content_hashes
from foveal.evaluate.document import Report
from foveal.evaluate.given_out import GivenOut
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.reporting import report
from foveal.flows._evaluate_scenes import EvaluatedScenes, evaluate_scenes
from foveal.flows._grouped import grouped, told_good
from foveal.flows._held_out import choose
from foveal.flows._mistake_maps import mistake_maps
from foveal.flows._sealed import Sealed
from foveal.flows._where import Where


@dataclass(frozen=True)
class Terms:
    """What runs the recognizer, and on what belongs together.

    Attributes:
        engine, precision: As for `Predictor.open`; None: what is remembered as fastest here.
        threads: Batches at once; None takes all processors we may use.
        where: Where the pictures are answered by several processes, each with one thread; None: here.
        group: What belongs together in data that are a path; None: what the run was told.
    """

    engine: str | None = None
    precision: str | None = None
    threads: int | None = None
    where: Where | None = None
    group: str | None = None


USUAL = Terms()


@dataclass(frozen=True)
class Evaluated:
    """What was found, and the pictures it was found on.

    Attributes:
        report: The numbers.
        held_out: The pictures.
        predictor: What answered.
    """

    report: Report
    held_out: HeldOut
    predictor: Predictor

    def page(self, *, threads: int, progress: Progress) -> str:
        """Return the report as one HTML page; see `write_page`."""
        from foveal.report.page import evaluation_page

        mistakes, classes = self.report.worst_mistakes, self.report.classes
        pictures = self.held_out.pictures([mistake.source for mistake in mistakes])
        worst = [(m.source, classes[m.label], classes[m.truth]) for m in mistakes]
        maps = mistake_maps(self.predictor, worst, pictures, threads=threads, progress=progress)
        return evaluation_page(self.report.as_json(), pictures=pictures, maps=maps)


def evaluate(
    model: str | Path,
    data: str | Path | Dataset,
    *,
    split: str | None = None,
    seed: int = 0,
    terms: Terms = USUAL,
    progress: Progress = silent,
) -> Evaluated | EvaluatedScenes:
    """Return what a recognizer is worth on pictures that it has not learned from.

    Args:
        model: A bundle, or a run folder that holds one.
        data: Anything `data.open` recognizes. The data that it was trained on are divided as the training
            divided them; of any other data all pictures count. Classes are matched by name. What belongs
            together is what the run was told, as far as the data know it; a data set that is open already
            keeps what it was opened with.
        split: Part of the data; None is the test part of training data and all of other data.
        seed: For resampled intervals and for the noise of the corruptions.
        terms: What runs it, and what belongs together.
        progress: Told a few times a second.

    Raises:
        NotFoundError: No such model or data.
        BundleError: The bundle is not to be trusted.
        DataError: A class that the model lacks, a picture that it has learned from, or none to measure on.
        UsageError: No such split or engine, or one that does not compute in that precision.
        MissingExtraError: The engine is not installed.
        TemporaryError: Of a backend: there is no worker (`no_worker`), or too many died (`answers_lost`).
    """
    bundle = locate(model)
    # One thread: batches run side by side.
    predictor = Predictor.open(bundle, engine=terms.engine, precision=terms.precision, threads=1)
    if predictor.manifest.task in SCENE_TASKS:
        return evaluate_scenes(
            predictor,
            bundle,
            _scenes(data, bundle, predictor, terms),
            split=split,
            seed=seed,
            threads=terms.threads,
            progress=progress,
        )
    clip = predictor.preprocess.clip
    dataset = data if isinstance(data, Dataset) else grouped(data, [bundle], clip, group=terms.group)
    with ExitStack() as stack:
        # Whatever can be refused at once comes before, and reading all files after.
        hands = None if terms.where is None else stack.enter_context(terms.where.opened())
        hashes = content_hashes(dataset, progress=progress)
        chosen = choose(
            dataset, hashes, Sealed.at(bundle, predictor.manifest), split=split, progress=progress
        )
        asked = None
        if hands is not None:
            contents = [hashes[index] for index in chosen.indices]
            asked = GivenOut(
                *hands, bundle, predictor, dataset.path, chosen.held_out, chosen.indices, contents
            )
        threads = terms.threads if hands is None else hands[1]
        found = report(predictor, chosen.held_out, seed=seed, threads=threads, asked=asked, progress=progress)
    provenance = {
        **found.provenance,
        **({} if asked is None else asked.provenance),
        "unseen": chosen.unseen,
        "grouped_by": list(dataset.grouped_by),
    }
    found = replace(found, bundle=str(bundle), provenance=provenance)
    return Evaluated(found, chosen.held_out, predictor)


def write_page(
    evaluated: Evaluated | EvaluatedScenes,
    path: Path,
    *,
    threads: int | None = None,
    progress: Progress = silent,
) -> None:
    """Write the report as one HTML page; it shows the worst mistakes, so it holds the user's pictures.

    Args:
        evaluated: What was found.
        path: The page.
        threads: Mistakes explained at once; None takes all processors we may use.
        progress: Told after each of them.

    Raises:
        MissingExtraError: The page needs the `train` extra.
        WriteError: It cannot be written.
    """
    files.write_text(path, evaluated.page(threads=threads or machine.usable_cpus(), progress=progress))


def _scenes(data: str | Path | Dataset, bundle: Path, predictor: Predictor, terms: Terms) -> Dataset:
    """Return the data of a recognizer that says where something is, opened as it learned them.

    Raises:
        UsageError: Other processes are wanted.
        NotFoundError, DataError: As `data.open`.
    """
    if terms.where is not None:
        raise UsageError(
            "where something is is measured by this process", hint="leave --backend and --workers out"
        )
    if isinstance(data, Dataset):
        return data
    manifest = predictor.manifest
    found = grouped(data, [bundle], None, group=terms.group, task=manifest.task, things=manifest.things)
    return as_known(found, manifest.classes, told_good(bundle)) if manifest.task == "defect" else found
