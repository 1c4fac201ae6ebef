"""The options of every command whose work may run in several processes, here or on other machines."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from foveal.core.errors import UsageError

if TYPE_CHECKING:
    from foveal.flows._where import Where

Backend = Annotated[
    str | None,
    typer.Option("--backend", help="Where several processes run: local, or ray. Default: in this one."),
]
Workers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="How many processes; default: one for each processor there."),
]
RayAddress = Annotated[
    str | None,
    typer.Option("--ray-address", help="HOST:PORT of a Ray cluster; default RAY_ADDRESS, or one made here."),
]


def where_of(backend: str | None, workers: int | None, address: str | None) -> "Where | None":
    """Return where to work, or None: in this process.

    Raises:
        UsageError: Another launcher has started several processes already.
    """
    if (backend, workers, address) == (None, None, None):
        return None
    if os.environ.get("WORLD_SIZE", "1") != "1":
        raise UsageError(
            "--backend and --workers start processes of their own, and this is one of several already",
            hint="leave them out under torchrun, or start foveal without it",
        )
    from foveal.flows._where import Where

    return Where(backend or ("local" if address is None else "ray"), workers, address)
