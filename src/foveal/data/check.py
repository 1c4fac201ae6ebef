"""What would spoil a result, found in the data before any time is spent on training."""

from collections.abc import Iterable

from foveal.core import catalog
from foveal.core.types import Finding
from foveal.data import checks
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split

_SEVERITIES = ("error", "warning", "info")


def check(dataset: Dataset, inventory: Inventory, split: Split | None = None) -> list[Finding]:
    """Return the findings of every file in `data/checks`, the worst first.

    Args:
        dataset: What was opened.
        inventory: The full pass over it.
        split: The roles that training would use; without it nothing is said about their sizes.
    """
    found: list[Finding] = []
    for name in catalog.names(checks):
        found += catalog.find(checks, name)(dataset, inventory, split)
    return by_severity(found)


def by_severity(found: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first, otherwise in their order."""
    return sorted(found, key=lambda finding: _SEVERITIES.index(finding.severity))
