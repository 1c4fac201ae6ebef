"""From what learned where something is to the file that ships, and what that is worth."""

from dataclasses import dataclass, replace
from pathlib import Path

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.core.progress import Progress
from foveal.data.truths import stated
from foveal.evaluate.scene_document import SceneReport
from foveal.export.defects_sealing import bundle_defects
from foveal.export.objects_sealing import bundle_objects
from foveal.export.regions_sealing import bundle_regions
from foveal.export.sealing import Exported, Origin
from foveal.flows._defect_places import deciding_places
from foveal.flows._export import Beginning, beginning_of, data_of
from foveal.flows._prepare import Prepared
from foveal.flows._scene_reports import scene_report, with_provenance
from foveal.flows._scenes import learned_attributes
from foveal.flows._scenes_report import write_scenes_refusal, write_scenes_report
from foveal.models.pretrained._weights import Weights
from foveal.tasks.detect.learn import Selection
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import Fitted
from foveal.train.recipe import SYNTHETIC, Recipe
from foveal.train.scenes.learning import teaching
from foveal.train.scenes.planning import objective_of


@dataclass(frozen=True)
class Shipped:
    """What came out of a training.

    Attributes:
        exported: The sealed file, or why there is none.
        report: What was measured of it on the test part; None where there is none.
        page: The page.
    """

    exported: Exported
    report: SceneReport | None
    page: Path


def selection_of(recipe: Recipe) -> Selection:
    """Return which answers a detector of a recipe gives out: one that learned so has no doubles to drop."""
    usual = Selection()
    alone = objective_of(recipe) in teaching(recipe.architecture).alone
    return Selection(objects=recipe.objects or usual.objects, overlap=None if alone else usual.overlap)


def _knows_kinds(recipe: Recipe) -> bool:
    """Return whether defects were learned from; otherwise good pictures were, alone."""
    return bool(recipe.architecture.learns) and objective_of(recipe) != SYNTHETIC


def export_scenes(
    recognizer: Recognizer,
    prepared: Prepared,
    path: Path,
    *,
    recipe: Recipe,
    threads: int,
    beginning: Beginning,
) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them.

    Args:
        recognizer: What was trained.
        prepared: The data with their roles.
        path: The file to write.
        recipe: What was wanted: which answers of a detector are given out follows from it.
        threads: Of the engine whose answers are calibrated.
        beginning: What its training started from.
    """
    held_out = prepared.examples("calib"), prepared.examples("test")
    scenes = prepared.dataset.scenes
    origin = Origin(
        data_of(prepared),
        source=beginning.source,
        licenses=beginning.licenses,
        things=None if scenes is None else scenes.things,
        attributes=learned_attributes(recipe, prepared),
    )
    if recognizer.task == "segment":
        return bundle_regions(recognizer, path, held_out=held_out, origin=origin, threads=threads)
    if recognizer.task == "defect":
        return bundle_defects(
            recognizer,
            path,
            held_out=held_out,
            decide=deciding_places(prepared, held_out[0], masks=_knows_kinds(recipe)),
            origin=origin,
            threads=threads,
        )
    return bundle_objects(
        recognizer,
        path,
        held_out=held_out,
        stated=stated(prepared.dataset, prepared.preprocess),
        origin=origin,
        selection=selection_of(recipe),
        threads=threads,
    )


def finish_scenes(  # noqa: PLR0913 - what a run, its recipe and its plan say
    run: Path,
    recognizer: Recognizer,
    prepared: Prepared,
    fitted: Fitted,
    *,
    name: str,
    recipe: Recipe,
    weights: Weights | None,
    threads: int,
    progress: Progress,
) -> Shipped:
    """Ship what was trained, measure the file that ships on the test part, and write the report.

    Args:
        run: The run folder.
        recognizer: What was trained.
        prepared: The data with their roles.
        fitted: How training ended.
        name: Of the bundle, without ending.
        recipe: What was wanted.
        weights: What the backbone started from; None: nothing.
        threads: Of the engine, and batches at once.
        progress: Told about every stage.
    """
    progress("export", 0, 1)
    exported = export_scenes(
        recognizer,
        prepared,
        run / f"{name}.foveal",
        recipe=recipe,
        threads=threads,
        beginning=beginning_of(weights),
    )
    progress("export", 1, 1)
    if exported.bundle is None:
        return Shipped(exported, None, write_scenes_refusal(run, exported.parity, fitted.history))
    report = _measured(exported.bundle, prepared, threads=threads, progress=progress)
    page = write_scenes_report(run, report, prepared, fitted.history)
    return Shipped(exported, report, page)


def _measured(bundle: Path, prepared: Prepared, *, threads: int, progress: Progress) -> SceneReport:
    """Open the sealed file as anybody would, measure it on the test part, and attach the report."""
    split, store = prepared.split, prepared.store
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=1)  # batches run side by side
    about = {
        "split": "test",
        "fingerprint": split.fingerprint,
        "split_seed": split.seed,
        "units": split.units[split.test],
    }
    found = scene_report(
        predictor,
        prepared.dataset,
        split.test,
        lambda position: store.images[split.test[position]],
        about=about,
        seed=split.seed,
        threads=threads,
        progress=progress,
    )
    # The pictures were read and decoded before, so their rate would be none that anybody serves at.
    found = with_provenance(found, images_per_second=None)
    archive.attach_report(bundle, found.without_names().as_json())  # names of pictures stay in the run
    return replace(found, bundle=str(bundle))
