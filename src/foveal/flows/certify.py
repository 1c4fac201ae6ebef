"""Certify a bundle: open it and the data, measure, judge, and write what a person can sign."""

import platform
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import foveal
from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import REFERENCE
from foveal.certify.certificate import SCHEMA, Certificate, certify, claims, identity
from foveal.certify.level import Level
from foveal.certify.level import level as level_of
from foveal.certify.profile import Profile, check_limits, read_profile, shipped
from foveal.certify.scene_subject import SceneSubject
from foveal.certify.subject import Examined, Subject
from foveal.core import extras, files, machine, runs
from foveal.core.errors import UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.core.task import SCENE_TASKS
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.flows._certified_pictures import (
    Used,
    Wishes,
    empty_slices,
    not_there,
    pictures,
    sliced,
    strangers,
)
from foveal.flows._certified_scenes import scene_pictures
from foveal.flows._compare_scenes import measure_for
from foveal.flows._grouped import grouped
from foveal.flows._prepare import SPLIT
from foveal.flows._sealed import Sealed
from foveal.flows._slices import read_slices
from foveal.flows._twin import twin_of

CERTIFICATE, PAGE, REQUEST = "certificate.json", "certificate.html", "request.json"


@dataclass(frozen=True)
class Terms:
    """How to certify.

    Attributes:
        level: `smoke`, `quick` or `full`.
        profile: A TOML file, or the name of one that comes with foveal.
        twin: Run folder with the torch network; None: looked for around the bundle.
        unknown: Pictures, or films, of things that it was not taught: files, folders, archives or a data set.
        slices: A CSV table that tells pictures apart.
        split: Part of the data; None is the test part of training data and all of other data.
        attach: Whether the certificate is also put into the bundle; None: unless the level is `smoke`.
        seed: Of all that is drawn.
        threads: None takes all processors we may use.
        group: What belongs together in data that are a path; None: what the run was told.
    """

    level: str = "quick"
    profile: str | Path = "industrial"
    twin: Path | None = None
    unknown: tuple[Path, ...] = ()
    slices: Path | None = None
    split: str | None = None
    attach: bool | None = None
    seed: int = 0
    threads: int | None = None
    group: str | None = None


USUAL = Terms()


@dataclass(frozen=True)
class Certified:
    """What was written.

    Attributes:
        document: `foveal.certify/1`, with the paths of what was written.
        folder: Where the certificate and its page are.
        certificate: What was found, with pictures.
        not_attached: Why the certificate is not in the bundle; None: it is, or was not to be.
    """

    document: dict[str, Any]
    folder: Path
    certificate: Certificate = field(repr=False)
    not_attached: str | None = None


def profile_of(named: str | Path) -> Profile:
    """Return a profile by its name, or from a file.

    Raises:
        NotFoundError, RecipeError, UnknownNameError: There is none, or it is not one.
    """
    text = str(named)
    return read_profile(Path(named)) if "." in text or "/" in text else shipped(text)


def run(
    model: str | Path,
    data: str | Path | Dataset,
    terms: Terms = USUAL,
    *,
    out: Path | None = None,
    force: bool = False,
    progress: Progress = silent,
) -> Certified:
    """Certify a bundle on pictures, or films, that it has not learned from; write certificate and page.

    Args:
        model: A bundle, or a run folder that holds one.
        data: As for `flows.evaluate`.
        terms: How.
        out: Folder to write; None: `runs/certify-<n>`.
        force: Replace a certificate that is there.
        progress: Told a few times a second.

    Raises:
        NotFoundError: No such model, data, profile, run or table.
        BundleError: The bundle is not to be trusted.
        DataError: A class that the model lacks, a picture that it has learned from, or a table that is none.
        RecipeError: The profile has an unknown key, or a limit on what is not measured.
        UsageError: `other_task`: the recognizer takes clips and these are pictures, or the reverse.
        WriteError: The folder cannot be written, holds something else, or lies in the data.
    """
    profile = profile_of(terms.profile)
    level_of(terms.level)
    check_limits(profile, claims(profile))
    bundle = locate(model)
    read_only = [data.path] if isinstance(data, Dataset) else opening.places(data)
    runs.keep_apart(out, *read_only)
    _refuse_overwriting(out, force=force)
    predictor = Predictor.open(bundle, engine=REFERENCE, threads=1)  # batches run side by side
    scenes, manifest = predictor.manifest.task in SCENE_TASKS, predictor.manifest
    if scenes:
        measure_for([manifest.task])  # refuses what has no measurements, before anything is read
    dataset = data
    if not isinstance(dataset, Dataset):
        task, things = (manifest.task, manifest.things) if scenes else (None, ())
        clip = predictor.preprocess.clip
        dataset = grouped(dataset, [bundle], clip, group=terms.group, task=task, things=things)
    made = _of_scenes if scenes else _of_pictures
    subject, used = made(bundle, predictor, dataset, terms, progress)
    folder = _folder(out, force=force)  # only now: what is refused leaves no folder behind
    with runs.locked(folder):
        certificate = certify(subject)
        document = _document(subject, certificate, used.as_json(dataset))
        attach = terms.level != "smoke" if terms.attach is None else terms.attach
        return _written(folder, document, certificate, attach=attach, bundle=bundle)


def _common(bundle: Path, predictor: Predictor, terms: Terms, progress: Progress) -> dict[str, Any]:
    """Return what a certificate of any recognizer is about; see `Examined`."""
    twin = twin_of(predictor, bundle, terms.twin)
    return {
        "bundle": bundle,
        "predictor": predictor,
        "twin": None if isinstance(twin, str) else twin,
        "no_twin": twin if isinstance(twin, str) else "",
        "level": level_of(terms.level),
        "profile": profile_of(terms.profile),
        "seed": terms.seed,
        "threads": terms.threads or machine.usable_cpus(),
        "progress": progress,
    }


def _of_pictures(
    bundle: Path, predictor: Predictor, dataset: Dataset, terms: Terms, progress: Progress
) -> tuple[Examined, Used]:
    """Return what is certified of a recognizer that gives pictures a class."""
    _ = predictor.decision  # only a classifier gives labels, which are what is certified
    common = _common(bundle, predictor, terms, progress)
    level: Level = common["level"]
    table = None if terms.slices is None else read_slices(terms.slices, dataset.sources)
    wishes = Wishes(terms.split, level.images, terms.seed, common["threads"], level.learned)
    found = pictures(predictor, _sealed(bundle, predictor, terms.twin), dataset, wishes, progress=progress)
    foreign = strangers(terms.unknown, predictor, at_most=level.unknown, seed=terms.seed, progress=progress)
    subject = Subject(
        **common,
        test=found.test,
        proving=found.proving,
        tuning=found.tuning,
        overlap=found.overlap,
        unknown=foreign,
        learned=found.learned,
        slices={} if table is None else sliced(found.test, table),
        empty_slices=() if table is None else empty_slices(found.test, table),
        not_there=() if table is None else not_there(dataset.sources, table),
    )
    return subject, found.used


def _of_scenes(
    bundle: Path, predictor: Predictor, dataset: Dataset, terms: Terms, progress: Progress
) -> tuple[Examined, Used]:
    """Return what is certified of a recognizer that says where something is.

    Raises:
        UsageError: `other_task`: something is named that is asked of classes.
    """
    for option, given in (("--unknown", bool(terms.unknown)), ("--slices", terms.slices is not None)):
        if given:
            raise UsageError(
                f"{option} is for recognizers that give pictures a class; this one is for "
                f"{predictor.manifest.task}",
                code="other_task",
                hint=f"leave {option} out",
            )
    common = _common(bundle, predictor, terms, progress)
    level: Level = common["level"]
    wishes = Wishes(terms.split, level.images, terms.seed, common["threads"], level.learned)
    sealed = _sealed(bundle, predictor, terms.twin)
    found = scene_pictures(predictor, sealed, dataset, wishes, progress=progress)
    subject = SceneSubject(
        **common,
        measure=found.measure,
        test=found.test,
        proving=found.proving,
        tuning=found.tuning,
        overlap=found.overlap,
    )
    return subject, found.used


def _sealed(bundle: Path, predictor: Predictor, twin: Path | None) -> Sealed:
    """Return the file with the run that says what was learned from: a bundle may have left its own."""
    beside = Sealed.at(bundle, predictor.manifest)
    if twin is None or (bundle.parent / SPLIT).is_file():
        return beside
    return replace(beside, run=runs.find(twin))


def _folder(out: Path | None, *, force: bool) -> Path:
    if out is None:
        folder = runs.new_run("certify")
    else:
        folder = out
        runs.claim(folder, request=REQUEST, kind="certificate")
        _refuse_overwriting(out, force=force)
    files.write_json(folder / REQUEST, {"kind": "certificate"})
    return folder


def _refuse_overwriting(out: Path | None, *, force: bool) -> None:
    if out is not None and files.is_there(out / CERTIFICATE) and not force:
        raise WriteError(
            f"{out} holds a certificate",
            code="would_overwrite",
            hint="choose another --out, or --force to replace it",
            path=out,
        )


def _document(subject: Examined, certificate: Certificate, data: dict[str, Any]) -> dict[str, Any]:
    """Return what the certificate says; but for `created` the same call gives the same bytes."""
    manifest = subject.predictor.manifest
    foreign = subject.unknown if isinstance(subject, Subject) else None
    document = {
        "schema": SCHEMA,
        "ok": certificate.verdict != "fail",
        "bundle": subject.bundle.name,  # its place is nobody's business who gets the file
        "digest": manifest.digest,
        "weights_sha256": manifest.weights_sha256,
        "task": manifest.task,
        "model": {"name": manifest.model.name, "precision": manifest.model.precision},
        "classes": list(manifest.classes),
        **certificate.as_json(),
        "data": data,
        "unknown": None if foreign is None else {"images": len(foreign)},
        "twin": {"used": subject.twin is not None, "why_not": subject.no_twin or None},
        "void_if": "anything of this changes: model.onnx, preprocessing, classes, decision, engine or "
        "its version; pictures that come about otherwise than these",
        "seed": subject.seed,
        "provenance": {
            "foveal": foveal.__version__,
            "engine": subject.predictor.session.engine,
            "precision": subject.predictor.precision,
            "python": platform.python_version(),
            "cpu": machine.cpu_name(),
            "threads": subject.threads,
            **machine.versions("numpy", "pillow", *(() if subject.twin is None else ("torch",))),
        },
    }
    document["id"] = identity(document)
    document["created"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return document


def _written(
    folder: Path, document: dict[str, Any], certificate: Certificate, *, attach: bool, bundle: Path
) -> Certified:
    """Write certificate and page, then the bundle: whoever stops it finds each whole or as it was."""
    not_attached = None
    files.remove(folder / PAGE)  # that of an earlier certificate would be taken for this one's
    files.write_json(folder / CERTIFICATE, document)
    page = _page(folder, document, certificate)
    if attach:
        try:
            archive.attach_certificate(bundle, document)
        except WriteError as error:  # the certificate itself is written: a bundle may be read-only
            not_attached = error.message
    told = {
        **document,
        "certificate": str(folder / CERTIFICATE),
        "page": page and str(page),
    }
    return Certified(told, folder, certificate, not_attached)


def _page(folder: Path, document: dict[str, Any], certificate: Certificate) -> Path | None:
    """Write the page and return its path, or None where what draws it is not installed."""
    if extras.missing("train"):
        return None
    from foveal.report.certificate_page import certificate_page  # here: drawing needs an extra

    files.write_text(folder / PAGE, certificate_page(document, certificate.strips))
    return folder / PAGE
