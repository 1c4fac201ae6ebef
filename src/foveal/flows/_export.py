"""From prepared data and a trained network to a sealed bundle."""

from pathlib import Path

from foveal.bundle.manifest import Data, Images, Licenses
from foveal.export.sealing import Exported, Origin, bundle
from foveal.flows._prepare import Prepared
from foveal.tasks.recognizer import Recognizer
from foveal.train.loop import Examples


def export_prepared(recognizer: Recognizer, prepared: Prepared, path: Path, *, threads: int) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them.

    Args:
        recognizer: What was trained.
        prepared: The data with their roles.
        path: The file to write.
        threads: Of the engine whose answers are calibrated.
    """
    split = prepared.split
    data = Data(
        fingerprint=split.fingerprint,
        split_seed=split.seed,
        images=Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test)),
        split_digest=split.digest,
    )
    return bundle(
        recognizer,
        path,
        calib=examples(prepared, "calib"),
        test=examples(prepared, "test"),
        origin=Origin(data, source="scratch", licenses=Licenses(code="Apache-2.0", weights=None, data=None)),
        threads=threads,
    )


def examples(prepared: Prepared, role: str) -> Examples:
    """Return the pictures that have a role, with what belongs together among them."""
    split = prepared.split
    return Examples(prepared.store.images, prepared.store.labels, split.role(role), split.units)
