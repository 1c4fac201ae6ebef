"""From a sealed bundle that says where something is, and another graph for it, to a second bundle."""

from pathlib import Path
from typing import Any

import foveal
from foveal.bundle import archive, golden_objects, golden_regions
from foveal.bundle.archive import Members, Vectors
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.session import Session
from foveal.core.machine import usable_cpus
from foveal.core.task import OBJECT_TASKS
from foveal.data.truths import Stated
from foveal.export.lowering import Lowering, lowered_model
from foveal.export.objects_calibration import calibrated_objects
from foveal.train.examples import Examples


def lowered_scenes(
    source: Members,
    lowering: Lowering,
    path: Path,
    *,
    calib: Examples | None,
    stated: Stated | None,
    threads: int | None = None,
) -> None:
    """Seal the bundle of another graph; of a detector scores and thresholds are fitted anew on its answers.

    Without pictures that state objects the new file keeps those of the first one.

    Args:
        source: The first bundle.
        lowering: The other graph.
        path: The bundle to write; one that is there is replaced.
        calib: Images at model size that were not learned from; None: there are none.
        stated: Gives the objects of an image of these by its row; None: nobody knows.
        threads: Of the engine; None takes all processors we may use.

    Raises:
        BundleError: The new graph cannot be run, or does not stand alone.
        WriteError: It cannot be written.
    """
    threads, manifest, model = threads or usable_cpus(), source.manifest, lowering.model
    changes: dict[str, Any] = {"foveal": foveal.__version__, "model": lowered_model(source, lowering)}
    changes["inspection"] = None  # it was proven with the scores of the other graph
    if manifest.task in OBJECT_TASKS and calib is not None and stated is not None and len(calib):
        made = calibrated_objects(
            model,
            calib,
            stated,
            classes=len(manifest.classes),
            threads=threads,
            attributes=manifest.objects.attributes,
        )
        model, session = made.model, made.session
        fitted = {
            "thresholds": made.thresholds,
            "scale": made.scale,
            "shift": made.shift,
            "attributes": made.attributes,
            "n": len(calib),
        }
        changes["decision"] = manifest.objects.model_copy(update=fitted)
    else:
        session = onnxruntime(model, threads=threads)
    draft = manifest.draft(**changes)
    archive.seal(path, draft, model=model, golden=_vectors(session, source), force=True)


def _vectors(session: Session, source: Members) -> Vectors:
    """Return golden vectors of the graph."""
    manifest = source.manifest
    measure = golden_objects.measure if manifest.task in OBJECT_TASKS else golden_regions.measure
    return measure(session, manifest.preprocess, classes=len(manifest.classes))
