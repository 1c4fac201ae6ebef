"""`foveal clip evaluate`: zero-shot accuracy on labelled pictures, or retrieval on pairs."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._prompts import Prompts
from foveal.core.extras import need


def evaluate(
    run: Annotated[Path, typer.Argument(readable=False, help="A run of foveal clip train or convert.")],
    data: Annotated[
        Path,
        typer.Argument(readable=False, help="Labelled pictures (see foveal check), or a table path,text."),
    ],
    prompts: Prompts = None,
    split: Annotated[
        str | None, typer.Option(help="Part of labelled pictures; default test where there is one, else all.")
    ] = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure zero-shot answers on labelled pictures, or how pairs of pictures and texts find each other."""
    need("train")
    from foveal.flows.clip_evaluate import clip_evaluate
    from foveal.tasks.image_text import TEMPLATES

    with progress(quiet=quiet) as tell:
        document = clip_evaluate(
            run, data, templates=prompts or TEMPLATES, split=split, threads=threads, progress=tell
        )
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    from foveal.report import words
    from foveal.report.clip_page import retrieval_rows

    metrics = document["metrics"]
    if document["kind"] == "retrieval":
        for what, found, chance in retrieval_rows(metrics):
            console.print(f"{what}: {found}; by chance {chance}", markup=False)
        known = metrics["texts_learned"]
        learned = "" if known is None else f", {known} of them learned from"
        console.print(f"{metrics['pictures']} pictures, {metrics['texts']} texts{learned}", markup=False)
        return
    chance, majority = (words.percent(metrics[key]) for key in ("chance", "majority"))
    console.print(f"zero-shot accuracy {words.measured(metrics['accuracy'])}", markup=False)
    console.print(f"by chance {chance}, always the largest class {majority}", markup=False)
    console.print(f"prompts such as: {', '.join(map(repr, document['prompts']))}", markup=False)
