"""Maps of classes or objects that say nothing: damaged, of another size, or with strange values."""

from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.annotated import annotated
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def annotations(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield one error for all pictures whose annotation cannot be used."""
    if dataset.scenes is None:
        return
    unused = annotated(dataset).unused
    if unused:
        yield Finding(
            "unusable_annotations",
            "error",
            len(unused),
            f"The annotations of {counted(len(unused), 'picture')} of {len(dataset)} cannot be used.",
            "A map has one value for each pixel of the upright picture, and each value a class.",
            tuple(error.message.removeprefix(f"{dataset.path}: ") for _, error in unused[:EXAMPLES]),
        )
