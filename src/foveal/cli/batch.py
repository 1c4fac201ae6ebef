"""`foveal batch`: every picture of a large collection exactly once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._backend import RayAddress
from foveal.cli._frame import Device, Engine, Json, Precision, Quiet, Verbose, emit, named
from foveal.cli._progress import progress
from foveal.core import units
from foveal.core.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.console import Console

Model = Annotated[
    Path, typer.Argument(readable=False, help="A .foveal bundle, or a run folder that holds one.")
]
Inputs = Annotated[
    list[str],
    typer.Argument(help="Files, folders, patterns, tables (.csv), archives (.tar); - for a list on stdin."),
]
Workers = Annotated[int | None, typer.Option(min=1, help="Processes; default: one for each processor.")]
ShardIndex = Annotated[int | None, typer.Option(min=0, help="Take every n-th shard, from this one.")]
Format = Annotated[
    str | None, typer.Option("--format", help="jsonl or parquet, for a folder. Default: jsonl.")
]
Refresh = Annotated[
    bool, typer.Option("--refresh", help="Look anew: take in new pictures, answer changed ones again.")
]


def batch(
    model: Model,
    inputs: Inputs,
    out: Annotated[Path, typer.Option(help="F.parquet, F.jsonl, or the folder of the job.")],
    workers: Workers = None,
    backend: Annotated[str, typer.Option(help="Where they run: local, or ray.")] = "local",
    ray_address: RayAddress = None,
    shard_index: ShardIndex = None,
    shard_count: Annotated[int | None, typer.Option(min=1, help="How many processes share the job.")] = None,
    shard_size: Annotated[int, typer.Option(min=1, max=100_000, help="Pictures of a shard.")] = 512,
    item_timeout: Annotated[str, typer.Option(help="Time after which a picture hangs, such as 60s.")] = "60s",
    kind: Format = None,
    scores: Annotated[bool, typer.Option("--scores", help="The probability of every class, too.")] = False,
    once: Annotated[bool, typer.Option("--once", help="Answer equal files once; each has its row.")] = False,
    refresh: Refresh = False,
    null: Annotated[bool, typer.Option("--null", "-0", help="The list on stdin is NUL-separated.")] = False,
    engine: Engine = "auto",
    precision: Precision = "auto",
    device: Device = "auto",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Answer every picture of a large collection exactly once.

    Stopped or killed at any moment, the same line goes on. A picture that cannot be read has its row, too.
    """
    from foveal.flows._where import Where
    from foveal.flows.batch import Wishes
    from foveal.flows.batch import batch as flow

    if (shard_index is None) != (shard_count is None):
        raise UsageError("--shard-index and --shard-count belong together")
    own = None if shard_index is None or shard_count is None else (shard_index, shard_count)
    if own is not None and own[0] >= own[1]:
        raise UsageError(f"--shard-index is 0 to {own[1] - 1} with --shard-count {own[1]}; got {own[0]}")
    wishes = Wishes(
        null=null,
        format=kind,
        scores=scores,
        once=once,
        refresh=refresh,
        shard_size=shard_size,
        item_timeout_s=units.seconds(item_timeout),
        own=own,
        engine=named(engine),
        precision=named(precision),
        where=Where(backend, workers, ray_address),
    )
    with progress(quiet=quiet) as report:
        document = flow(model, inputs, out, wishes=wishes, progress=report)
    emit(
        document,
        as_json=as_json,
        human=lambda console: _show(console, document, refreshed=refresh),
        exit_code=0 if document["ok"] else DataError.exit_code,
    )


def _show(console: "Console", document: dict[str, Any], *, refreshed: bool) -> None:
    rate = f", {document['images_per_second']:.1f} a second" if document["images_per_second"] else ""
    console.print(
        f"{document['done']} of {document['images']} pictures answered{rate} ({document['seconds']:.1f} s)"
    )
    if document["abstained"]:
        console.print(f"  {document['abstained']} of them declined: too uncertain")
    if refreshed:
        console.print("  {new} new, {changed} changed, {removed} no longer there".format_map(document))
    elif not document["new_rows"] and document["processes"] == 1:  # one that is divided takes no --refresh
        console.print("nothing was left to do; --refresh looks for pictures that are new or have changed")
    for code, count in document["failures"].items():
        console.print(f"  {count} could not be used: {code}")
    left_out = document["left_out"] or {}
    for why, words in (("hidden", "hidden"), ("no_picture", "other files by their names")):
        if left_out.get(why):
            console.print(f"  {left_out[why]} in folders and archives left out: {words}")
    console.print(f"rows     {document['results']}", highlight=False)
    console.print(f"job      {document['job']}", highlight=False)
