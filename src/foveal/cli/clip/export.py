"""`foveal clip export`: a zero-shot classifier as an ordinary bundle."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._prompts import Prompts, listed
from foveal.core import units
from foveal.core.extras import need


def export(
    run: Annotated[Path, typer.Argument(readable=False, help="A run of foveal clip train or convert.")],
    data: Annotated[
        Path, typer.Argument(readable=False, help="Labelled pictures to calibrate on; see foveal check.")
    ],
    out: Annotated[Path, typer.Option(help="The bundle to write; its name ends in .foveal.")],
    classes: Annotated[
        str | None, typer.Option("--classes", help="Names, separated by commas; default those of DATA.")
    ] = None,
    prompts: Prompts = None,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Seal a recognizer of the classes that you name, calibrated on labelled pictures."""
    need("train")
    from foveal.flows.clip_export import clip_export
    from foveal.tasks.image_text import TEMPLATES

    with progress(quiet=quiet) as tell:
        document = clip_export(
            run,
            data,
            out=out,
            classes=None if classes is None else listed(classes),
            templates=prompts or TEMPLATES,
            threads=threads,
            force=force,
            progress=tell,
        )
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else 10,
    )


def _show(console: Console, document: dict[str, Any]) -> None:
    parity = document["parity"]
    difference = f"{parity['max_abs_difference']:.2g}"
    if document["bundle"] is None:
        console.print(f"gate      failed: the file differs from the network by {difference}", markup=False)
        return
    size = units.show_bytes(document["size_bytes"])
    console.print(f"bundle    {document['bundle']}, {size}, {len(document['classes'])} classes", markup=False)
    console.print(f"parity    {difference} at most on {parity['images']} pictures", markup=False)
    console.print(f"next      foveal predict {document['bundle']} PICTURE", markup=False)
