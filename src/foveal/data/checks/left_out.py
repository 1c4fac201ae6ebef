"""Files that belong to no class, or are no pictures."""

from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split
from foveal.data.suffixes import is_picture


def left_out(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield what was passed over: pictures as a warning, other files as an info."""
    stray = [name for name in dataset.ignored if is_picture(name)]
    other = [name for name in dataset.ignored if not is_picture(name)]
    if dataset.companions:
        yield Finding(
            "companions_passed_over",
            "info",
            len(dataset.companions),
            f"{counted(len(dataset.companions), 'picture')} beside a JPEG of the same name, taken for masks "
            "or copies and passed over.",
            "To use them as pictures, move them into a data set of their own.",
            dataset.companions[:EXAMPLES],
        )
    if stray:
        yield Finding(
            "pictures_without_class",
            "warning",
            len(stray),
            f"{counted(len(stray), 'picture')} in no class folder, and not used."
            if dataset.scenes is None
            else f"{counted(len(stray), 'picture')} that no annotation, or no list, names, and not used.",
            "Move them into the folder of their class."
            if dataset.scenes is None
            else "Annotate them, if with nothing on them, or move them away.",
            tuple(stray[:EXAMPLES]),
        )
    if other:
        yield Finding(
            "ignored_files",
            "info",
            len(other),
            f"Passed over, as no pictures: {counted(len(other), 'file')}.",
            "Nothing to do, unless one of them should be a picture.",
            tuple(other[:EXAMPLES]),
        )
