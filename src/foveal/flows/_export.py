"""From prepared data and a trained network to a sealed bundle."""

from pathlib import Path

from foveal.bundle.manifest import Data, Images, Licenses
from foveal.calibrate.fit import Promises
from foveal.export.sealing import Exported, Origin, bundle
from foveal.flows._prepare import Prepared
from foveal.models.pretrained._weights import Weights
from foveal.tasks.recognizer import Recognizer
from foveal.train.recipe import Recipe


def promises_of(recipe: Recipe) -> Promises:
    """Return what the decision rule of a recipe's network is to guarantee."""
    return Promises(alpha=recipe.alpha, risk=recipe.risk, sets=recipe.sets, sets_delta=recipe.sets_delta)


def data_of(prepared: Prepared) -> Data:
    """Return what a manifest says of the data."""
    split = prepared.split
    return Data(
        fingerprint=split.fingerprint,
        split_seed=split.seed,
        images=Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test)),
        split_digest=split.digest,
    )


def licenses_of(weights: Weights | None) -> Licenses:
    """Return what a manifest says of licences; `weights` are those that training started from."""
    return Licenses(code="Apache-2.0", weights=weights.license if weights else None, data=None)


def export_prepared(
    recognizer: Recognizer,
    prepared: Prepared,
    path: Path,
    *,
    promises: Promises,
    threads: int,
    weights: Weights | None = None,
) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them.

    Args:
        recognizer: What was trained.
        prepared: The data with their roles.
        path: The file to write.
        promises: What its decision rule is to guarantee.
        threads: Of the engine whose answers are calibrated.
        weights: What it was fine-tuned from; None: it was trained from scratch.
    """
    return bundle(
        recognizer,
        path,
        calib=prepared.examples("calib"),
        test=prepared.examples("test"),
        origin=Origin(
            data_of(prepared),
            source=weights.source if weights else "scratch",
            licenses=licenses_of(weights),
            promises=promises,
            fit=prepared.examples("fit"),
        ),
        threads=threads,
    )
