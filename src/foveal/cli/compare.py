"""`foveal compare`: are these recognizers really different, and what does each cost?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Device, Force, Group, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.wording import counted

_MEASURES = {"map50": "mAP50", "mask_map50": "mAP50 of masks", "miou": "mean IoU", "pq": "panoptic quality"}


def compare(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="A B [C…] DATA",
            readable=False,
            help="Two or more bundles or run folders, and last the pictures; see foveal check.",
        ),
    ],
    split: Annotated[str | None, typer.Option(help="Part of the data, such as test.")] = None,
    group: Group = None,
    curve: Annotated[
        str | None,
        typer.Option(help="Also train anew on so many training images, such as 100,400,1600."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder of these trainings; default runs/compare-<n>.")
    ] = None,
    robustness: Annotated[
        str,
        typer.Option(help="none, quick or full: what is asked under corruption and attack."),
    ] = "quick",
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare recognizers on the same pictures: exact paired test, speed, size, robustness."""
    from foveal.flows import compare as flow
    from foveal.flows._page import check_page

    *models, data = paths
    if len(models) < 2:
        raise UsageError(
            "a comparison needs two recognizers and the pictures", hint="foveal compare A B DATA"
        )
    if out is not None and curve is None:
        raise UsageError("--out is the folder of the trainings that --curve asks for; give --curve, too")
    images = None if curve is None else _numbers(curve)
    if images is not None:
        need("train", what="training for a curve")
    if report is not None:
        need("train", what="the HTML page")
        check_page(report, data, force=force)
        flow.check_has_page(models)
    terms = flow.Terms(split, images or (), out, seed, threads, robustness, group)
    with progress(quiet=quiet) as tell:
        compared = flow.compare(models, data, terms, progress=tell)
    if report is not None:
        flow.write_page(compared, report)
    show = _show_scenes if "measure" in compared.document else _show
    emit(
        compared.document,
        as_json=as_json,
        human=lambda console: show(console, compared.document, report),
    )


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part.replace("_", "")) for part in text.split(","))
    except ValueError:
        numbers = ()
    if not numbers or min(numbers) < 2:
        raise UsageError(
            f"--curve takes numbers of training images, 2 or more, with commas between; got {text!r}",
            hint="such as --curve 100,400,1600",
        )
    return numbers


def _show_scenes(console: Console, document: dict[str, Any], _: Path | None) -> None:
    """Print what recognizers are worth that say where something is."""
    from foveal.report.comparison_words import not_shown, scene_pair_sentence, speed_sentence
    from foveal.report.words import percent

    console.print(
        f"on {counted(document['images'], 'image')} of {document['data']} ({document['split']})",
        markup=False,
    )
    measure = document["measure"]
    table = Table("", _MEASURES[measure], "95 % interval", "latency", "size", box=None)
    for row in document["models"]:
        worth = row[measure]
        table.add_row(
            visible(row["name"]),
            percent(worth["value"]),
            f"{percent(worth['low'])} to {percent(worth['high'])}",
            f"{row['latency_ms']:.2f} ms",
            units.show_bytes(row["size_bytes"]),
        )
    console.print(table, markup=False)
    for pair in document["pairs"]:
        said = f"{scene_pair_sentence(pair, _MEASURES[measure])} {speed_sentence(pair)}"
        console.print(visible(said), markup=False)
    for sentence in not_shown(document):
        console.print(visible(sentence), markup=False)


def _show(console: Console, document: dict[str, Any], page: Path | None) -> None:
    from foveal.report import words
    from foveal.report.comparison_words import (
        curve_sentences,
        gap_sentences,
        not_shown,
        pair_sentence,
        resistance_sentences,
        speed_sentence,
    )

    console.print(
        f"on {counted(document['images'], 'image')} of {document['data']} ({document['split']})",
        markup=False,
    )
    table = Table("", "accuracy", "95 % interval", "worst class", "latency", "size", box=None)
    for row in document["models"]:
        accuracy, worst = row["accuracy"], row["worst_class"]
        table.add_row(
            visible(row["name"]),
            words.percent(accuracy["value"]),
            f"{words.percent(accuracy['low'])} to {words.percent(accuracy['high'])}",
            f"{visible(worst['class'])} {words.percent(worst['value'])}",
            f"{row['latency_ms']:.2f} ms",
            units.show_bytes(row["size_bytes"]),
        )
    console.print(table, markup=False)
    for pair in document["pairs"]:
        console.print(visible(f"{pair_sentence(pair)} {speed_sentence(pair)}"), markup=False)
    told = (gap_sentences, curve_sentences, resistance_sentences, not_shown)
    for sentence in (sentence for say in told for sentence in say(document)):
        console.print(visible(sentence), markup=False)
    if page is not None:
        console.print(f"report      {page}", markup=False)
