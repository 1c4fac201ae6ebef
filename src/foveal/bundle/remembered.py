"""Which engine was fastest for a bundle on this machine, as `foveal bench` found it.

One small file per bundle in the user's cache folder, named by its digest. It holds what was found on each
machine that shares the folder, and counts only while processor and versions are the same. A file that is
damaged, foreign or out of date is as good as none.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

import foveal
from foveal.bundle import engines
from foveal.bundle.ways import Way, precisions
from foveal.core import catalog, files, machine
from foveal.core.errors import MissingExtraError

SCHEMA = "foveal.remembered/1"
_MOST_BYTES = 100_000
_MOST_MACHINES = 16  # the latest


def path(digest: str) -> Path:
    """Return where it is kept what was found for a bundle; the file may be missing."""
    return user_cache_path("foveal") / "engines" / f"{digest}.json"


def remember(digest: str, ways: Sequence[Way]) -> Path:
    """Keep the fastest ways to run a bundle on this machine, in place of earlier ones; return the file.

    Args:
        digest: The bundle's.
        ways: What to take first, then the best for each other number of threads.

    Raises:
        WriteError: The cache cannot be written.
    """
    now, file = here(), path(digest)
    others = [entry for entry in _entries(file) if entry.get("machine") != now["machine"]]
    entry = {**now, "ways": [asdict(way) for way in ways]}
    files.make_folder(file.parent)
    files.write_json(file, {"schema": SCHEMA, "machines": [*others[1 - _MOST_MACHINES :], entry]})
    return file


def recall(digest: str, *, threads: int | None = None) -> Way | None:
    """Return the fastest way to run a bundle that was found on this machine, or None where nothing was.

    Args:
        digest: The bundle's.
        threads: Of one call; None takes as many as were fastest.
    """
    for entry in _entries(path(digest)):
        if {**entry, "ways": None} == {**here(), "ways": None}:
            ways = (_way(found) for found in _listed(entry.get("ways")))
            return next((way for way in ways if way and threads in (None, way.threads)), None)
    return None


def here() -> dict[str, Any]:
    """Return what has to be the same for a measured time to hold: `machine`, and `versions` of what ran."""
    return {
        "machine": {
            "cpu": machine.cpu_name(),
            "features": list(machine.cpu_features()),
            "cpus": machine.usable_cpus(),
        },
        "versions": {"foveal": foveal.__version__, **machine.versions(*catalog.names(engines))},
    }


def _entries(file: Path) -> Iterator[dict[str, Any]]:
    """Yield what a file holds of machines; nothing where it is none of ours."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
        document = json.loads(content) if len(content) <= _MOST_BYTES else None
    except (OSError, ValueError, RecursionError):
        return
    if isinstance(document, dict) and document.get("schema") == SCHEMA:
        yield from (entry for entry in _listed(document.get("machines")) if isinstance(entry, dict))


def _listed(found: Any) -> list[Any]:
    return found if isinstance(found, list) else []


def _way(found: Any) -> Way | None:
    """Return a way if it is one that could be gone here."""
    if not isinstance(found, dict) or set(found) != {"engine", "precision", "threads"}:
        return None
    engine, threads = found["engine"], found["threads"]
    if engine not in catalog.names(engines) or type(threads) is not int:
        return None
    if not 1 <= threads <= machine.MOST_THREADS or found["precision"] not in _known(engine):
        return None
    return Way(**found)


def _known(engine: str) -> tuple[str, ...]:
    try:
        return precisions(engine)
    except MissingExtraError:
        return ()
