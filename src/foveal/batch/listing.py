"""From what a person names to the items of a job: files, folders, patterns, tables, tar archives, a list."""

import csv
import glob
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from foveal.batch import reading
from foveal.batch.item import Item, file_item
from foveal.batch.reading import stamp
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.extras import need
from foveal.core.files import is_folder, is_there
from foveal.core.progress import Progress
from foveal.core.steps import file_hash
from foveal.core.text import printable
from foveal.data import listing
from foveal.data.archive import archive_tree, is_archive
from foveal.data.listing import Wanted
from foveal.data.suffixes import is_clip, is_picture

_TABLES = (".csv", ".parquet")
_COLUMN = "path"
_INSPECTED, _TEMPLATE = "image", "template"  # of a table of pairs
_Cells = tuple[object, str | None]  # file of a picture, and of its template
_LISTS = (".txt", ".tsv", ".lst")


@dataclass(frozen=True)
class Named:
    """What a person named.

    Attributes:
        texts: Files, folders, patterns; `TABLE.csv` or `TABLE.parquet` with a column `path`, relative to the
            table; archives; `-` for a list on stdin.
        listed: The names on that list: files and folders.
        films: Films are meant of folders and archives, not pictures.
    """

    texts: tuple[str, ...]
    listed: tuple[str, ...] = ()
    films: bool = False

    @classmethod
    def of(cls, texts: Sequence[str], *, null: bool, films: bool = False) -> "Named":
        """Return what is named, with the list on stdin, which is read here.

        Args:
            texts: As `texts`.
            null: The list is separated by NUL.
            films: As `films`.

        Raises:
            UsageError: One of them is empty, or a text file, which surely is a list.
            NotFoundError: One of them is not there, or stdin is closed.
        """
        for text in texts:
            if not text:
                raise UsageError("an input is an empty text", hint="the current folder is .")
            if text.lower().endswith(_LISTS) and not is_folder(Path(text)):
                raise UsageError(
                    f"{printable(text)} is no picture",
                    hint=f"a list of names comes on stdin: foveal batch BUNDLE - < {printable(text)}",
                )
            if text != "-" and not is_there(Path(text)) and next(listing.matched(text), text) == text:
                raise NotFoundError(
                    f"there is no {printable(text)}", hint="name files, folders or a pattern", path=text
                )
        listed = tuple(listing.names_in(listing.stdin(), null=null)) if "-" in texts else ()
        return cls(tuple(texts), listed, films)

    @property
    def wanted(self) -> Wanted:
        """What tells, by its name, whether a file in a folder or an archive is meant."""
        return is_clip if self.films else is_picture

    @property
    def relative(self) -> bool:
        """Whether any name is another file in another working folder."""
        return any(not Path(text).is_absolute() for text in (*self.texts, *self.listed) if text != "-")

    def read_only(self, job: Path) -> Iterator[Path]:
        """Yield what is named and is not to be written into: a job's place too, if a pattern may match it.

        Args:
            job: The folder, there or not.
        """
        for text in self.texts:
            if text != "-" and is_there(Path(text)):
                yield Path(text)
                continue
            yield from filter(is_folder, self._named_by(text))
            if text != "-":
                yield from _reached(Path(text), job)

    def items(self, left_out: Counter[str], *, emptied: bool = False) -> Iterator[Item]:
        """Yield the pictures, in the order in which they are named; of a folder sorted by name.

        Args:
            left_out: Counts what lies in folders and archives and is not listed, by why: `hidden`, or
                `no_picture`.
            emptied: Folders may have no picture any more.

        Raises:
            NotFoundError: One of the texts names nothing.
            DataError: A table has no such column (`bad_manifest`), or an archive is damaged or not to be
                trusted (`archive_corrupt`, `archive_unsafe` …).
            MissingExtraError: A table in Parquet needs the extra `parquet`.
        """
        for text in self.texts:
            count = 0
            for item in self._listed(left_out) if text == "-" else _meant_by(text, left_out, self.wanted):
                yield item
                count += 1
            if not count and not (emptied and any(map(is_folder, self._named_by(text)))):
                raise NotFoundError(
                    f"no picture in {printable(text)}", hint="name files, folders or a pattern", path=text
                )

    def _named_by(self, text: str) -> Iterator[Path]:
        """Yield the files and folders that one of the texts names, folders as they are."""
        yield from map(Path, self.listed if text == "-" else listing.matched(text))

    def _listed(self, left_out: Counter[str]) -> Iterator[Item]:
        for name in self.listed:
            yield from map(file_item, listing.below(name, left_out, self.wanted))

    def stamps(self) -> dict[str, str]:
        """Return by what it would be noticed that a table, an archive or the list is another one.

        Of tables and the list it is the content, of archives, which may be large, length and time.
        """
        found = {}
        for text in self.texts:
            # In a folder only pictures are meant; to look for anything else in it would be to list it again.
            for name in [] if text == "-" else listing.matched(text):
                path = Path(name)
                if name.lower().endswith(_TABLES) and path.is_file():
                    found[name] = file_hash(path)
                elif is_archive(path) and path.is_file():
                    found[name] = stamp(path)
        if self.listed:
            found["-"] = hashlib.sha256("\0".join(self.listed).encode("utf-8", "surrogateescape")).hexdigest()
        return found


def normal(text: str) -> str:
    """Return a name, or a pattern, as it is written shortest: however it was written it is the same job.

    Links are not looked at, so `..` stays: behind one it leads elsewhere.

    >>> normal("./in//a/"), normal("../in"), normal("-"), normal("./-"), normal("in/*/")
    ('in/a', '../in', '-', './-', 'in/*/')
    """
    only_folders = glob.has_magic(text) and text.endswith("/") and not is_there(Path(text))  # of a pattern
    if text in ("", "-") or only_folders:
        return text
    short = str(Path(text))
    return "./-" if short == "-" else short


def _reached(pattern: Path, job: Path) -> Iterator[Path]:
    """Yield where a pattern looks, by its first part that is none of a name; there or not.

    >>> place = Path("/pics/job/x")
    >>> list(map(str, _reached(Path("/pics/*"), place))), list(map(str, _reached(Path("/pics/*.jpg"), place)))
    (['/pics/*', '/pics/job'], ['/pics/*.jpg'])
    """
    fixed = Path(*itertools.takewhile(lambda part: not glob.has_magic(part), pattern.parts))
    magic = pattern.parts[len(fixed.parts)]
    yield fixed / magic  # no such file, but a job may hold the folders above it
    above, place = fixed.resolve(), job.resolve()
    if above in place.parents and fnmatchcase(first := place.relative_to(above).parts[0], magic):
        yield fixed / first


def numbered(found: Iterable[Item]) -> Iterator[Item]:
    """Yield items with how many of the same source came before each."""
    seen: Counter[str] = Counter()
    for item in found:
        yield replace(item, occurrence=seen[item.source]) if seen[item.source] else item
        seen[item.source] += 1


def once(found: Iterable[Item], root: Path, progress: Progress, *, films: bool = False) -> list[Item]:
    """Return items such that equal contents follow each other, where the first of them stood.

    Every file is read for that; one that cannot be read is like no other.

    Args:
        found: The items.
        root: The folder that relative names are in.
        progress: Told about what was read.
        films: They are films, which may be longer than pictures.
    """
    groups: dict[str, list[Item]] = {}
    every = list(found)
    for done, item in enumerate(every, 1):
        try:
            content = hashlib.sha256(reading.content(item, root, {}, films=films)).hexdigest()
        except (DataError, NotFoundError):
            content = f"{item.source} {item.occurrence}"
        group = groups.setdefault(content, [])
        group.append(replace(item, same=bool(group)))
        progress("looking for copies", done, len(every))
    return [item for group in groups.values() for item in group]


def _meant_by(text: str, left_out: Counter[str], wanted: Wanted) -> Iterator[Item]:
    for name in listing.meant_by(text, left_out=left_out, wanted=wanted):
        yield from _of_file(name, left_out, wanted)


def _of_file(name: str, left_out: Counter[str], wanted: Wanted) -> Iterator[Item]:
    lower = name.lower()
    if lower.endswith(".csv"):
        yield from _of_table(Path(name), _csv_paths)
    elif lower.endswith(".parquet"):
        yield from _of_table(Path(name), _parquet_paths)
    elif is_archive(Path(name)):
        yield from _of_archive(Path(name), left_out, wanted)
    else:
        yield file_item(name)


def _of_table(table: Path, read: Callable[[Path], Iterator[_Cells]]) -> Iterator[Item]:
    try:
        for number, (path, template) in enumerate(read(table), 1):
            if not isinstance(path, str) or not path or template == "":
                raise DataError(f"{table}: row {number} names no picture", code="bad_manifest", path=table)
            item = file_item(str(table.parent / path))
            yield item if template is None else replace(item, template=str(table.parent / template))
    except (OSError, ValueError, csv.Error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{table} cannot be read: {error}", code="bad_manifest", path=table) from error


def _csv_paths(table: Path) -> Iterator[_Cells]:
    with table.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines, restval="")
        names = rows.fieldnames or ()
        pairs = _TEMPLATE in names
        column = _INSPECTED if pairs and _INSPECTED in names else _COLUMN
        _check_columns(table, [_COLUMN] if column in names else names)
        for row in rows:
            yield row[column], row[_TEMPLATE] if pairs else None


def _parquet_paths(table: Path) -> Iterator[_Cells]:
    need("parquet", what="a table in Parquet")
    import pyarrow.parquet as pq

    with pq.ParquetFile(table) as file:  # its errors are ValueErrors and OSErrors
        _check_columns(table, file.schema_arrow.names)
        for batch in file.iter_batches(columns=[_COLUMN]):
            yield from ((path, None) for path in batch.column(0).to_pylist())


def _check_columns(table: Path, names: Sequence[str]) -> None:
    if _COLUMN not in names:
        raise DataError(
            f"{table} has no column {_COLUMN!r}",
            code="bad_manifest",
            hint=f"one of its columns is called {_COLUMN} and names the pictures",
            path=table,
        )


def _of_archive(archive: Path, left_out: Counter[str], wanted: Wanted) -> Iterator[Item]:
    """Yield the pictures, or films, of an archive, by name; each is read later where it lies in it."""
    tree = archive_tree(archive)
    changed = archive.stat().st_mtime_ns
    left_out["hidden"] += tree.hidden
    left_out["no_picture"] += sum(not wanted(name) for name in tree.files)
    for name, size in tree.files.items():
        if wanted(name):
            yield Item(printable(f"{archive}/{name}"), str(archive), name, size, changed)
