"""`foveal serve`: recognizers behind HTTP."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from foveal.cli._frame import Engine, Json, Precision, Quiet, Verbose, named, print_json
from foveal.core import units
from foveal.core.errors import UsageError
from foveal.core.machine import MOST_THREADS, usable_cpus

SCHEMA = "foveal.serve/1"

TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with a token a line; else FOVEAL_TOKEN.")
]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes; default: one for each processor.")
]
Threads = Annotated[
    int, typer.Option("--threads", min=1, max=MOST_THREADS, help="For one picture, in each worker.")
]
BodyMemory = Annotated[str, typer.Option("--body-memory", help="Bodies of all requests in a worker.")]
MaxPixels = Annotated[int, typer.Option("--max-pixels", min=1, help="Of all picture files of one request.")]
MaxBatch = Annotated[
    int | None, typer.Option("--max-batch", min=1, help="Pictures in one run; default: measured.")
]
MaxLatency = Annotated[
    str | None, typer.Option("--max-latency", help="What a batch may take; default: measured.")
]
Rate = Annotated[float | None, typer.Option("--rate", min=0.001, help="Predictions a second for each token.")]


def serve(
    bundles: Annotated[
        list[str] | None, typer.Argument(help="Bundles or run folders; NAME=path names one.")
    ] = None,
    index: Annotated[
        list[str] | None, typer.Option("--index", help="An index to search in; may be given again.")
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")] = 8080,
    token_file: TokenFile = None,
    workers: Workers = None,
    threads: Threads = 1,
    engine: Engine = "onnxruntime",
    precision: Precision = "auto",
    max_body: Annotated[str, typer.Option("--max-body", help="Size of one request.")] = "16MB",
    body_memory: BodyMemory = "256MB",
    max_pictures: Annotated[int, typer.Option("--max-pictures", min=1, help="In one request.")] = 32,
    max_pixels: MaxPixels = 400_000_000,
    max_batch: MaxBatch = None,
    max_latency: MaxLatency = None,
    queue: Annotated[int, typer.Option("--queue", min=1, help="Pictures that may wait in a worker.")] = 64,
    max_wait: Annotated[str, typer.Option("--max-wait", help="For how long they may wait.")] = "500ms",
    rate: Rate = None,
    connections: Annotated[int, typer.Option("--connections", min=1, help="Of a worker at once.")] = 1000,
    body_timeout: Annotated[str, typer.Option("--body-timeout", help="For a body to arrive.")] = "20s",
    timeout: Annotated[str, typer.Option("--timeout", help="From the body to the answer.")] = "10s",
    drain: Annotated[str, typer.Option("--drain", help="To answer what is begun, at the end.")] = "10s",
    log: Annotated[str, typer.Option("--log", help="json: a line on stderr for each request.")] = "none",
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C.

    Once all workers answer, one line of JSON on stderr, or with --json on stdout, says where.
    """
    from foveal.serve.serving import Door, Running, serving
    from foveal.serve.settings import Settings

    if log not in ("none", "json"):
        raise UsageError(f"--log is none or json; got {log!r}")
    settings = Settings(
        workers=workers or usable_cpus(),
        max_body_bytes=units.size(max_body),
        body_memory=units.size(body_memory),
        max_pictures=max_pictures,
        max_pixels=max_pixels,
        max_batch=max_batch,
        max_latency=None if max_latency is None else units.seconds(max_latency),
        queue=queue,
        max_wait=units.seconds(max_wait),
        rate=rate,
        connections=connections,
        body_timeout=units.seconds(body_timeout),
        timeout=units.seconds(timeout),
        drain=units.seconds(drain),
        log=log == "json",
    )

    def tell(event: dict[str, Any]) -> None:
        if as_json and event["event"] == "ready":
            print_json({"schema": SCHEMA, "ok": True, **event})
        elif not (quiet and event["event"] == "ready"):
            print(json.dumps(event), file=sys.stderr, flush=True)

    door, running = Door(host, port, token_file), Running(named(engine), named(precision), threads)
    code = serving(
        bundles or [], door=door, settings=settings, running=running, tell=tell, indexes=index or []
    )
    raise SystemExit(code)  # typer would make an interruption of 130, which needs a second document
