"""Which pictures belong together, said by columns of a table, arrays of a file, or the pictures' names."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from foveal.core.errors import DataError, UsageError

KNOWN = ("group", "groups", "track", "subject", "patient", "person", "session")
Groups = tuple[str, ...]


def chosen(asked: str | None, there: Sequence[str], path: Path) -> tuple[str, ...]:
    """Return the keys whose values, taken together, say what belongs together; none where nothing does.

    Args:
        asked: What the user wants: one key, or several joined by `+`; None takes the first of `KNOWN`.
        there: The keys that the data have.
        path: The data, for the message.

    Raises:
        UsageError: `unknown_group`: the data have no such key.
    """
    if asked is None:
        return next(((key,) for key in KNOWN if key in there), ())
    keys = tuple(part.strip() for part in asked.split("+"))
    for key in keys:
        if key not in there:
            names = ", ".join(map(repr, there)) or "none"
            raise UsageError(
                f"{path} has no {key!r} to group by; it has: {names}",
                code="unknown_group",
                hint=f"--group takes one of them, or several, as in --group {'+'.join(there[:2])}",
            )
    return keys


def joined(
    columns: Mapping[str, Sequence[str]], keys: Sequence[str], sources: Sequence[str]
) -> Groups | None:
    """Return the group of each picture; one with an empty value stands alone. None without keys.

    Args:
        columns: The values of each key, one per picture.
        keys: Which of them count, together.
        sources: Names of the pictures.
    """
    if not keys:
        return None
    rows = zip(*(columns[key] for key in keys), strict=True)
    return tuple(
        f"group {'/'.join(row)}" if all(row) else f"alone {source}"
        for row, source in zip(rows, sources, strict=True)
    )


def by_name(pattern: str, names: Sequence[str], path: Path) -> Groups:
    r"""Return the group that a pattern finds in each picture's name; one that it does not fit stands alone.

    >>> by_name(r"num_(\d+)", ["a/exp1_num_7.jpg", "a/exp2_num_7.jpg", "a/x.jpg"], Path("tiles"))
    ('group 7', 'group 7', 'alone a/x.jpg')

    Args:
        pattern: A regular expression with one pair of brackets or more; what they match is the group.
        names: Names of the pictures below the data.
        path: The data, for the message.

    Raises:
        UsageError: `bad_group`: no regular expression, or one without brackets.
        DataError: `bad_groups`: it fits no name.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error}", code="bad_group", hint=r"--group 'track_(\d+)'"
        ) from error
    if compiled.groups == 0:
        raise UsageError(
            f"{pattern!r} has no brackets: what they match in a picture's name would be its group",
            code="bad_group",
            hint=r"--group 'track_(\d+)'; for a list, see groups.csv in the documentation of data",
        )
    found = [compiled.search(name) for name in names]
    if not any(found):
        raise DataError(
            f"{pattern!r} fits no picture's name in {path}",
            code="bad_groups",
            hint=f"names look like {names[0]!r}" if names else None,
            path=path,
        )
    return tuple(
        f"group {'/'.join(part or '' for part in match.groups())}" if match else f"alone {name}"
        for match, name in zip(found, names, strict=True)
    )
