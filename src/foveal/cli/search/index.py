"""`foveal search index`: many pictures in one file that can be searched."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import files
from foveal.core.errors import UsageError
from foveal.core.extras import need
from foveal.core.progress import Progress
from foveal.core.text import visible
from foveal.core.types import Measured
from foveal.core.units import show_bytes
from foveal.core.wording import counted

if TYPE_CHECKING:
    from foveal.flows.search_index import Backbone


def index(
    pictures: Annotated[list[str], typer.Argument(metavar="DIR...", help="Folders, archives, data sets.")],
    out: Annotated[Path, typer.Option("--out", help="The index to make, or to add to.")],
    backbone: Annotated[
        str | None,
        typer.Option("--backbone", help="A run, bundle, weights or model; default efficientnet-lite0."),
    ] = None,
    model: Annotated[str | None, typer.Option("--model", help="The architecture of bare weights.")] = None,
    size: Annotated[
        int | None,
        typer.Option("--size", min=8, max=4096, help="Side of the pictures; default 224, of faces 144."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="face", help="face: DIR has a folder for each person; see search faces."
        ),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Forget what is not in DIR any more.")] = False,
    duplicates: Annotated[
        bool, typer.Option("--duplicates/--no-duplicates", help="Look for near copies in the index.")
    ] = True,
    approximate: Annotated[
        bool | None,
        typer.Option(
            "--approximate/--no-approximate",
            help="Keep a graph beside a large index, for search that is faster and may miss something.",
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page of the near copies.")] = None,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Bring an index up to date with pictures; what is in it already is not computed again.

    The index holds all that a search needs, with a small copy of each picture for people. Whatever kills the
    command, the file is sound, and the same line goes on.
    """
    from foveal.flows import search_approximate, search_index
    from foveal.flows._page import check_page

    if html is not None:
        need("train", what="the HTML page")
        for named in pictures:
            check_page(html, Path(named), force=force)
    search_approximate.check(out, approximate)
    made_by = search_index.Backbone(backbone, model, size)
    with progress(quiet=quiet) as tell:
        if kind is not None:
            people = _people(kind, pictures, out, made_by, threads, tell)
            made_by = search_index.Backbone()  # from here on, that of the index
        document = search_index.index(
            pictures, out, backbone=made_by, prune=prune, threads=threads, progress=tell
        )
        graph = search_approximate.approximate(out, approximate, threads=threads or 1, progress=tell)
        near = search_index.duplicates(out, progress=tell) if duplicates or html is not None else None
    if html is not None and near is not None:
        from foveal.flows import search_page

        search_page.copies(out, near, html)
    document["people"] = None if kind is None else people
    document |= {"approximate": graph, "duplicates": near, "html": None if html is None else str(html)}
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _people(
    kind: str, pictures: list[str], out: Path, backbone: "Backbone", threads: int | None, tell: Progress
) -> dict[str, Any] | None:
    """Make a new index one for people, and return how well it tells them apart; None: it was made before."""
    from foveal.flows import search_faces

    if kind != "face":
        raise UsageError(f"an index can be made --as face; got {kind!r}")
    if len(pictures) > 1:
        raise UsageError("--as face learns from one DIR, with a folder for each person", hint="name one DIR")
    if files.is_there(out):
        search_faces.check_for_people(out)
        return None
    document, _ = search_faces.faces(backbone, Path(pictures[0]), out=out, threads=threads, progress=tell)
    return document


def _show(console: Console, document: dict[str, Any]) -> None:
    pictures = counted(document["pictures"], "picture")
    told = f"{pictures}, {document['added']} new, {document['forgotten']} forgotten"
    console.print(f"{visible(document['index'])}: {told}, {show_bytes(document['size_bytes'])}", markup=False)
    console.print(
        f"features: {document['dimensions']} numbers, {document['backbone']['source']}", markup=False
    )
    if document["texts"]:
        console.print(
            f'it can be asked with a text: foveal search query {visible(document["index"])} "…"', markup=False
        )
    if document["people"]:
        best = document["people"]["best"]
        one = document["people"]["ways"][best]["equal_error_rate"]
        told = f"{one['value']:.1%} ({one['low']:.1%} to {one['high']:.1%})"
        console.print(
            f"people: told apart by {best} with an equal error rate of {told}, each never seen; a little too "
            "good, as the better of two ways was picked",
            markup=False,
        )
    graph = document["approximate"]
    if graph["graph"]:
        told = f"finds {Measured(**graph['recall'])} of the ten most alike"
        console.print(f"{visible(graph['graph'])}: {show_bytes(graph['size_bytes'])}, {told}", markup=False)
    elif graph["reason"]:
        console.print(graph["reason"], markup=False)
    unusable, near = document["unusable"], document["duplicates"]
    if unusable["count"]:
        console.print(f"{counted(unusable['count'], 'picture')} cannot be used, such as", markup=False)
        for one in unusable["examples"]:
            console.print(f"  {visible(one['source'])}: {visible(one['message'])}", markup=False)
    if document["copies"]:
        console.print(f"copies of others, byte by byte: {counted(document['copies'], 'file')}", markup=False)
    if near and near["groups"]:
        among = counted(near["pictures"], "picture")
        console.print(f"near copies: {among} in {counted(near['groups'], 'group')}", markup=False)
        for group in near["examples"][:3]:
            console.print(f"  {group['similarity']:.2f} {visible(', '.join(group['sources']))}", markup=False)
    if document["html"]:
        console.print(f"page: {visible(document['html'])}", markup=False)
