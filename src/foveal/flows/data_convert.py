"""`foveal data convert`: the same pictures, classes, splits and groups in another layout."""

import tempfile
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from foveal.core import catalog, files, runs
from foveal.core.errors import UnknownNameError, UsageError, WriteError
from foveal.core.progress import Progress, silent
from foveal.data import formats, opening
from foveal.data import inventory as inventories
from foveal.data import split as splits
from foveal.data.dataset import Dataset
from foveal.data.formats._format import Format, Write
from foveal.data.formats._writing import Row, Written, rows_of, written_rows

SCHEMA = "foveal.data/1"
_SPLIT_OF_ROLE = {"fit": "train", "calib": "val", "test": "test"}


def convert(
    dataset: Dataset,
    folder: Path,
    *,
    to: str,
    split_seed: int | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write a data set in another layout, whole or not at all, and return the `foveal.data/1` document.

    Files keep their bytes; pixels that lie in arrays become PNG, and for `npz` files become pixels.

    Args:
        dataset: As `data.open` returned it; it is only read.
        folder: New, or empty.
        to: Name of a file in `data/formats` whose layout can be written.
        split_seed: Write the train, val and test of a training with this seed; None: the splits there are.
        progress: Told a few times a second.

    Raises:
        UnknownNameError: No such layout to write.
        DataError: For folders, a class name that no folder can have; for `npz`, pictures of several sizes;
            for annotations, what a layout cannot hold.
        UsageError: `other_task`: the data are clips, or the layout is not for what they say.
        WriteError: The folder is not empty, lies in the data, or cannot be written.
    """
    known: dict[str, Format] = {name: catalog.find(formats, name) for name in catalog.names(formats)}
    writable = {name: layout.write for name, layout in known.items() if layout.write is not None}
    if to not in writable:
        raise UnknownNameError("layouts to write", to, writable)
    if dataset.clip is not None:
        raise UsageError("clips lie in class folders, and no other layout holds them", code="other_task")
    if dataset.task not in known[to].holds:
        raise UsageError(
            f"{to} holds what is for {' and '.join(known[to].holds)}; "
            f"{dataset.path} is read for {dataset.task}",
            code="other_task",
            hint=_instead(dataset, {name: known[name].holds for name in writable}),
        )
    runs.keep_apart(folder, *opening.places(dataset.path))
    if files.is_there(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise WriteError(f"{folder} is not empty", hint="choose another folder", path=folder)
    if split_seed is not None:
        dataset = _divided(dataset, split_seed, progress)
    rows = list(rows_of(dataset))
    written = _written(dataset, rows, folder, writable[to], progress)
    kept = written_rows(rows, written.left_out)
    left_out = [(dataset.sources[index], error) for index, error in written.left_out]
    return {
        "schema": SCHEMA,
        "ok": True,
        "action": "convert",
        "path": str(dataset.path),
        "out": str(folder),
        "format": to,
        "images": len(kept),
        "classes": list(written.classes),
        "splits": dict(Counter(row.split for row in kept)),
        "groups": None if dataset.groups is None else len(set(dataset.groups)),
        "not_written": _without_a_place(dataset, known[to]),
        "left_out": [{"source": source, "error": error.as_json()} for source, error in left_out],
    }


def _written(
    dataset: Dataset, rows: Sequence[Row], folder: Path, write: Write, progress: Progress
) -> Written:
    """Write all files beside the folder, and put them there when all are written."""
    files.make_folder(folder.parent)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as temporary:
            fresh = Path(temporary) / "data"
            fresh.mkdir()
            written = write(dataset, rows, fresh, progress)
            fresh.replace(folder)  # an empty folder; anything else was refused
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(f"cannot write {folder}: {error.strerror}", path=folder) from error
    return written


def _without_a_place(dataset: Dataset, layout: Format) -> list[str]:
    """Return names of what is said of objects beside their class, where a layout cannot hold it."""
    scenes = dataset.scenes
    if scenes is None or layout.writes_attributes:
        return []
    said = (one for index in range(len(dataset.sources)) for one in scenes.objects(index).attributes)
    return sorted({name for one in said for name in one})


def _instead(dataset: Dataset, holding: Mapping[str, Collection[str]]) -> str:
    """Return what can be written of data, for the task that they are read for, or else for others."""

    def layouts(task: str) -> str:
        return " or ".join(name for name, tasks in holding.items() if task in tasks)

    if layouts(dataset.task):
        return f"--to {layouts(dataset.task)}"
    others = dataset.scenes.tasks if dataset.scenes is not None else ()
    return "; ".join(f"--task {task} --to {layouts(task)}" for task in others if layouts(task))


def _divided(dataset: Dataset, seed: int, progress: Progress) -> Dataset:
    made = splits.make(dataset, inventories.take(dataset, progress=progress), seed=seed)
    names = list(dataset.splits)
    for role, name in _SPLIT_OF_ROLE.items():
        for index in made.role(role).tolist():
            names[index] = name
    # What cannot be read has no role; it stays with what is learned from, where `check` names it.
    return replace(dataset, splits=tuple(name or "train" for name in names))
