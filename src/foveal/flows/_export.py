"""From prepared data and a trained network to a sealed bundle."""

from pathlib import Path
from typing import NamedTuple

from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.manifest import Data, Images, Licenses
from foveal.calibrate.fit import Promises
from foveal.core.errors import NotFoundError
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


class Beginning(NamedTuple):
    """What training started from, as a manifest says it.

    Attributes:
        source: `scratch`, or the name of the weights.
        licenses: Of code, weights and data.
    """

    source: str
    licenses: Licenses


def beginning_of(weights: Weights | None) -> Beginning:
    """Return what a training started from that begins with these weights, or with none."""
    named = None if weights is None else weights.license
    source = "scratch" if weights is None else weights.source
    return Beginning(source, Licenses(code="Apache-2.0", weights=named, data=None))


def beginning_in(run: Path) -> Beginning:
    """Return what a finished run started from, as its own bundle says; where it has none, nobody knows.

    Raises:
        BundleError: Its bundle is not to be trusted.
    """
    try:
        manifest = archive.read(locate(run)).manifest
    except NotFoundError:
        return Beginning("not stated", Licenses(code=None, weights=None, data=None))
    return Beginning(manifest.model.source, manifest.licenses)


def export_prepared(
    recognizer: Recognizer,
    prepared: Prepared,
    path: Path,
    *,
    promises: Promises,
    threads: int,
    beginning: Beginning,
) -> Exported:
    """Seal a bundle; test images only show that file and network agree, nothing is fitted on them.

    Args:
        recognizer: What was trained.
        prepared: The data with their roles.
        path: The file to write.
        promises: What its decision rule is to guarantee.
        threads: Of the engine whose answers are calibrated.
        beginning: What its training started from.
    """
    return bundle(
        recognizer,
        path,
        calib=prepared.examples("calib"),
        test=prepared.examples("test"),
        origin=Origin(
            data_of(prepared),
            source=beginning.source,
            licenses=beginning.licenses,
            promises=promises,
            fit=prepared.examples("fit"),
        ),
        threads=threads,
    )
