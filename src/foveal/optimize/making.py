"""How networks and graphs of each task become sealed files: one place for all that a search makes."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from foveal.bundle.archive import Members
from foveal.calibrate.fit import Promises
from foveal.core.task import OBJECT_TASKS, SCENE_TASKS
from foveal.data.truths import Stated
from foveal.export.lowering import Lowering, lowered
from foveal.export.objects_sealing import bundle_objects
from foveal.export.regions_sealing import bundle_regions
from foveal.export.scene_lowering import lowered_scenes
from foveal.export.sealing import Exported, Origin, bundle
from foveal.tasks.detect.learn import Selection
from foveal.tasks.recognizer import Recognizer
from foveal.train.examples import Examples


@dataclass(frozen=True)
class Material:
    """What files are fitted and compared on, at the size that a network takes.

    Attributes:
        calib: Pictures that nothing was learned from and nothing is chosen by; None: there are none with
            labels.
        fit: Pictures that were learned from; None: there are none.
        stated: Gives the objects of any of them by its row; None: none are stated.
        threads: Of the engine.
    """

    calib: Examples | None = field(repr=False)
    fit: Examples | None = field(repr=False)
    stated: Stated | None = field(repr=False)
    threads: int


def sealed(recognizer: Recognizer, source: Members, origin: Origin, path: Path, material: Material) -> bool:
    """Export a network in fp32 through the parity gate; return whether it passed.

    Args:
        recognizer: The network.
        source: The file that it stands beside: what that promises, or gives out, it does, too.
        origin: Where it comes from.
        path: The file to write.
        material: With `calib`.
    """
    exported = _exported(recognizer, source, origin, path, material)
    return exported.bundle is not None


def _exported(
    recognizer: Recognizer, source: Members, origin: Origin, path: Path, material: Material
) -> Exported:
    calib, threads = material.calib, material.threads
    if calib is None:
        raise ValueError("a network is exported where pictures are labelled")
    if recognizer.task not in SCENE_TASKS:
        promises = Promises.of(source.manifest.decision)
        origin = replace(origin, promises=promises, fit=material.fit)
        return bundle(recognizer, path, calib=calib, origin=origin, threads=threads)
    held_out = calib, replace(calib, indices=calib.indices[:0])
    if recognizer.task not in OBJECT_TASKS:
        return bundle_regions(recognizer, path, held_out=held_out, origin=origin, threads=threads)
    if material.stated is None:
        raise ValueError("a detector is exported where objects are stated")
    rule = source.manifest.objects
    return bundle_objects(
        recognizer,
        path,
        held_out=held_out,
        stated=material.stated,
        origin=replace(origin, things=rule.things, attributes=rule.attributes),
        selection=Selection(objects=rule.objects, overlap=rule.overlap),
        threads=threads,
    )


def lower(source: Members, lowering: Lowering, path: Path, material: Material) -> None:
    """Seal another graph of a sealed file, fitted anew on its own answers.

    Raises:
        BundleError: The new graph cannot be run, or does not stand alone.
        WriteError: It cannot be written.
    """
    calib, threads = material.calib, material.threads
    if source.manifest.task in SCENE_TASKS:
        lowered_scenes(source, lowering, path, calib=calib, stated=material.stated, threads=threads)
    else:
        lowered(source, lowering, path, calib=calib, fit=material.fit, threads=threads)
