"""What every format of rows answers, and what a row is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

Row = dict[str, Any]
"""`source occurrence content bundle`, then `label confidence abstain unknown set [scores]` or `error`."""


class RowFormat(NamedTuple):
    """A way to store rows.

    Attributes:
        need: Checks that what it takes is installed. Raises: MissingExtraError.
        encode: Returns a file with the rows; its second argument says whether there are scores.
        join: Yields the pieces of one file with the rows of several, in their order, in constant memory.
    """

    need: Callable[[], None]
    encode: Callable[[Sequence[Row], bool], bytes]
    join: Callable[[Iterable[Path]], Iterator[bytes]]
