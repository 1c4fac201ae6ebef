"""`foveal search faces`: can the features tell people apart?"""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from foveal.cli._frame import Force, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.cli.search.evaluate import left_out
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.wording import counted


def faces(
    backbone: Annotated[str, typer.Argument(metavar="F.index|BACKBONE", help="What makes the features.")],
    data: Annotated[Path, typer.Argument(readable=False, help="Pictures in which a class is a person.")],
    model: Annotated[str | None, typer.Option("--model", help="The architecture of bare weights.")] = None,
    size: Annotated[
        int | None,
        typer.Option(
            "--size", min=8, max=4096, help="Side; default 144, or what a run, bundle or index has."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="An index for people to write.")] = None,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the curves.")] = None,
    seed: Seed = 0,
    threads: Threads = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Measure whether two pictures show the same person, on people that nothing was learned from."""
    from foveal.flows import search_faces
    from foveal.flows._page import check_page
    from foveal.flows.search_index import Backbone

    if html is not None:
        need("train", what="the HTML page")
        check_page(html, data, force=force)
    with progress(quiet=quiet) as tell:
        document, ways = search_faces.faces(
            Backbone(backbone, model, size), data, out=out, force=force, seed=seed, threads=threads,
            progress=tell,
        )  # fmt: skip
    if html is not None:
        from foveal.flows import search_page

        search_page.curves(document, {name: way.rates for name, way in ways.items()}, html)
    document["html"] = None if html is None else str(html)
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    told = f"{counted(document['images'], 'picture')} of {document['people']:,} people"
    console.print(f"{visible(document['data'])}: {told}; each measured as one never seen", markup=False)
    table = Table("", "equal error rate", "95 % interval", "same accepted where 1 % of others are", box=None)
    for name, way in document["ways"].items():
        one, far = way["equal_error_rate"], way["at_far_0.01"]
        kept = f"{1 - far['false_rejects']['value']:.3f}, others {far['false_accepts']['value']:.3f}"
        table.add_row(name, f"{one['value']:.3f}", f"{one['low']:.3f} to {one['high']:.3f}", kept)
    console.print(table, markup=False)
    left_out(console, document)
    if document["index"]:
        told = f"index for people, by {document['best']}: {visible(document['index'])}"
        console.print(f"{told}; the rate of the better way is a little too good", markup=False)
    if document["html"]:
        console.print(f"page: {visible(document['html'])}", markup=False)
