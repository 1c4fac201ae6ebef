"""`foveal search verify`: do two pictures show the same?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Json, Quiet, Verbose, emit


def verify(
    index: Annotated[Path, typer.Argument(readable=False, metavar="F.index", help="What compares.")],
    one: Annotated[str, typer.Argument(metavar="A", help="A picture file.")],
    other: Annotated[str, typer.Argument(metavar="B", help="Another one.")],
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=-1, max=1, help="Score from which on they are the same."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Compare two pictures, and decide with a threshold whether they show the same."""
    from foveal.flows.search_faces import verify as compare
    from foveal.flows.search_query import content_of

    document = compare(index, content_of(one), content_of(other), called=(one, other), threshold=threshold)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    if document["same"] is None:
        console.print(f"{document['score']:.4f}  undecided: this index holds no threshold; give --threshold")
    else:
        decided = "the same" if document["same"] else "not the same"
        console.print(f"{document['score']:.4f}  {decided}, the threshold is {document['threshold']:.4f}")
