"""`foveal clip convert`: a CLIP network in the layout of Hugging Face or open_clip as a run."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Verbose, emit
from foveal.core.extras import need
from foveal.core.text import visible


def convert(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER", readable=False, help="Of a CLIPModel, as save_pretrained writes it."
        ),
    ],
    out: Annotated[Path, typer.Option("--out", help="Run folder to write.")],
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Read the weights of a CLIP network that lies on this machine; nothing is downloaded."""
    need("train")
    from foveal.flows.clip_convert import clip_convert

    document = clip_convert(folder, out=out, force=force)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    millions = document["parameters"] / 1e6
    console.print(
        f"run       {visible(document['run'])}: {millions:.1f} million weights, "
        f"pictures of {document['size']} pixels, {document['dimensions']} dimensions",
        markup=False,
    )
    console.print(
        f'next      foveal clip classify {visible(document["run"])} PICTURE --classes "one thing,another"',
        markup=False,
    )
