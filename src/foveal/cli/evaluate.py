"""`foveal evaluate`: how good is it on pictures that it has not learned from?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foveal.cli._backend import Backend, RayAddress, Workers, where_of
from foveal.cli._frame import (
    Device,
    Engine,
    Force,
    Group,
    Json,
    Precision,
    Quiet,
    Seed,
    Threads,
    Verbose,
    emit,
    named,
)
from foveal.cli._progress import progress
from foveal.cli._scenes import show_scenes
from foveal.cli._unseen import how_unseen
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.wording import counted

if TYPE_CHECKING:
    from foveal.evaluate.document import Report


def evaluate(
    model: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    data: Annotated[
        Path, typer.Argument(readable=False, help="Folder, zip, tar or IDX files; see foveal check.")
    ],
    split: Annotated[str | None, typer.Option(help="Part of the data, such as test.")] = None,
    group: Group = None,
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    engine: Engine = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    backend: Backend = None,
    workers: Workers = None,
    ray_address: RayAddress = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure the file that ships: accuracy, calibration, abstention, prediction sets, with intervals.

    Of a detector: average precision, what is found and missed at its thresholds, and how far counts are off.
    """
    from foveal.evaluate import document as documents
    from foveal.flows import evaluate as flow
    from foveal.flows._page import check_page

    if report is not None:
        need("train", what="the HTML page")
        check_page(report, data, force=force)
    where = where_of(backend, workers, ray_address)
    terms = flow.Terms(named(engine), named(precision), threads, where, group)
    with progress(quiet=quiet) as tell:
        evaluated = flow.evaluate(model, data, split=split, seed=seed, terms=terms, progress=tell)
        if report is not None:
            flow.write_page(evaluated, report, threads=threads, progress=tell)
    found = evaluated.report
    if isinstance(found, documents.Report):
        classes = found
        emit(classes.as_json(), as_json=as_json, human=lambda console: _show(console, classes, report))
        return
    document = found.as_json()
    emit(document, as_json=as_json, human=lambda console: show_scenes(console, document, report))


def _show(console: Console, found: "Report", page: Path | None) -> None:
    from foveal.report import words

    document = found.as_json()
    metrics = document["metrics"]
    worst = metrics["worst_class"]
    rate = document["provenance"]["images_per_second"]

    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)  # names are the user's

    ran = document["provenance"]
    line("measured", f"{document['bundle']} on {ran['engine']} in {ran['precision']}, {rate:,.0f} images/s")
    how = how_unseen(found.split, ran["unseen"])
    line("on", f"{counted(found.images, 'image')} ({found.split}; {how})")
    line("accuracy", words.measured(metrics["accuracy"]))
    line("balanced", words.measured(metrics["intervals"]["balanced_accuracy"]))
    line("worst class", f"{worst['class']}: {words.percent(worst['value'])} ({words.lowest(worst)})")
    for say in (words.against_majority, words.calibration, words.abstention, words.prediction_sets):
        line("", say(document))
    for one in found.robustness:
        name = "the same as they are" if one.corruption == "none" else one.corruption
        line("disturbed", f"{name}: {words.measured(one.accuracy.as_json())}")
    for worth in document["bands"]:
        line("without", f"{worth['band']}: {words.measured(worth['accuracy'])}, {words.drop(worth['drop'])}")
    for source, error in found.unreadable:
        line("unreadable", f"{source}: {error.message}")
    for sentence in words.weak_points(document):
        line("weak", sentence)
    for sentence in words.unproven(document):
        line("not proven", sentence)
    if page is not None:
        line("report", str(page))
