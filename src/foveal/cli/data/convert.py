"""`foveal data convert`: the same pictures, classes, splits and groups in another layout."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Group, Json, Quiet, Seed, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli._recipe import Task
from foveal.core.text import visible


def convert(
    data: Annotated[Path, typer.Argument(readable=False, help="What to convert; see foveal check.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write; new, or empty.")],
    to: Annotated[
        str, typer.Option("--to", help="Layout to write: image_folder, csv_manifest, npz, coco, yolo, voc …")
    ],
    layout: Annotated[
        str | None, typer.Option("--format", help="Layout of DATA; default: found out.")
    ] = None,
    task: Task = None,
    group: Group = None,
    split: Annotated[
        bool, typer.Option("--split", help="Write the train, val and test that training would make.")
    ] = False,
    seed: Seed = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Write data in another layout; files keep their bytes, stored pixels become PNG."""
    from foveal.data import opening
    from foveal.flows import data_convert as flow

    dataset = opening.open(data, layout, group, task)
    with progress(quiet=quiet) as tell:
        document = flow.convert(dataset, folder, to=to, split_seed=seed if split else None, progress=tell)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    splits = ", ".join(f"{name or 'all'} {count}" for name, count in document["splits"].items())
    console.print(f"{document['images']} pictures in {visible(document['out'])}: {splits}", markup=False)
    if document["not_written"]:
        names = visible(", ".join(document["not_written"]))
        console.print(f"not written, as {document['format']} has no place for it: {names}", markup=False)
    for row in document["left_out"]:
        console.print(f"left out: {visible(row['source'])}: {visible(row['error']['message'])}", markup=False)
