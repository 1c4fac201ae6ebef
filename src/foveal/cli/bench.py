"""`foveal bench`: how fast is it on this machine, and how is it run fastest?"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._frame import Device, Json, Quiet, Seed, Verbose, emit
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.text import visible

if TYPE_CHECKING:
    from rich.console import Console

_STEPS = "{:<12} {:<9} {:>7} {:>6} {:>10}  {:<22} {:>10} {:>10} {:>9}  {}"


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
    seed: Seed = 0,
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Time every engine × threads × batch on this machine, and say which to take and by how much."""
    from foveal.flows.bench import Terms
    from foveal.flows.bench import bench as flow

    terms = Terms(
        batches=_numbers(batch, "--batch"),
        threads=None if threads is None else _numbers(threads, "--threads"),
        seconds=units.seconds(time),
        seed=seed,
    )
    with progress(quiet=quiet) as tell:
        result = flow(model, data=data, terms=terms, progress=tell)
    document = result.as_json()
    emit(document, as_json=as_json, human=lambda console: show(console, document))


def _numbers(text: str, option: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"{option} takes numbers with commas between them, such as 1,8; got {text!r}"
        ) from None


def show(console: "Console", document: dict[str, Any]) -> None:
    """Print a `foveal.bench/1` document for people."""

    def line(title: str, text: str) -> None:
        console.print(f"{title:<10}{visible(text)}", markup=False)

    machine, images = document["machine"], document["images"]
    features = ", ".join(machine["features"]) or "features not known"
    line("machine", f"{machine['cpu']} ({features}), {machine['cores_usable']} processors")
    kind = f"pictures of {images['path']}" if images["path"] else "synthetic pictures"
    line(
        "bundle",
        f"{document['bundle']}, {units.show_bytes(document['size_bytes'])}; run on {images['n']} {kind}",
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
        "",
    )
    console.print(_STEPS.format(*heads).rstrip(), markup=False)
    for row in document["engines"]:
        console.print(_row(row).rstrip(), markup=False)
    for skipped in document["skipped"]:
        line("skipped", f"{skipped['engine']}: {skipped['error']['message']}")
    for choice in document["choices"]:
        line("take", _choice(choice))
    if not document["choices"]:
        line("take", "none: no way to run it is allowed")
    noise = document["noise"]
    line(
        "noise",
        f"the same twice differed by up to {noise['largest_share']:.1%} ({noise['rounds']} rounds): "
        "less is no real difference",
    )
    if document["stages"]:
        stages = ", ".join(f"{stage['name']} {stage['value']:.3g} ms" for stage in document["stages"])
        line("one file", f"{stages} (medians, one thread, n={document['stages'][0]['n']})")
    for warning in document["warnings"]:
        line("mind", warning)


def _row(row: dict[str, Any]) -> str:
    interval = row["intervals"]["p50_ms"]
    low, high = ("?" if interval[end] is None else f"{interval[end]:.3g}" for end in ("low", "high"))
    memory = "–" if row["rss_bytes"] is None else units.show_bytes(row["rss_bytes"])
    return _STEPS.format(
        *(row[name] for name in ("engine", "precision", "threads", "batch")),
        f"{row['p50_ms']:.3g} ms",
        f"{low} to {high} ms",
        f"{row['p99_ms']:.3g} ms",
        f"{row['images_per_second']:,.0f}",
        memory,
        "" if row["eligible"] else f"not allowed: {visible(row['why_not'])}",
    )


def _choice(choice: dict[str, Any]) -> str:
    said = (
        f"for batch {choice['batch']}: {_called(choice)}, {choice['p50_ms']:.3g} ms, "
        f"{choice['images_per_second']:,.0f} images/s"
    )
    equal = "; ".join(map(_called, choice["equally_fast"]))
    if equal:
        said += f"; no real difference to {equal}"
    margin = choice["margin"]
    if margin is not None:
        verdict = f"{margin['value']:.0%} longer"
        if margin["low"] is not None and margin["high"] is not None:
            verdict += f" (95% interval {margin['low']:.0%} to {margin['high']:.0%}, n={margin['n']} rounds)"
        said += f"; {_called(choice['next'])} takes {verdict}"
    return said


def _called(row: dict[str, Any]) -> str:
    return (
        f"{row['engine']} {row['precision']} with {row['threads']} thread{'' if row['threads'] == 1 else 's'}"
    )
