"""`foveal info`: what is in this bundle, and is it intact?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Json, Quiet, Threads, Verbose, emit
from foveal.core import catalog
from foveal.core.task import SCENE_TASKS
from foveal.core.text import visible
from foveal.core.units import show_bytes
from foveal.core.wording import counted

if TYPE_CHECKING:
    from rich.console import Console

    from foveal.bundle.predictor import Predictor
    from foveal.tasks.classify.decode import Conformal, Decision
    from foveal.tasks.classify.reference import Reference
    from foveal.tasks.defect.decode import DefectDecision
    from foveal.tasks.detect.decode import ObjectDecision
    from foveal.tasks.segment.decode import RegionDecision

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
    from foveal.bundle.archive import REPORT
    from foveal.bundle.locate import locate
    from foveal.bundle.predictor import Predictor
    from foveal.bundle.ways import REFERENCE
    from foveal.certify.attached import attached

    bundle = locate(model)
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=threads)
    manifest = predictor.manifest.as_json()
    found = predictor.certificate
    certificate = None if found is None else attached(found)
    document = {
        **manifest,
        "schema": SCHEMA,
        "ok": True,
        "bundle": str(bundle),
        "bundle_schema": manifest["schema"],
        "size_bytes": predictor.size_bytes,
        "report": REPORT in predictor.enclosed,
        "certificate": certificate,
        "engine": predictor.session.engine,
        "verified": True,
    }
    emit(document, as_json=as_json, human=lambda console: _show(console, bundle, predictor, certificate))


def _show(
    console: "Console", bundle: Path, predictor: "Predictor", certificate: dict[str, Any] | None
) -> None:
    from rich.markup import escape

    from foveal.bundle.archive import REPORT
    from foveal.data.preprocess import decoder

    manifest = predictor.manifest
    model, preprocess, images = manifest.model, manifest.preprocess, manifest.data.images
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
        "task": manifest.task,
        "input": f"{' × '.join(map(str, preprocess.shape[-3:]))}, {pillow}",
        **_ruled(manifest.rule),
        "images": f"{images.fit} fit, {images.calib} calibration, {images.test} test",
        "licences": ", ".join(f"{of} {name or 'not stated'}" for of, name in manifest.licenses),
        "report": "attached" if REPORT in predictor.enclosed else "none; foveal evaluate makes one",
        "certified": _certified(certificate) if certificate is not None else _uncertified(manifest.task),
        "made by": f"foveal {manifest.foveal}",
    }
    if any(name.startswith("openvino/") for name in manifest.members):
        rows["openvino"] = "its own form of the network is inside; that engine runs it"
    for name, value in rows.items():
        console.print(f"[bold]{name:<9}[/bold] {escape(visible(value))}")


def _uncertified(task: str) -> str:
    return "no" if task in SCENE_TASKS else "no; foveal certify does it"


def _ruled(rule: "Decision | ObjectDecision | RegionDecision | DefectDecision") -> dict[str, str]:
    """Return how a recognizer decides."""
    from foveal.tasks.classify.decode import Decision
    from foveal.tasks.defect.decode import DefectDecision
    from foveal.tasks.detect.decode import ObjectDecision

    if isinstance(rule, Decision):
        return _decides(rule)
    if isinstance(rule, ObjectDecision):
        return _finds(rule)
    if isinstance(rule, DefectDecision):
        limits = ", ".join(f"{threshold:.4g}" for threshold in rule.thresholds[:_SHOWN])
        return {
            "answers": "a score, larger is worse, and a map of each kind of defect",
            "shows": f"places from {limits} on, by kind ({counted(rule.n, 'calibration image')})",
        }
    return {"answers": "a class for each pixel"}


def _finds(decision: "ObjectDecision") -> dict[str, str]:
    """Return how a detector decides."""
    limits = ", ".join(f"{threshold:.3f}" for threshold in decision.thresholds[:_SHOWN])
    doubles = "none arise" if decision.overlap is None else f"dropped above {decision.overlap:.0%} overlap"
    told = {
        f"tells {visible(one.name)}": f"{', '.join(map(visible, one.values[:_SHOWN]))}; unknown below "
        f"{one.threshold:.3f} ({counted(one.n, 'calibration object')})"
        for one in decision.attributes
    }
    return {
        "shows": f"answers from {limits} on, by class (best F1 on {decision.n} calibration images)",
        "answers": f"at most {decision.objects} objects a picture; doubles: {doubles}",
        **told,
    }


def _decides(decision: "Decision") -> dict[str, str]:
    """Return how a classifier decides."""
    abstain, rule = decision.abstain, decision.unknown
    declines = "never: no threshold could be proven"
    if abstain.threshold is not None:
        declines = (
            f"below {abstain.threshold:.4f}, for at most {abstain.risk:.1%} wrong answers "
            f"({1 - abstain.delta:.0%} certainty, n={abstain.n})"
        )
    rows = {"declines": declines, "sets": _sets(decision.conformal)}
    if rule is not None:
        rows["unknown"] = (
            "nothing: too few calibration images"
            if rule.threshold is None
            else f"{catalog.spoken(rule.score)} above {rule.threshold:.5g}, for at most {rule.alpha:.0%} of "
            f"known pictures (n={rule.n})"
        )
    return {**rows, "monitor": _monitor(decision.monitor)}


def _sets(conformal: "Conformal") -> str:
    from foveal.metrics.set_coverage import surely_covered

    if conformal.quantile is None:
        return "all classes: too few calibration images"
    share = f"{1 - conformal.alpha:.0%}"
    certainty = f" with {1 - conformal.delta:.0%} certainty" if conformal.delta is not None else ""
    rests = f"({conformal.method}, n={conformal.n})"
    if conformal.method == "mondrian":
        return f"made to hold the truth in {share} of the cases of each class{certainty} {rests}"
    if certainty:
        return f"hold the truth in at least {share} of cases{certainty} {rests}"
    least = surely_covered(conformal.n, conformal.alpha)
    rests = rests if conformal.method != "lac" else f"(n={conformal.n})"
    return f"made to hold the truth in {share} of cases; in at least {least:.1%} with 95% certainty {rests}"


def _monitor(kept: "Reference | None") -> str:
    """Return what a monitor compares with the calibration, and on how many pictures each rests."""
    if kept is None:
        return "nothing: what its calibration pictures looked like was not kept"
    watched = [("confidence", len(kept.doubt)), ("score for unknown objects", len(kept.unknown))]
    if kept.rejected is not None:
        watched.append(("declined pictures", kept.rejected.n))
    if kept.quality:
        watched.append(("picture quality", min(found.n for found in kept.quality.values())))
    told = ", ".join(f"{what} (n={n})" for what, n in watched if n)
    return (
        f"{told}: foveal predict --monitor compares them" if told else "nothing: too few calibration images"
    )


def _certified(certificate: dict[str, Any]) -> str:
    """Return the attached certificate in a line."""
    gates = certificate["gates"]
    found = f"{certificate['verdict']}: {gates['pass']} of {sum(gates.values())} limits kept"
    if certificate["failed"]:
        found += f", missed: {', '.join(certificate['failed'])}"
    by = f"n={certificate['images']}, profile {certificate['profile']}, level {certificate['level']}"
    return f"{found} ({by}, {certificate['created'][:10]}, id {certificate['id'][:12]}…)"
