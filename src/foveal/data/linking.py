"""What belongs together because of several things at once."""

from collections.abc import Sequence


def linked(*names: Sequence[str]) -> list[int]:
    """Return for each place the first one that it is linked with: by an equal name, or through others.

    >>> linked(["a", "b", "a", "c"], ["1", "2", "3", "2"])
    [0, 1, 0, 1]

    Args:
        names: One name for each place, in one sequence or more of the same length.
    """
    parent = list(range(len(names[0])))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = i = parent[parent[i]]
        return i

    for sequence in names:
        first: dict[str, int] = {}
        for i, name in enumerate(sequence):
            one, other = root(i), root(first.setdefault(name, i))
            parent[max(one, other)] = min(one, other)
    return [root(i) for i in range(len(parent))]
