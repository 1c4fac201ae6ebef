"""`foveal inspect template`: one template from several pictures of good parts."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Verbose, emit
from foveal.cli._progress import progress
from foveal.core.errors import NotFoundError
from foveal.core.text import visible
from foveal.data import listing

Pictures = Annotated[
    list[str], typer.Argument(help="Pictures of good parts of one kind: files, folders, patterns.")
]
Out = Annotated[Path, typer.Option("--out", help="The PNG to write.")]


def template(
    pictures: Pictures,
    out: Out,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Make one template of several good parts: laid on each other, the median of every pixel.

    What is on fewer than half of them, such as dust or a defect that nobody saw, is not on the template.
    """
    from foveal.flows.inspect_template import inspect_template

    found = [Path(one) for one in listing.paths(pictures)]
    if not found:
        raise NotFoundError(f"no picture in {' '.join(pictures)}", hint="name files, folders or a pattern")
    with progress(quiet=quiet) as report:
        made = inspect_template(found, out, force=force, progress=report)

    def human(console: Console) -> None:
        document = made.document
        farthest = max(document["difference"], key=lambda one: float(one["mean_grey_levels"]))
        console.print(
            visible(
                f"template {made.path}: median of {document['pictures']} pictures, "
                f"{document['width']} × {document['height']} pixels"
            )
        )
        console.print(
            visible(
                f"farthest from it: {farthest['source']}, {farthest['mean_grey_levels']:.1f} grey levels "
                "in the mean"
            )
        )

    emit(made.document, as_json=as_json, human=human)
