"""Words that messages and pages share: numbers with nouns, names in a row."""

from collections.abc import Sequence

EXAMPLES = 10  # of a finding, at most


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "file"), counted(5000, "image"), counted(2, "class")
    ('1 file', '5,000 images', '2 classes')
    """
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def listed(names: Sequence[str]) -> str:
    """Return the first three names, and how many more there are.

    >>> listed(["a", "b", "c", "d"])
    "'a', 'b', 'c' and 1 more"
    """
    shown = ", ".join(repr(name) for name in names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
