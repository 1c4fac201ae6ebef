"""`foveal fewshot remove`: a taught bundle forgets a class."""

from pathlib import Path
from typing import Annotated

import typer

from foveal.cli._frame import Force, Json, Quiet, Verbose, emit
from foveal.cli.fewshot._target import Target
from foveal.cli.fewshot.teach import show
from foveal.core.extras import need


def remove(
    bundle: Annotated[Path, typer.Argument(readable=False, help="What foveal fewshot teach made.")],
    name: Annotated[str, typer.Argument(metavar="CLASS", help="Name of the class.")],
    out: Target = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make a taught bundle forget a class; the network stays as it is."""
    need("train", what="teaching")
    from foveal.flows import fewshot_add as flow

    document = flow.remove(bundle, name, target=flow.Target(out, force))
    emit(document, as_json=as_json, human=lambda console: show(console, document))
