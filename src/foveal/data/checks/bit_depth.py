"""16-bit pictures that hold the 10, 12 or 14 bits of a camera, whose high byte is nearly empty."""

from collections.abc import Iterator

import numpy as np

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split

# Of 16 bits the high byte is read; what fills 14 bits or fewer stays below this.
_QUARTER = 64


def bit_depth(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield a warning where no 16-bit grey picture uses the upper bits: most of what it shows is not read.

    All of them are judged together, because a dark picture among others is only dark.
    """
    deep = np.flatnonzero([mode.startswith("I") for mode in inventory.mode])
    if not len(deep):
        return
    levels = int(inventory.brightest[deep].max()) + 1
    if levels > _QUARTER:
        return
    yield Finding(
        "unused_bits",
        "warning",
        len(deep),
        f"{counted(len(deep), '16-bit picture')} without a value above {levels * 256 - 1} of 65535, as where "
        f"a camera's 10 or 12 bits are stored as they are. Of 16 bits the high byte is read: {levels} of 256 "
        f"{'grey level is' if levels == 1 else 'grey levels are'} left.",
        "Spread the values over all 16 bits (12 bits: times 16), or store them in 8, here and wherever "
        "pictures are asked about.",
        tuple(dataset.sources[i] for i in deep[:EXAMPLES]),
    )
