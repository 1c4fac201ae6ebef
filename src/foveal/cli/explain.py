"""`foveal explain`: what does it look at, and what does each depth of it know?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from foveal.cli._frame import Device, Force, Json, Quiet, Seed, Threads, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import catalog
from foveal.core.errors import DataError, NotFoundError
from foveal.core.extras import need
from foveal.core.text import visible
from foveal.data import listing
from foveal.explain import black_box, white_box

if TYPE_CHECKING:
    from foveal.flows.explain import Explained


def explain(
    model: Annotated[
        Path,
        typer.Argument(readable=False, help="A run folder, or a .foveal bundle, which tells less."),
    ],
    inputs: Annotated[
        list[str] | None, typer.Argument(help="Files, folders, patterns; none: pictures of --data.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(readable=False, help="The training data: worst mistakes, probes, neighbours."),
    ] = None,
    about: Annotated[
        str | None, typer.Option("--class", help="Explain this class; default: the answer.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            help=f"auto, {', '.join(catalog.names(black_box))}; "
            f"with a run folder also {', '.join(catalog.names(white_box))}."
        ),
    ] = "auto",
    layer: Annotated[
        str | None, typer.Option(help="Where grad_cam looks; default: the last with height and width.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, max=200, help="Pictures that are explained at most.")] = 12,
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the maps as PNG files.")] = None,
    force: Force = False,
    seed: Seed = 0,
    threads: Threads = None,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show which parts of a picture an answer rests on, and how far that can be believed.

    With a run folder and its training data also: what each depth knows, and the nearest training pictures.
    """
    from foveal.flows import _drawn_maps
    from foveal.flows import explain as flow
    from foveal.flows._page import check_page

    if report is not None:
        need("train", what="the HTML page")
        check_page(report, data, force=force)
    if out is not None:
        _drawn_maps.check_folder(out, data, force=force)
    question = flow.Question(method, about, layer, most, seed, threads)
    with progress(quiet=quiet) as tell:
        explained = flow.explain(
            model,
            listing.paths(inputs) if inputs else None,
            data=data,
            question=question,
            progress=tell,
        )
    drawn = _drawn_maps.write_maps(explained, out) if out is not None else []
    document = explained.as_json(drawn=drawn) | {"report": None, "out": None if out is None else str(out)}
    if report is not None:
        from foveal.flows._explained_page import write_page

        write_page(explained, report)
        document["report"] = str(report)
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, explained, document),
        exit_code=_exit_code(explained),
    )


def _exit_code(explained: "Explained") -> int:
    """Return 66 where no picture exists, 65 where one does but none could be used."""
    if explained.explanations:
        return 0
    none_exists = all(one.error.code == "not_found" for one in explained.failed)
    return NotFoundError.exit_code if none_exists else DataError.exit_code


def _show(console: Console, explained: "Explained", document: dict[str, Any]) -> None:
    from foveal.report import explained_words, words

    def line(title: str, text: str) -> None:
        console.print(f"{title:<12}{visible(text)}", markup=False)  # names are the user's

    line("explained", f"{document['model']} by {document['method']}")
    for one in document["explanations"][: len(explained.explanations)]:
        line("picture", explained_words.answer(one))
        line("", explained_words.faith(one))
    if document["sign_test"] is not None:
        line("all maps", explained_words.sign_test(document["sign_test"]))
    for failed in explained.failed:
        line("unreadable", f"{failed.source}: {failed.error.message}")
    for probe in document["probes"]:
        line(f"depth {probe['depth']}", f"{probe['layer']}: {words.measured(probe['accuracy'])}")
    for check in document["sanity"]:
        line("sanity", explained_words.sanity(check))
    for row in document["neighbours"]:
        near = ", ".join(f"{one['label']} ({one['similarity']:.2f})" for one in row["nearest"])
        line("near", f"{row['source']}: {near}")
    for skipped in document["skipped"]:
        line("left out", f"{skipped['what']}: {skipped['why']}")
    for name in ("report", "out"):
        if document[name] is not None:
            line("page" if name == "report" else "maps", document[name])
