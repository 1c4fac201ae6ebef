"""`foveal clip train`: from pictures with a text each to two encoders into one space."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from foveal.cli._frame import Device, Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import (
    Epochs,
    RecipeFile,
    Resume,
    Seed,
    Settings,
    Size,
    Time,
    check_alone,
    recipe_of,
    settings_of,
)
from foveal.core import units
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from foveal.flows.pretrain_clip import ClipResult


def train(
    data: Annotated[
        Path,
        typer.Argument(readable=False, help="Table path,text (CSV, TSV, JSON), or a folder with one."),
    ],
    model: Annotated[
        str | None, typer.Option("--model", help="Image encoder, a name from foveal models; default nano.")
    ] = None,
    recipe: RecipeFile = None,
    size: Size = None,
    epochs: Epochs = None,
    time: Time = None,
    setting: Settings = None,
    resume: Resume = None,
    seed: Seed = None,
    device: Device = "auto",
    threads: Threads = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write; default runs/clip-<n>.")] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Learn which text belongs to which picture; write run and report."""
    need("train")
    wishes = {
        "model": model,
        "size": size,
        "epochs": epochs,
        "settings": settings_of(setting, example="dimensions=128"),
        "seed": seed,
    }
    check_alone("clip train", data, resume, recipe, time, out, *wishes.values())
    chosen = recipe_of(recipe, {**wishes, "threads": threads}, time=time)
    from foveal.flows import pretrain_clip as flows

    with progress(quiet=quiet) as tell:
        if resume is not None:
            result = flows.resume_clip(resume, data, threads=threads, force=force, progress=tell)
        else:
            result = flows.pretrain_clip(data, recipe=chosen, out=out, force=force, progress=tell)
    emit(result.document, as_json=as_json, human=lambda console: _show(console, result))


def _show(console: Console, result: "ClipResult") -> None:
    from foveal.report.clip_page import retrieval_rows

    document = result.document

    def line(label: str, text: object) -> None:
        console.print(f"{label:<10}{visible(str(text))}", markup=False)

    pairs, pictures = document["pairs"], document["pictures"]
    took = units.show_seconds(document["train_seconds"])
    line("trained", f"{document['model']} in {took}: {document['epochs']:.3g} passes")
    texts = document["texts_learned"]
    line("pairs", f"{pairs['fit']} of {pictures['fit']} pictures and {texts} different texts learned from")
    for finding in document["findings"]:
        line("data", finding["message"])
    for what, reason in document["plan"]["reasons"].items():
        line(what, reason)
    rows = retrieval_rows(document["metrics"].get("test"))
    for number, (what, found, chance) in enumerate(rows):
        line("" if number else "test", f"{what}: {found}; by chance {chance}")
    if not rows:
        line("test", "nothing was kept apart, so nothing was measured")
    line("report", result.report)
    line("run", result.run)
    line("next", f'foveal clip classify {result.run} PICTURE --classes "one thing,another thing"')
