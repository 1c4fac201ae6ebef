"""`foveal serve`: recognizers behind HTTP."""

from typing import Annotated

import typer

from foveal.cli._frame import Verbose, talk


def serve(
    bundles: Annotated[list[str], typer.Argument(help="Bundles or run folders; NAME=path names one.")],
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0: one that is free.")] = 8080,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes. Default: one for each processor.")
    ] = None,
    verbose: Verbose = False,
) -> None:
    """Answer over HTTP until SIGTERM or Ctrl-C."""
    from foveal.core.machine import usable_cpus
    from foveal.serve.serving import serving
    from foveal.serve.settings import Settings

    settings = Settings(workers=workers or usable_cpus())
    code = serving(bundles, host=host, port=port, settings=settings, tell=talk)
    raise typer.Exit(code)
