"""From what a person names to the items of a job: files, folders, patterns, tables, tar archives, a list."""

import csv
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from foveal.batch.item import Item, file_item
from foveal.core.errors import DataError
from foveal.core.text import printable
from foveal.data import listing
from foveal.data.suffixes import is_picture

_PACKED = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar.zst", ".zip")
_COLUMN = "path"


def items(inputs: Sequence[str], *, null: bool) -> Iterator[Item]:
    """Yield what is named, in its order; of a folder the pictures below it, sorted by name.

    Args:
        inputs: Files, folders, patterns; `TABLE.csv` with a column `path`, relative to the table; `NAME.tar`;
            `-` for a list on stdin.
        null: The list on stdin is separated by NUL.

    Raises:
        DataError: A table has no such column (`bad_manifest`), or an archive is packed or damaged
            (`archive_unsupported`).
    """
    for text in inputs:
        if text == "-":
            yield from map(file_item, listing.paths([text], null=null))
            continue
        for name in listing.meant_by(text):
            yield from _of_file(name)


def _of_file(name: str) -> Iterator[Item]:
    lower = name.lower()
    if lower.endswith(".csv"):
        yield from _of_table(Path(name))
    elif lower.endswith(".tar"):
        yield from _of_tar(Path(name))
    elif lower.endswith(_PACKED):
        raise DataError(
            f"{printable(name)} is packed: its pictures cannot be read one by one",
            code="archive_unsupported",
            hint="unpack it, or make a plain .tar of it",
            path=name,
        )
    else:
        yield file_item(name)


def _of_table(table: Path) -> Iterator[Item]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            if _COLUMN not in (rows.fieldnames or ()):
                raise DataError(
                    f"{table} has no column {_COLUMN!r}",
                    code="bad_manifest",
                    hint="its first line names the columns; one of them is called path",
                    path=table,
                )
            for row in rows:
                yield file_item(str(table.parent / row[_COLUMN]))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{table} cannot be read: {error}", code="bad_manifest", path=table) from error


def _of_tar(archive: Path) -> Iterator[Item]:
    """Yield the pictures of an archive; each is read later in its place, without unpacking anything."""
    try:
        changed = archive.stat().st_mtime_ns
        with tarfile.open(archive, "r:") as members:
            while member := members.next():
                if member.isreg() and not member.issparse() and is_picture(member.name):
                    source = printable(f"{archive}/{member.name}")
                    yield Item(source, str(archive), member.offset_data, member.size, changed)
    except (OSError, tarfile.TarError) as error:
        raise DataError(
            f"{printable(str(archive))} cannot be read: {error}", code="archive_unsupported", path=archive
        ) from error
