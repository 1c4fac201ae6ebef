"""From a path to a data set, whatever the layout."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from foveal.core import catalog, files
from foveal.core.errors import DataError, NotFoundError, UnknownNameError, UsageError
from foveal.core.task import TASKS
from foveal.data import formats
from foveal.data.archive import archive_tree, is_archive
from foveal.data.clip import Clip
from foveal.data.dataset import Dataset
from foveal.data.formats._around import levels
from foveal.data.formats._format import Format
from foveal.data.formats._groups import GROUPS
from foveal.data.formats._tables import TABLES
from foveal.data.formats.csv_boxes import picture_folders as folders_of_boxes
from foveal.data.formats.csv_manifest import picture_folders
from foveal.data.formats.pair_table import picture_folders as folders_of_pairs
from foveal.data.good import with_good
from foveal.data.suffixes import is_picture
from foveal.data.things import with_things
from foveal.data.tree import Tree, file_tree, folder_tree

CLASSIFY, VIDEO = "classify", "video"
_SINGLE = (".npz", *TABLES)  # files that are a data set by themselves


def open(  # noqa: A001 - a path, and five ways to say how it is meant
    path: str | Path,
    format: str | None = None,  # noqa: A002
    group: str | None = None,
    task: str | None = None,
    things: Sequence[str] = (),
    good: Sequence[str] = (),
) -> Dataset:
    """Return the labelled pictures, or films, at a path, without decoding any.

    Args:
        path: A folder, a zip, a tar, a manifest or a NumPy archive; a folder that holds nothing but one
            archive is that archive.
        format: Name of a file in `data/formats`; None finds out.
        group: What must not be torn apart: keys of a manifest or NumPy archive, as in `labels+track`, or a
            pattern over the names of pictures, or a list of groups; None: as the data say.
        task: What is to be learned, where the data leave that open: `classify` or `video` where pictures and
            films lie there, `detect` or another where it is said what is where; None: the usual one.
        things: Of class maps read for `panoptic`: classes whose objects are counted; see `data.things`.
        good: Of data about defects: folders that hold good parts, beside those that say so; see `data.good`.

    Raises:
        NotFoundError: Nothing there.
        UnknownNameError: No such format, or no such class among `things` or `good`.
        UsageError: The data cannot be grouped so; `other_task`: the format is for other tasks.
        DataError: `unknown_layout` (the message says what each format lacks), `ambiguous_layout`,
            `several_archives`, `not_regular`, `other_task`, `bad_annotation`, or what is wrong with the
            archive.
    """
    path = Path(path)
    if not files.is_there(path):
        raise NotFoundError(f"{path} does not exist, or may not be looked at", path=path)
    if not (path.is_dir() or path.is_file()):
        raise DataError(f"{path} is neither a folder nor a file", code="not_regular", path=path)
    if task not in (None, *TASKS):
        raise UnknownNameError("tasks", str(task), TASKS, hint="--task takes one of these")
    readers = _readers(format, task)
    tree = folder_tree(path) if path.is_dir() else _file(path)
    if task == VIDEO:
        tree = _without_pictures(tree)
    tree, lacks = _level(tree, readers)
    if tree.kind == "folder" and None not in lacks.values() and (inner := _only_archive(tree)):
        inside = archive_tree(inner)
        tree, lacks = _level(_without_pictures(inside) if task == VIDEO else inside, readers)
    fitting = [name for name, lack in lacks.items() if lack is None]
    if len(fitting) == 1:
        dataset = readers[fitting[0]].read(tree, group)
        dataset = with_things(dataset, things) if things else dataset
        return _for_task(with_good(dataset, good) if good else dataset, task)
    if fitting:
        raise DataError(
            f"{path} could be {' or '.join(fitting)}",
            code="ambiguous_layout",
            hint="put each set into a folder of its own, and name the one you mean",
            path=path,
        )
    raise _refused(
        path, tree, task, {f"{name} ({readers[name].looks_for})": lack for name, lack in lacks.items()}
    )


def _readers(format: str | None, task: str | None) -> dict[str, Format]:  # noqa: A002
    """Return the layouts that may be meant.

    Raises:
        UnknownNameError: No such format.
        UsageError: `other_task`: that format says nothing that the task could be learned from.
    """
    names = catalog.names(formats) if format is None else [format]
    readers: dict[str, Format] = {name: catalog.find(formats, name) for name in names}
    usual = {name: reader for name, reader in readers.items() if format is not None or not reader.on_request}
    found = usual if task is None else {name: one for name, one in readers.items() if task in one.tasks}
    if not found and format is not None:
        tasks = readers[format].tasks
        raise UsageError(
            f"{format} does not say what is needed for {task}; it does for {' or '.join(tasks)}",
            code="other_task",
            hint=f"--task {tasks[0]}, or another --format",
        )
    return found


def _refused(path: Path, tree: Tree, task: str | None, lacks: Mapping[str, str | None]) -> DataError:
    """Return what is wrong with data that no layout fits, or one that is for other tasks alone.

    Nearly every folder could be one of classes: of what lacks a part of its annotations it is said what.

    Args:
        path: The data.
        tree: What lies there.
        task: That was asked for.
        lacks: By layout, in words, what it lacks.
    """
    known: dict[str, Format] = {name: catalog.find(formats, name) for name in catalog.names(formats)}
    others = {
        name: one
        for name, one in known.items()
        if task not in (None, VIDEO, *one.tasks) and not one.on_request
    }
    fitting = [name for name, lack in _level(tree, others)[1].items() if lack is None]
    looked = f"Looked for {'; '.join(f'{name}: {lack}' for name, lack in lacks.items())}."
    if not fitting:
        return DataError(
            f"{path} has no layout we know. {looked}",
            code="unknown_layout",
            hint="put the pictures of each class into a folder of its own, DATA/CLASS/PICTURE; how boxes and "
            "class maps lie is in docs/annotations.md",
            path=path,
        )
    name = fitting[0]
    tasks = others[name].tasks
    more = f". {looked}" if name == "image_folder" else ""
    return DataError(
        f"{path} ({name}) does not say what is needed for {task}; it does for {' or '.join(tasks)}{more}",
        code="other_task",
        hint=_for_which(path, tasks[0]),
        path=path,
    )


def _for_which(path: Path, task: str) -> str:
    """Return what to do with data of another task: not every command has an option for it."""
    return f"--task {task}, as in: foveal train {path} --task {task}"


def _for_task(dataset: Dataset, task: str | None) -> Dataset:
    """Return the data set for what is to be learned from it; of scenes that may be one of several things.

    Raises:
        DataError: `other_task`: the data do not say what would be needed.
    """
    scenes = dataset.scenes
    if task is None or scenes is None:
        return dataset
    if task not in scenes.tasks:
        raise DataError(
            f"{dataset.path} ({dataset.format}) does not say enough for {task}; it does for "
            f"{' and '.join(scenes.tasks)}",
            code="other_task",
            hint=_for_which(dataset.path, scenes.tasks[0]),
            path=dataset.path,
        )
    if task == "panoptic" and scenes.things is None:
        raise DataError(
            f"{dataset.path} ({dataset.format}) does not say which classes are counted",
            code="no_things",
            hint="name those whose objects are counted, such as --things car,person",
            path=dataset.path,
        )
    [chosen] = [one for one in scenes.tasks if one == task]
    return replace(dataset, scenes=replace(scenes, task=chosen))


def open_for(
    path: str | Path,
    clip: Clip | None,
    group: str | None = None,
    task: str | None = None,
    things: Sequence[str] = (),
) -> Dataset:
    """Return what a recognizer is asked about at a path: films where it takes clips, otherwise pictures.

    That matters where both lie there. What is only of the other kind is returned too: `clips.showing`, which
    whoever uses it goes through, says so (`other_task`).

    Args:
        path: As for `open`.
        clip: Of the recognizer's `Preprocess`; None: it takes pictures.
        group: As for `open`.
        task: Of a recognizer that says where something is; None: it gives a class.
        things: Of a panoptic one the classes whose objects it counts; data that say so keep theirs.

    Raises:
        NotFoundError, UsageError, DataError: As `open`.
    """
    if task is not None:
        try:
            return open(path, group=group, task=task)
        except DataError as error:
            if error.code != "no_things" or not things:
                raise
        return open(path, group=group, task=task, things=things)
    if clip is not None:
        try:
            return open(path, group=group, task=VIDEO)
        except DataError as error:
            if error.code != "unknown_layout":
                raise
    return open(path, group=group)


def open_labelled(path: str | Path) -> Dataset:
    """Return pictures, or films, that have a class each; see `open`.

    Raises:
        UsageError: `other_task`: the data say what is where on pictures instead.
        NotFoundError, DataError: As `open`.
    """
    dataset = open(path)
    if dataset.scenes is not None:
        raise UsageError(
            f"{path} ({dataset.format}) says where something is; this needs pictures with a class each",
            code="other_task",
            hint="put the pictures of each class into a folder of its own",
            path=path,
        )
    return dataset


def places(path: str | Path) -> list[Path]:
    """Return what is only to be read where the data at a path are used; it need not be there.

    That is the path, and for a manifest also the folders that it lists pictures in: its own, where they lie
    beside it.

    Raises:
        DataError: It is a manifest with a mistake in it, or cannot be read.
    """
    path = Path(path)
    if path.suffix.lower() not in TABLES or not files.is_there(path) or not path.is_file():
        return [path]
    tree = file_tree(path, beside=GROUPS)
    folders = picture_folders(tree) | folders_of_boxes(tree) | folders_of_pairs(tree)
    return [path, *(path.parent / folder for folder in sorted(folders))]


def _file(path: Path) -> Tree:
    """Return what a file holds; of a table or NumPy archive itself, and the list of groups beside it."""
    return file_tree(path, beside=GROUPS) if path.suffix.lower() in _SINGLE else archive_tree(path)


def _without_pictures(tree: Tree) -> Tree:
    return replace(tree, files={name: size for name, size in tree.files.items() if not is_picture(name)})


def _level(tree: Tree, readers: Mapping[str, Format]) -> tuple[Tree, dict[str, str | None]]:
    """Return the level of an archive that some layout fits, and what each layout lacks there.

    What was written down on purpose wins over folders further in; otherwise the innermost level that fits.
    """
    asked = [(level, _lacking(level, readers)) for level in levels(tree)]
    fitting = [(level, lacks) for level, lacks in asked if None in lacks.values()]
    for place, (level, lacks) in enumerate(fitting):
        if any(readers[name].precedes for name, lack in lacks.items() if lack is None):
            whole = [one for one in fitting[place:] if len(one[0].files) == len(level.files)]
            return whole[-1]  # a folder around all that there is says nothing
    return fitting[-1] if fitting else asked[-1]


def _lacking(tree: Tree, readers: Mapping[str, Format]) -> dict[str, str | None]:
    """Return what each layout lacks; one that another wins over, which fits, is not asked."""
    lacks: dict[str, str | None] = {}
    for name in sorted(readers, key=lambda name: -len(readers[name].precedes)):
        winner = next(
            (other for other, lack in lacks.items() if lack is None and name in readers[other].precedes), None
        )
        lacks[name] = readers[name].lacks(tree) if winner is None else f"it is {winner}"
    return {name: lacks[name] for name in readers}


def _only_archive(tree: Tree) -> Path | None:
    archives = [tree.path / name for name in tree.files if "/" not in name and is_archive(Path(name))]
    if len(archives) > 1:
        names = ", ".join(archive.name for archive in archives)
        raise DataError(
            f"{tree.path} holds several archives: {names}",
            code="several_archives",
            hint=f"name the one you mean, for example {archives[0]}",
            path=tree.path,
        )
    return archives[0] if archives else None
