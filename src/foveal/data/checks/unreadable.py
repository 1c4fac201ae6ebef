"""Pictures that cannot be used: empty, truncated, too large, of another format."""

from collections import Counter
from collections.abc import Iterator

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split


def unreadable(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield one error for all unusable pictures, with the reasons counted."""
    broken = [(i, error) for i, error in enumerate(inventory.error) if error is not None]
    if not broken:
        return
    reasons = sorted(Counter(error.code for _, error in broken).items())
    yield Finding(
        "unreadable_images",
        "error",
        len(broken),
        f"{len(broken)} of {counted(len(dataset), 'picture')} cannot be used: "
        f"{', '.join(f'{code} {count}' for code, count in reasons)}.",
        "Copy them again from where they came, convert them, or remove them.",
        tuple(f"{dataset.sources[i]} ({error.code}: {error.message})" for i, error in broken[:EXAMPLES]),
    )
