"""A table that tells pictures apart: by source, lighting, shift …."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from foveal.core.errors import DataError, NotFoundError

_MOST_BYTES = 1 << 28
_MOST_VALUES = 50  # of one column; more are no slices but names


def read_slices(path: Path, sources: Sequence[str]) -> dict[str, dict[str, str]]:
    """Return by column the value of each source.

    The first column names the pictures, as `foveal evaluate` names them; every other column is a way to tell
    them apart. An empty cell belongs to no slice.

    Args:
        path: CSV in UTF-8 with a header.
        sources: Pictures that there are.

    Raises:
        NotFoundError: No such file.
        DataError: `bad_slices`: it is no such table, names none of the pictures or one twice, or a column has
            more than 50 values.
    """
    try:
        content = path.read_bytes()[: _MOST_BYTES + 1]
    except FileNotFoundError:
        raise NotFoundError(f"there is no table {path}", path=path) from None
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from error
    if len(content) > _MOST_BYTES:
        raise _bad(path, f"it is longer than {_MOST_BYTES} bytes")
    try:
        text = content.decode("utf-8-sig")
        rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    except UnicodeDecodeError:
        raise _bad(path, "it is not UTF-8; save it as CSV UTF-8") from None
    except csv.Error as error:
        raise _bad(path, str(error)) from error
    if not rows or len(rows[0]) < 2 or len(set(rows[0])) != len(rows[0]):
        raise _bad(path, "its first line has to name the pictures' column and at least one other, each once")
    return _columns(path, rows, set(sources))


def _columns(path: Path, rows: list[list[str]], known: set[str]) -> dict[str, dict[str, str]]:
    header, *body = rows
    found: dict[str, dict[str, str]] = {name: {} for name in header[1:]}
    seen: set[str] = set()
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            raise _bad(path, f"line {number} has {len(row)} cells, the header {len(header)}")
        if row[0] in seen:
            raise _bad(path, f"line {number} names {row[0]!r} again")
        seen.add(row[0])
        for name, value in zip(header[1:], row[1:], strict=True):
            found[name][row[0]] = value.strip()
    if not seen & known:
        example = next(iter(sorted(known)), "")
        raise _bad(path, f"it names none of the pictures; one of them is called {example!r}")
    for name, values in found.items():
        if len(set(values.values())) > _MOST_VALUES:
            raise _bad(path, f"{name!r} has more than {_MOST_VALUES} different values")
    return found


def _bad(path: Path, what: str) -> DataError:
    return DataError(
        f"{path} cannot be used: {what}",
        code="bad_slices",
        hint="picture,lighting\\nclass/1.png,dim: see docs/commands/certify.md",
        path=path,
    )
