"""`foveal bench`: how fast is it on this machine, and how is it run fastest?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Device, Force, Json, Quiet, Seed, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.extras import need
from foveal.core.text import visible

if TYPE_CHECKING:
    from rich.console import Console

_COLUMNS = "{:<12} {:<9} {:>7} {:>6} {:>10}  {:<22} {:>10} {:>10} {:>9} {:>7}  {}"


def bench(
    model: Annotated[
        Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Pictures to run; default: seeded synthetic ones.")
    ] = None,
    batch: Annotated[str, typer.Option(help="Pictures a call, such as 1,8,32.")] = "1",
    threads: Annotated[
        str | None, typer.Option(help="Threads a call, such as 1,2; default 1, 2, 4 … all we may use.")
    ] = None,
    time: Annotated[str, typer.Option(help="For timing, such as 20s or 2m.")] = "20s",
    report: Annotated[Path | None, typer.Option(help="HTML page to write.")] = None,
    remember: Annotated[
        bool,
        typer.Option(
            "--remember/--no-remember", help="Keep the fastest way for predict and evaluate on this machine."
        ),
    ] = True,
    force: Force = False,
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Time every engine × precision × threads × batch here, and say which to take and by how much."""
    from foveal.flows._page import check_page
    from foveal.flows.bench import Terms, write_page
    from foveal.flows.bench import bench as flow

    if report is not None:
        need("train", what="the HTML page")
        check_page(report, data, force=force)
    terms = Terms(
        batches=_numbers(batch, "--batch"),
        threads=None if threads is None else _numbers(threads, "--threads"),
        seconds=units.seconds(time),
        seed=seed,
        remember=remember,
    )
    with progress(quiet=quiet) as tell:
        result = flow(model, data=data, terms=terms, progress=tell)
    document = result.as_json()
    if report is not None:
        write_page(document, report)
    emit(document, as_json=as_json, human=lambda console: _show(console, document, report))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} takes numbers with commas between them, such as 1,8; got {text!r}"
        ) from None


def _show(console: "Console", document: dict[str, Any], page: Path | None) -> None:
    """Print a `foveal.bench/1` document for people."""
    from foveal.report import roofline_words, speed_words

    def line(title: str, text: str) -> None:
        console.print(f"{title:<10}{visible(text)}", markup=False)

    machine = document["machine"]
    features = ", ".join(machine["features"]) or "features not known"
    line("machine", f"{machine['cpu']} ({features}), {machine['cores_usable']} processors")
    line(
        "bundle",
        f"{document['bundle']}, {units.show_bytes(document['size_bytes'])}; "
        f"run on {speed_words.run_on(document)}",
    )
    heads = (
        "engine",
        "precision",
        "threads",
        "batch",
        "p50",
        "95% interval",
        "p99",
        "images/s",
        "memory",
        "of roof",
        "",
    )
    console.print(_COLUMNS.format(*heads).rstrip(), markup=False)
    for row in document["engines"]:
        console.print(_row(row).rstrip(), markup=False)
    for skipped in document["skipped"]:
        line("skipped", speed_words.skipped(skipped))
    for choice in document["choices"]:
        line("take", speed_words.choice(choice))
    if not document["choices"]:
        line("take", "none: no way to run it is allowed")
    if document["remembered"] is not None:
        line("kept", f"predict and evaluate take it from now on ({document['remembered']})")
    line("noise", speed_words.noise(document))
    line("roof", roofline_words.peaks(document["roofline"]))
    if document["stages"]:
        line("one file", str(speed_words.stages(document)))
    if document["postprocess_ms"] is not None:
        line("after it", str(speed_words.postprocess(document)))
    for warning in document["warnings"]:
        line("mind", warning)
    if page is not None:
        line("report", str(page))


def _row(row: dict[str, Any]) -> str:
    interval = row["intervals"]["p50_ms"]
    low, high = ("?" if interval[end] is None else f"{interval[end]:.3g}" for end in ("low", "high"))
    memory = "–" if row["rss_bytes"] is None else units.show_bytes(row["rss_bytes"])
    return _COLUMNS.format(
        *(row[name] for name in ("engine", "precision", "threads", "batch")),
        f"{row['p50_ms']:.3g} ms",
        f"{low} to {high} ms",
        f"{row['p99_ms']:.3g} ms",
        f"{row['images_per_second']:,.0f}",
        memory,
        "–" if row["roofline_share"] is None else f"{row['roofline_share']:.0%}",
        "" if row["eligible"] else f"not allowed: {visible(row['why_not'])}",
    )
