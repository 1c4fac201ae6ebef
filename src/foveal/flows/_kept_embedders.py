"""Embedders that were exported before, in the user's cache folder: exporting a network takes seconds.

An entry is called by everything that decides its graph, and is believed only as far as its hash reaches; one
that is damaged, or gone, is exported again.
"""

import contextlib
import hashlib
import json
from importlib import metadata
from pathlib import Path

from platformdirs import user_cache_path

import foveal
from foveal.bundle.archive import SUFFIX
from foveal.bundle.embedder import Embedder
from foveal.core import files, runs
from foveal.core.errors import WriteError
from foveal.data.dataset import Dataset
from foveal.data.preprocess import Preprocess
from foveal.data.sizing import median_side, suggest_channels, suggest_size
from foveal.export.embedding import embedder_in

_MOST, _DIGEST_BYTES, _LENGTH_BYTES, _ENDING = 8, 32, 4, ".embedder"
_WEIGHTS_BYTES = 1 << 30  # of a file; a larger one is not read twice


def kept_embedder(named: str, dataset: Dataset, *, model: str | None, size: int | None) -> Embedder:
    """Return what `_backbone.embedder_of` returns, from the cache where it has been exported before.

    Arguments and errors are its own.
    """
    path = runs.find(named)
    if path.is_file() and path.suffix == SUFFIX and size is None:
        from foveal.bundle import archive

        return embedder_in(archive.read(path), source=path.name)
    place = _place(named, path, dataset, model, size)
    known = None if place is None else _recalled(place)
    if known is not None:
        return known
    from foveal.flows._backbone import embedder_of  # here: it imports torch

    made = embedder_of(named, dataset, model=model, size=size)
    if place is not None:
        _remember(place, made)
    return made


def _place(named: str, path: Path, dataset: Dataset, model: str | None, size: int | None) -> Path | None:
    """Return where an embedder is kept, or None where it depends on too much: a folder."""
    content = ""
    if files.is_there(path):
        if not path.is_file() or path.stat().st_size > _WEIGHTS_BYTES:
            return None
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    told = {
        "named": named if not content else "",
        "content": content,
        "model": model,
        # What it follows from the pictures.
        "pictures": [size, median_side(dataset), suggest_size(dataset), suggest_channels(dataset)],
        "installed": sorted(f"{one.name} {one.version}" for one in metadata.distributions()),
        "foveal": _sources(),
    }
    name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
    return user_cache_path("foveal") / "embedders" / f"{name}{_ENDING}"


def _sources() -> str:
    """Return a hash of all that builds and exports networks: a version alone does not say what it is."""
    root = Path(foveal.__file__).parent
    parts = sorted(
        path for name in ("models", "export", "tasks", "flows") for path in (root / name).rglob("*.py")
    )
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in parts)).hexdigest()


def _recalled(place: Path) -> Embedder | None:
    try:
        content = place.read_bytes()
        digest, data = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if hashlib.sha256(data).digest() != digest:
            return None
        end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
        about = json.loads(data[_LENGTH_BYTES:end])
        return Embedder(
            data[end:],
            Preprocess.model_validate(about["preprocess"]),
            about["dimensions"],
            about["source"],
            about["license"],
        )
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _remember(place: Path, made: Embedder) -> None:
    """Keep an embedder; where the cache cannot be written, nothing happens."""
    about = json.dumps(
        {
            "preprocess": made.preprocess.model_dump(mode="json"),
            "dimensions": made.dimensions,
            "source": made.source,
            "license": made.license,
        }
    ).encode()
    data = len(about).to_bytes(_LENGTH_BYTES, "big") + about + made.graph
    with contextlib.suppress(WriteError, OSError):
        files.make_folder(place.parent)
        files.write_bytes(place, hashlib.sha256(data).digest() + data)
        entries = sorted(place.parent.glob(f"*{_ENDING}"), key=lambda one: one.stat().st_mtime_ns)
        for old in entries[:-_MOST]:
            files.remove(old)
