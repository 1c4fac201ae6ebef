"""What every layout answers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from foveal.core.progress import Progress
from foveal.core.task import Task
from foveal.data.dataset import Dataset
from foveal.data.formats._writing import Row, Written
from foveal.data.tree import Tree

Write = Callable[[Dataset, Sequence[Row], Path, Progress], Written]


class Format(NamedTuple):
    """A layout of labelled pictures, or of pictures with what is where on them.

    Attributes:
        looks_for: The layout in one line, for the message that none fits.
        lacks: Returns None where a tree has this layout, else what it lacks.
        read: Returns the data set of a tree that lacks nothing. Its second argument says what must not be
            torn apart: keys of the layout, or a pattern over names; None: as the data say.
        precedes: Layouts that this one wins over where both fit, because it was written down on purpose.
        write: Writes a data set, with a row for each picture, into an empty folder, and tells how far it is.
            It raises a DataError where the layout cannot hold the data, an OSError where the disk cannot.
            None: the layout is only read.
        tasks: What data of this layout may be for; what a data set is for, it says itself.
        writes_tasks: What it can be written for; None: all of these.
        writes_attributes: Whether there is a place for what is said of objects beside their class.
        on_request: Whether it is read only where it, or its task, is named: folders like its are usually
            something else.
    """

    looks_for: str
    lacks: Callable[[Tree], str | None]
    read: Callable[[Tree, str | None], Dataset]
    precedes: tuple[str, ...] = ()
    write: Write | None = None
    tasks: tuple[Task, ...] = ("classify",)
    writes_tasks: tuple[Task, ...] | None = None
    writes_attributes: bool = False
    on_request: bool = False

    @property
    def holds(self) -> tuple[Task, ...]:
        """What can be written in this layout, if anything can."""
        return self.tasks if self.writes_tasks is None else self.writes_tasks
