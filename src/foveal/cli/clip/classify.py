"""`foveal clip classify`: which of some named classes does a picture show?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._prompts import Prompts, listed
from foveal.core.extras import need
from foveal.core.text import visible


def classify(
    run: Annotated[Path, typer.Argument(readable=False, help="A run of foveal clip train or convert.")],
    images: Annotated[list[str], typer.Argument(help="Pictures, folders or patterns.")],
    classes: Annotated[str, typer.Option("--classes", help="Names, separated by commas.")],
    prompts: Prompts = None,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Answer for pictures with one of the classes that you name; none was learned as such."""
    need("train")
    from foveal.flows.clip_classify import clip_classify
    from foveal.tasks.image_text import TEMPLATES

    with progress(quiet=quiet) as tell:
        document = clip_classify(
            run,
            images,
            classes=listed(classes),
            templates=prompts or TEMPLATES,
            threads=threads,
            progress=tell,
        )
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document),
        exit_code=0 if document["ok"] else 65,
    )


def _show(console: Console, document: dict[str, Any]) -> None:
    width = max(5, *(len(name) for name in document["classes"]))
    console.print(f"{'label':<{width}}  share   source  (shares are not calibrated)", markup=False)
    for one in document["predictions"]:
        source = visible(one["source"])
        if "error" in one:
            console.print(f"{'–':<{width}}  –       {source}: {one['error']['message']}", markup=False)
            continue
        share = f"{one['scores'][one['label']]:.1%}"
        console.print(f"{visible(one['label']):<{width}}  {share:<6}  {source}", markup=False)
