"""From bundles and an address to a server that runs until it is told to end."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foveal.core.errors import BundleError, DeviceError, UsageError
from foveal.serve.settings import Settings

if TYPE_CHECKING:
    from foveal.serve.served import Served


@dataclass(frozen=True)
class Door:
    """Where to listen, and whom to let in.

    Attributes:
        host: A name or an address of this machine.
        port: 0 takes one that is free.
        token_file: Tokens; None: as the environment says, else everybody.
    """

    host: str = "127.0.0.1"
    port: int = 8080
    token_file: Path | None = None


@dataclass(frozen=True)
class Running:
    """How models are run; see `served.served`."""

    engine: str | None = None
    precision: str | None = None
    threads: int = 1


def serving(
    sources: Sequence[str],
    *,
    door: Door,
    settings: Settings,
    running: Running | None = None,
    tell: Callable[[dict[str, Any]], None],
    indexes: Sequence[str] = (),
) -> int:
    """Serve, and return the exit code: 143 after SIGTERM, 130 after Ctrl-C.

    Args:
        sources: Bundles; see `served.served`.
        door: Where to listen, and whom to let in.
        settings: Limits.
        running: How to run the models.
        tell: Told what happens: `{"event": "ready", "url", "models", "indexes", "workers"}` once all workers
            answer, `{"event": "warning", "message"}`.
        indexes: What can be searched; see `searching.served_indexes`.

    Raises:
        TemporaryError: `port_in_use`.
        UsageError: `token_needed`, `weak_token`, `too_many_tokens`, `bad_host`, `bad_name`, `same_name`,
            `no_precision`, or there is no such engine.
        DeviceError: The engine does not run here.
        FovealError: A bundle cannot be opened; see `Predictor.open`.
    """
    if not sources and not indexes:
        raise UsageError("there is nothing to serve", hint="name a bundle, or --index F.index")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy: who has threads must not fork
    from foveal.serve import listening, tokens

    allowed = tokens.tokens(door.token_file)
    with listening.listen(door.host, door.port) as listener:
        if allowed is None and not listening.is_local(listener):
            raise tokens.needed(door.host)
        if allowed is not None and allowed.warning:
            tell({"event": "warning", "message": allowed.warning})
        from foveal.serve.searching import served_indexes
        from foveal.serve.served import served
        from foveal.serve.supervisor import Supervisor

        how = running or Running()
        _check(how)
        models, galleries = served(sources, max_batch=settings.max_batch), served_indexes(indexes)
        for one in galleries:
            if one.searcher.passed_over:
                tell({"event": "warning", "message": one.searcher.passed_over})
        if allowed is None:
            settings = replace(settings, hosts=listening.hosts(listener))
        load = _loading(sources, models, how, settings)
        supervisor = Supervisor(models, settings, listener, tokens=allowed, load=load, indexes=galleries)
        told = {
            "event": "ready",
            "url": listening.address(listener),
            "models": [model.name for model in models],
            "indexes": [one.name for one in galleries],
            "workers": settings.workers,
        }
        return supervisor.run(ready=lambda: tell(told))


def _check(how: Running) -> None:
    """Refuse an engine or a precision that is not there, without loading it here; see `_loading`.

    Raises:
        UsageError, DeviceError: As `serving`.
    """
    from foveal.bundle import engines
    from foveal.bundle.engines._contract import check_precision
    from foveal.bundle.trial import trial
    from foveal.bundle.ways import REFERENCE, precisions
    from foveal.core import catalog

    engine = how.engine or REFERENCE
    catalog.find(engines, engine)
    known: Sequence[str] = ()
    if engine == REFERENCE:
        known = precisions(engine)
    else:
        tried = trial(engine)  # a process of its own: who has threads must not fork
        if not tried.works:
            raise DeviceError(
                f"{engine} does not run here: {tried.error}", hint="foveal doctor lists the engines"
            )
        known = tried.precisions
    check_precision(engine, how.precision or "fp32", known)


def _loading(
    sources: Sequence[str], models: "Sequence[Served]", how: Running, settings: Settings
) -> "Callable[[], Sequence[Served]] | None":
    """Return what loads the models in each worker, where they cannot be shared: the engine has threads."""
    from foveal.bundle.ways import REFERENCE
    from foveal.serve.served import served

    if how.engine in (None, REFERENCE) and how.threads == 1:
        return None

    def load() -> "Sequence[Served]":
        found = served(
            sources,
            engine=how.engine,
            precision=how.precision,
            threads=how.threads,
            max_batch=settings.max_batch,
        )
        if [one.predictor.digest for one in found] != [one.predictor.digest for one in models]:
            raise BundleError("a bundle was replaced since the server began", code="replaced")
        return found

    return load
