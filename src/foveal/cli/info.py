"""`foveal info`: what is in this bundle, and is it intact?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foveal.cli._frame import Json, Quiet, Threads, Verbose, emit
from foveal.core import catalog
from foveal.core.text import visible
from foveal.core.units import show_bytes

if TYPE_CHECKING:
    from rich.console import Console

    from foveal.bundle.predictor import Predictor

SCHEMA = "foveal.info/1"
_SHOWN = 20  # class names


def info(
    model: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    as_json: Json = False,
    threads: Threads = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show a bundle's manifest after comparing its hashes and running its golden vectors here."""
    from foveal.bundle.locate import locate
    from foveal.bundle.predictor import Predictor
    from foveal.bundle.ways import REFERENCE

    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=threads)
    manifest = predictor.manifest.as_json()
    document = {
        **manifest,
        "schema": SCHEMA,
        "ok": True,
        "bundle": str(bundle),
        "bundle_schema": manifest["schema"],
        "size_bytes": predictor.size_bytes,
        "report": predictor.report is not None,
        "engine": predictor.session.engine,
        "verified": True,
    }
    emit(document, as_json=as_json, human=lambda console: _show(console, bundle, predictor))


def _show(console: "Console", bundle: Path, predictor: "Predictor") -> None:
    from rich.markup import escape

    from foveal.data.preprocess import decoder
    from foveal.metrics.set_coverage import surely_covered

    manifest = predictor.manifest
    model, preprocess, images = manifest.model, manifest.preprocess, manifest.data.images
    abstain, conformal = manifest.decision.abstain, manifest.decision.conformal
    here = decoder()
    pillow = preprocess.decoder + (f" (here {here})" if here != preprocess.decoder else "")
    names = ", ".join(manifest.classes[:_SHOWN])
    more = len(manifest.classes) - _SHOWN
    rows = {
        "bundle": f"{bundle}, {show_bytes(predictor.size_bytes)}",
        "digest": manifest.digest,
        "verified": f"all hashes, and its golden vectors on {predictor.session.engine}",
        "model": f"{catalog.spoken(model.name)}, {model.parameters:,} parameters, from {model.source}",
        "classes": f"{len(manifest.classes)}: {names}{f' and {more} more' if more > 0 else ''}",
        "input": f"{preprocess.size} × {preprocess.size} × {preprocess.channels}, {pillow}",
        "declines": "never: no threshold could be proven"
        if abstain.threshold is None
        else f"below {abstain.threshold:.4f}, for at most {abstain.risk:.1%} wrong answers "
        f"({1 - abstain.delta:.0%} certainty, n={abstain.n})",
        "sets": "all classes: too few calibration images"
        if conformal.quantile is None
        else f"made to hold the truth in {1 - conformal.alpha:.0%} of cases; in at least "
        f"{surely_covered(conformal.n, conformal.alpha):.1%} with 95% certainty (n={conformal.n})",
        "images": f"{images.fit} fit, {images.calib} calibration, {images.test} test",
        "licences": ", ".join(f"{of} {name or 'not stated'}" for of, name in manifest.licenses),
        "report": "attached" if predictor.report is not None else "none; foveal evaluate makes one",
        "made by": f"foveal {manifest.foveal}",
    }
    rule = manifest.decision.unknown
    if rule is not None:
        rows["unknown"] = (
            "nothing: too few calibration images"
            if rule.threshold is None
            else f"{catalog.spoken(rule.score)} above {rule.threshold:.5g}, for at most {rule.alpha:.0%} of "
            f"known pictures (n={rule.n})"
        )
    if any(name.startswith("openvino/") for name in manifest.members):
        rows["openvino"] = "its own form of the network is inside; that engine runs it"
    for name, value in rows.items():
        console.print(f"[bold]{name:<9}[/bold] {escape(visible(value))}")
