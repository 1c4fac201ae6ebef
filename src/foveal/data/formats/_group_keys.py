"""Which pictures belong together, said by columns of a table, arrays of a file, or the pictures' names.

Whoever asks is obeyed. Otherwise `groups.csv` beside the data and a column or array with a usual name both
count: frames that are torn apart make every number too good, frames kept together only cost pictures.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.core.files import is_there
from foveal.core.text import printable
from foveal.data.dataset import Dataset
from foveal.data.formats._groups import GROUPS, MOST_BYTES, has_groups, listed, read_groups
from foveal.data.linking import linked
from foveal.data.tree import Tree, read_regular

_LIST = ".csv"
NONE = "none"  # the user's word for: every picture stands alone
# The larger whole first: where two are there, groups of the first hold those of the second together.
KNOWN = (
    "group", "groups", "patient", "subject", "person", "participant", "identity", "individual", "animal",
    "specimen", "site", "session", "scene", "video", "clip", "sequence", "track",
)  # fmt: skip


class Grouped(NamedTuple):
    """What belongs together.

    Attributes:
        groups: One name per picture, or None where each stands alone.
        by: The keys, or the pattern, that say so; empty where `groups.csv` does, or nothing.
        unused: What could say so, and was not asked.
    """

    groups: tuple[str, ...] | None
    by: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def by_key(
    tree: Tree, sources: Sequence[str], asked: str | None, columns: Mapping[str, Sequence[str]], *, label: str
) -> Grouped:
    """Return the groups of pictures that more is known of than a name.

    Args:
        tree: Where `groups.csv` may lie.
        sources: Names of the pictures.
        asked: One key, or several joined by `+`; `none`; None: a key with a usual name and `groups.csv`;
            what either of them links stays together.
        columns: The values of each key, one per picture; "" where it has none.
        label: The key of the class. It makes groups only if it is asked for.

    Raises:
        UsageError: `unknown_group`: there is no such key.
        DataError: `bad_groups`: `groups.csv` cannot be used.
    """
    others = [key for key in columns if key != label]
    table = (GROUPS,) if has_groups(tree) else ()
    keys = _usual(columns, others, label) if asked is None else _asked(asked, list(columns), tree.path)
    unused = tuple(key for key in others if key not in keys)
    keyed = joined(columns, keys, sources) if keys else None
    if asked is not None:
        return Grouped(keyed, keys, (*table, *unused))
    listed = read_groups(tree, sources)
    if keyed is None or listed is None:
        return Grouped(keyed or listed, keys, unused)
    return Grouped(either(keyed, listed), keys, unused)


def grouped_by_column(tree: Tree, dataset: Dataset, groups: Mapping[str, str], asked: str | None) -> Dataset:
    """Return a data set with the pictures of a group kept together, as the column `group` of a table says.

    Args:
        tree: Where `groups.csv` may lie.
        dataset: Its pictures are in the order of their paths.
        groups: What the column says of each path; "" where it says nothing.
        asked: As for `by_key`.

    Raises:
        UsageError, DataError: As `by_key`.
    """
    paths = sorted(groups)
    columns = {"group": [groups[path] for path in paths], "path": paths}
    found = by_key(tree, paths, asked, columns, label="path")
    return replace(
        dataset, groups=found.groups, grouped_by=found.by,
        not_grouped_by=tuple(key for key in found.unused if key != "path"),
    )  # fmt: skip


def by_name(tree: Tree, names: Sequence[str], asked: str | None, *, beside: Sequence[str] = ()) -> Grouped:
    """Return the groups of pictures of which only the names are known.

    Args:
        tree: Where `groups.csv` may lie.
        names: Names of the pictures.
        asked: A regular expression whose brackets match the group; `none`; the path of a list like
            `groups.csv` that lies elsewhere; None: `groups.csv`.
        beside: Other files that `groups.csv` may name.

    Raises:
        UsageError: `bad_group`: no regular expression, or one without brackets.
        NotFoundError: The list is not there.
        DataError: `bad_groups`: it fits no name, or `groups.csv` cannot be used.
    """
    table = (GROUPS,) if has_groups(tree) else ()
    if asked is None:
        return Grouped(read_groups(tree, names, beside=beside))
    if asked == NONE:
        return Grouped(None, (), table)
    if is_list(asked):
        if not is_there(Path(asked)):
            raise NotFoundError(
                f"the list of groups {asked} does not exist, or may not be looked at",
                hint="put it back, or say with --group where it is; --group none: every picture stands alone",
                path=Path(asked),
            )
        return Grouped(
            listed(read_regular(Path(asked), MOST_BYTES + 1), tree, names, beside=beside), (), table
        )
    return Grouped(matched(asked, [printable(name) for name in names], tree.path), (asked,), table)


def is_list(asked: str) -> bool:
    """Return whether somebody asks for a list in a file; no picture's name ends as a table's does."""
    return asked.lower().endswith(_LIST)


def _asked(asked: str, there: Sequence[str], path: Path) -> tuple[str, ...]:
    if asked in there:
        return (asked,)
    if asked == NONE:
        return ()
    keys = tuple(part.strip() for part in asked.split("+"))
    for key in keys:
        if key not in there:
            names = ", ".join(map(repr, there)) or "none"
            raise UsageError(
                f"{path} has no {key!r} to group by; it has: {names}",
                code="unknown_group",
                hint=f"--group takes one of them, several, as in --group {'+'.join(there[:2])}, or {NONE}",
            )
    return keys


def _usual(columns: Mapping[str, Sequence[str]], keys: Sequence[str], label: str) -> tuple[str, ...]:
    """Return the first key with a usual name; one that repeats the classes would leave nothing to split."""
    plain = {re.sub(r"[\W_]*ids?$", "", key.lower()) or key.lower(): key for key in reversed(keys)}
    for name in KNOWN:
        if name in plain:
            values = columns[plain[name]]
            pairs = set(zip(values, columns[label], strict=True))
            if not len(pairs) == len(set(values)) == len(set(columns[label])):
                return (plain[name],)
    return ()


def joined(
    columns: Mapping[str, Sequence[str]], keys: Sequence[str], sources: Sequence[str]
) -> tuple[str, ...]:
    """Return the group of each picture, all values together; with an empty one it stands alone."""
    rows = zip(*(columns[key] for key in keys), strict=True)
    return tuple(_named(row, source) for row, source in zip(rows, sources, strict=True))


def _named(values: Sequence[str], source: str) -> str:
    if not all(value.strip() for value in values):
        return f"alone {source}"
    if len(values) == 1:
        return f"group {values[0]}"
    # Escaped, or "a/b" with "c" would be the same as "a" with "b/c".
    return "group " + "/".join(map(_escaped, values))


def _escaped(value: str) -> str:
    return re.sub(r"[\\/]", r"\\\g<0>", value)


def either(keyed: Sequence[str], listed: Sequence[str]) -> tuple[str, ...]:
    """Return the groups of pictures that a key or a list, or both one after the other, link.

    >>> either(["group p1", "group p1", "group p2", "alone d"], ["alone a", "group 7", "group 7", "alone d"])
    ('group p1/7', 'group p1/7', 'group p1/7', 'alone d')

    Args:
        keyed: The groups that the key makes.
        listed: The groups that the list makes, of the same pictures.

    Returns:
        One name per picture, of the first value that the key, and the list, has in the group.
    """
    units = linked(keyed, listed)
    of_key, of_list = _first_value(units, keyed), _first_value(units, listed)
    return tuple(
        alone
        if unit not in of_key and unit not in of_list
        # Escaped, or a key's "p/7" would be the same as its "p" with the list's "7".
        else "group " + "/".join(map(_escaped, [of_key.get(unit, ""), *filter(None, [of_list.get(unit)])]))
        for unit, alone in zip(units, keyed, strict=True)
    )


def _first_value(units: Sequence[int], groups: Sequence[str]) -> dict[int, str]:
    pairs = list(zip(units, groups, strict=True))
    return {unit: group.removeprefix("group ") for unit, group in reversed(pairs) if group[:6] == "group "}


def matched(pattern: str, names: Sequence[str], path: Path) -> tuple[str, ...]:
    r"""Return the group that a pattern finds in each picture's name; one that it does not fit stands alone.

    >>> matched(r"num_(\d+)", ["a/exp1_num_7.jpg", "a/exp2_num_7.jpg", "a/x.jpg"], Path("tiles"))
    ('group 7', 'group 7', 'alone a/x.jpg')

    Args:
        pattern: A regular expression with one pair of brackets or more; what they match is the group.
            Brackets that match nothing, or nothing but blanks, make no group.
        names: Names of the pictures below the data.
        path: The data, for the message.

    Raises:
        UsageError: `bad_group`: no regular expression, or one without brackets.
        DataError: `bad_groups`: it finds a group in no name.
    """
    hint = r"--group 'track_(\d+)'; for a list, see groups.csv in the documentation of data"
    try:
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"{pattern!r} is no regular expression: {error}", code="bad_group", hint=hint
        ) from error
    if compiled.groups == 0:
        raise UsageError(
            f"{pattern!r} has no brackets: what they match in a picture's name would be its group",
            code="bad_group",
            hint=hint,
        )
    found = [compiled.search(name) for name in names]
    groups = tuple(
        _named([part or "" for part in match.groups()] if match else [""], name)
        for match, name in zip(found, names, strict=True)
    )
    if not any(group.startswith("group ") for group in groups):
        raise DataError(
            f"{pattern!r} finds a group in no picture's name in {path}",
            code="bad_groups",
            hint=f"names look like {names[0]!r}" if names else None,
            path=path,
        )
    return groups
