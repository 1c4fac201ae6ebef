"""Pictures stored in different ways: a difference that has nothing to do with what they show."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal

from foveal.core.types import Finding
from foveal.core.wording import EXAMPLES, counted
from foveal.data.dataset import Dataset
from foveal.data.inventory import Inventory
from foveal.data.split import Split
from foveal.data.suffixes import is_picture

_FAMILIES = {"1": "grey", "L": "grey", "LA": "transparent", "PA": "transparent", "RGBA": "transparent"}
_FAMILIES |= {"CMYK": "CMYK", "P": "palette"}


def mixtures(dataset: Dataset, inventory: Inventory, split: Split | None) -> Iterator[Finding]:
    """Yield where colours or file formats differ, and where masks seem to lie among the pictures."""
    yield from _mixture(dataset, [_family(mode) for mode in inventory.mode], "mixed_modes", "colours")
    yield from _mixture(dataset, inventory.format, "mixed_formats", "file formats")
    yield from _twin_names(dataset)


def _family(mode: str) -> str:
    if mode.startswith("I"):
        return "16-bit grey"
    return _FAMILIES.get(mode, "colour") if mode else ""


def _mixture(
    dataset: Dataset,
    kinds: Sequence[str],
    code: Literal["mixed_modes", "mixed_formats"],
    what: str,
) -> Iterator[Finding]:
    counts = Counter(kind for kind in kinds if kind).most_common()
    if len(counts) < 2:
        return
    usual = counts[0][0]
    odd = [dataset.sources[i] for i, kind in enumerate(kinds) if kind not in ("", usual)]
    yield Finding(
        code,
        "warning",
        len(odd),
        f"Pictures are stored in different {what}: "
        f"{', '.join(f'{count} {kind}' for kind, count in counts)}. Where that goes with the class, the "
        "recognizer learns how a picture was stored and not what it shows.",
        "Store all pictures alike, or make sure that each class has all kinds.",
        tuple(odd[:EXAMPLES]),
    )


def _twin_names(dataset: Dataset) -> Iterator[Finding]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for source in dataset.sources:
        folder, _, name = source.rpartition("/")
        stem, dot, _ = name.rpartition(".")
        if dot and is_picture(name):
            by_stem[f"{folder}/{stem}"].append(source)
    twins = [source for sources in by_stem.values() if len(sources) > 1 for source in sources]
    if twins:
        yield Finding(
            "twin_names",
            "warning",
            len(twins),
            f"{counted(len(twins), 'picture')} share folder and name with another and differ only in the "
            "suffix: masks, or converted copies, would be taken for pictures of the class.",
            "Move masks and copies out of the class folders.",
            tuple(twins[:EXAMPLES]),
        )
