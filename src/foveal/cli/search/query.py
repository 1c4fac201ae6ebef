"""`foveal search query`: which pictures are like this one, or show what a text says?"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Force, Json, Quiet, Verbose, emit, talk
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.core.types import Measured


def query(
    index: Annotated[Path, typer.Argument(readable=False, metavar="F.index", help="The index.")],
    image: Annotated[
        str, typer.Argument(metavar="IMAGE|TEXT|-", help="A picture file, or a text; -: a picture on stdin.")
    ],
    top: Annotated[int, typer.Option("--top", min=1, help="How many.")] = 10,
    others: Annotated[bool, typer.Option("--others", help="Leave out the same picture itself.")] = False,
    text: Annotated[bool, typer.Option("--text", help="It is a text, whatever file is called so.")] = False,
    approximate: Annotated[
        bool, typer.Option("--approximate", help="Search through the graph of the index, as a server does.")
    ] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write a page with the pictures.")] = None,
    force: Force = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Find the pictures of an index that are most like one, or that a text fits best.

    The search is exact unless --approximate. A text needs an index of a network that was trained on pictures
    with texts: see search index --backbone.
    """
    from foveal.flows import search_query
    from foveal.flows._page import check_page

    if html is not None:
        need("train", what="the HTML page")
        check_page(html, index, force=force)
    content = image if text else sys.stdin.buffer.read() if image == "-" else search_query.asked_with(image)
    document, found = search_query.query(
        index, content, called=image, top=top, others=others, approximate=approximate
    )
    if html is not None:
        from foveal.flows import search_page

        search_page.answer(index, content, document, found, html)
    document["html"] = None if html is None else str(html)
    if not (quiet or as_json):
        for warning in document["warnings"]:
            talk(f"warning: {warning}")
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: Console, document: dict[str, Any]) -> None:
    for match in document["results"]:
        copies = f"  and {len(match['copies'])} copies" if match["copies"] else ""
        console.print(f"{match['score']:.4f}  {visible(match['source'])}{copies}", markup=False)
    if document["recall"]:
        console.print(f"approximate: finds {Measured(**document['recall'])} of the ten best", markup=False)
    elif not document["exact"]:
        console.print("approximate: what it misses was measured with pictures, not with texts", markup=False)
    if document["html"]:
        console.print(f"page: {visible(document['html'])}", markup=False)
