"""What every format of rows answers, and what a row is."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from foveal.core.task import Task

Row = dict[str, Any]
"""`source occurrence content bundle`, then what `predict --json` says of a picture, or `error`.

Of a class `label confidence abstain unknown set [scores]`; of what is where `width height`, and `objects`
with `counts`, or `areas`; of defects `score` and `areas`. Where there is a rule, also `verdict score
reasons`.
"""


class Said(NamedTuple):
    """What the rows of a job say.

    Attributes:
        task: What the recognizer is for.
        scores: Whether they have the probability of every class.
        attributes: Whether objects are told with what is said of them beside their class.
        judged: Whether the recognizer has a rule, by which parts are accepted or rejected.
    """

    task: Task
    scores: bool
    attributes: bool = False
    judged: bool = False


class RowFormat(NamedTuple):
    """A way to store rows.

    Attributes:
        need: Checks that what it takes is installed. Raises: MissingExtraError.
        encode: Returns a file with the rows; its second argument says what is in them.
        join: Yields the pieces of one file with the rows of several, in their order, in constant memory.
    """

    need: Callable[[], None]
    encode: Callable[[Sequence[Row], Said], bytes]
    join: Callable[[Iterable[Path]], Iterator[bytes]]
