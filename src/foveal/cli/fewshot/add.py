"""`foveal fewshot add`: a class more, or more pictures of one, for a taught bundle."""

from pathlib import Path
from typing import Annotated

import typer

from foveal.cli._frame import Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli.fewshot._target import Target
from foveal.cli.fewshot.teach import show
from foveal.core.extras import need


def add(
    bundle: Annotated[Path, typer.Argument(readable=False, help="What foveal fewshot teach made.")],
    name: Annotated[str, typer.Argument(metavar="CLASS", help="Name of the class.")],
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Pictures of it.")],
    out: Target = None,
    force: Force = False,
    threads: Threads = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Teach a taught bundle a class more, or more of a class; the network stays as it is."""
    need("train", what="teaching")
    from foveal.flows import fewshot_add as flow

    with progress(quiet=quiet) as tell:
        document = flow.add(
            bundle, name, images, target=flow.Target(out, force), threads=threads, progress=tell
        )
    emit(document, as_json=as_json, human=lambda console: show(console, document))
