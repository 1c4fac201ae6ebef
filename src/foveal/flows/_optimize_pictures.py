"""A bundle to be made smaller: pictures or films without labels; agreement with the original counts.

Nobody has to know what the pictures show. Of those that are new to the original, some show integers their
ranges, half of the rest chooses, and the other half proves. See docs/decisions/0021-optimize.md.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.locate import locate
from foveal.bundle.ways import REFERENCE, Way
from foveal.core import files
from foveal.core.errors import DataError, UsageError
from foveal.core.machine import usable_cpus
from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.core.wording import counted
from foveal.data import opening
from foveal.data.dataset import UInt8
from foveal.evaluate.paired import independent
from foveal.flows import _unlabelled
from foveal.flows._optimize_setup import Setup
from foveal.flows._prepare import STORE
from foveal.flows._sealed import Sealed
from foveal.flows._unlabelled import Stored, Unlabelled
from foveal.optimize.labels import Pictures, answers
from foveal.optimize.rounding import SHOWN
from foveal.optimize.variant import Variant
from foveal.optimize.workshop import Roles, Workshop

_PIXELS = "pixels.npy"
_FEWEST = 20  # that choose, and as many that prove

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class OfBundle:
    """A bundle with pictures.

    Attributes:
        original: The file.
        named: Where the pictures are.
        seed: Which pictures are taken where there are very many.
        progress: Told about the files.
    """

    original: Path
    named: Sequence[str | Path]
    seed: int
    progress: Progress = field(repr=False)
    trains: bool = False

    @classmethod
    def find(
        cls, model: str | Path, named: Sequence[str | Path], *, seed: int, progress: Progress
    ) -> "OfBundle":
        """Return a bundle and where pictures for it are; arguments as the attributes.

        Raises:
            NotFoundError: No bundle.
            UsageError: `no_pictures`: none are named.
        """
        original = locate(model).resolve()
        if not named:
            raise UsageError(
                f"{model} comes without pictures, and every number is measured on some",
                code="no_pictures",
                hint=f"foveal optimize {model} PICTURES, which need no labels; or name a run folder; "
                f"foveal bench {model} times engines and threads without any",
            )
        return cls(original, named, seed, progress)

    @property
    def name(self) -> str:
        """Name of the bundle."""
        return self.original.stem

    @property
    def only_read(self) -> list[Path]:
        """The bundle, and what is named as far as it is more than one picture of many."""
        places = [place for one in self.named for place in opening.places(one)]
        return [self.original, *(p for p in places if p.is_dir() or len(self.named) == 1)]

    @cached_property
    def pictures(self) -> Unlabelled:
        """The pictures, by content."""
        films = archive.read(self.original).manifest.preprocess.clip is not None
        return _unlabelled.find(self.named, films=films, seed=self.seed, progress=self.progress)

    @property
    def asked(self) -> dict[str, Any]:
        """What names the pictures, by content."""
        return {"pictures": self.pictures.fingerprint}

    def setup(self, out: Path, *, train: bool, seed: int, progress: Progress) -> Setup:
        """Return the pictures with their roles; see `Material`."""
        found, manifest = self.pictures, archive.read(self.original).manifest
        files.remove(out / STORE)  # of a search that was killed
        files.make_folder(out / STORE)
        stored = _unlabelled.stored(found, out / STORE / _PIXELS, manifest.preprocess, progress=progress)
        store, learned = stored.store, Sealed.at(self.original, manifest).learned
        readable = np.flatnonzero(store.labels >= 0)
        usable = readable[independent(stored.units[readable], len(readable), seed=seed)]
        known = _learned(found.hashes, stored.units, learned or frozenset())[usable]
        showing, choosing, proving = divided(usable, known, seed=seed)
        if min(len(choosing), len(proving)) < _FEWEST:
            raise _too_few(len(usable), int(known.sum()), path=Path(self.named[0]))
        chosen_on = np.asarray(store.images[choosing])
        named = answers(self.original, Way(REFERENCE, "fp32", usable_cpus()), chosen_on)
        pictures, shown = Pictures.of(named, labelled=False), np.asarray(store.images[showing])
        roles = Roles(chosen_on, pictures, showing=shown, seed=seed)
        warnings = _warnings(found, stored, learned=None if learned is None else int(known.sum()))
        apart = len(readable) - len(usable)
        if apart:
            warnings.append(f"of pictures that belong together one counts: {apart:,} others are not used")
        return Setup(roles, partial(_proven, store.images, proving), warnings=tuple(warnings))


def _learned(hashes: Sequence[str], units: Int64, learned: Collection[str]) -> NDArray[np.bool_]:
    """Return for each picture whether the original has learned from it or from one it belongs with, (N,)."""
    known = np.array([content in learned for content in hashes], dtype=np.bool_)
    found: NDArray[np.bool_] = np.isin(units, units[known])
    return found


def divided(usable: Int64, known: NDArray[np.bool_], *, seed: int) -> tuple[Int64, Int64, Int64]:
    """Return which pictures show integers their ranges, which choose, and which prove: never the same.

    A third shows, up to 256, and learned ones first: nothing is measured on those. The rest is halved.

    Args:
        usable: Places of the pictures, int64 (N,).
        known: Which of them the original is known to have learned from, bool (N,).
        seed: Of the draw.
    """
    order = stream(seed, "roles").permutation(len(usable))
    learned, new = usable[order[known[order]]], usable[order[~known[order]]]
    missing = max(0, min(SHOWN, len(usable) // 3) - len(learned))
    rest = new[missing:]
    half = (len(rest) + 1) // 2
    return np.sort([*learned[:SHOWN], *new[:missing]]), np.sort(rest[:half]), np.sort(rest[half:])


def _too_few(usable: int, learned: int, *, path: Path) -> DataError:
    without = f", of which the original has learned from {learned:,}" if learned else ""
    return DataError(
        f"{counted(usable, 'different picture')} can be used{without}: too few to show integers their "
        f"ranges, to choose by {_FEWEST} others, and to prove the choice on {_FEWEST} more",
        code="too_few_pictures",
        hint="name more; with 1,000, no change in the proof shows that at most 1 % of the answers change",
        path=path,
    )


def _warnings(found: Unlabelled, stored: Stored, *, learned: int | None) -> list[str]:
    """Return what is to be said of the pictures."""
    said = [
        "nothing was trained, and no label was looked at: what counts is how often an answer is the "
        "original's, right or wrong"
    ]
    if learned is None:
        said.append(
            "which pictures the original has learned from is not known: on those fewer "
            "answers may change than on new ones"
        )
    elif learned:
        said.append(f"the original has learned from {counted(learned, 'picture')}: they measure nothing")
    if stored.unusable:
        first = stored.unusable[0]
        said.append(f"{counted(len(stored.unusable), 'picture')} cannot be used; the first: {first}")
    if stored.alike:
        said.append(
            f"{counted(stored.alike, 'picture')} look nearly the same as many others: if they are frames of "
            "few scenes, they prove less than their number; groups.csv beside them says what belongs together"
        )
    if found.copies:
        said.append(f"each content counts once: {counted(found.copies, 'file')} had that of another one")
    if found.left_out:
        said.append(f"{found.left_out:,} more pictures were left out, by lot")
    return said


def _proven(
    images: UInt8, proving: Int64, shop: Workshop, chosen: Variant, original: Variant
) -> dict[str, Any]:
    """Compare what is recommended with the original on pictures that nothing was chosen by."""
    shown = np.asarray(images[proving])
    before = answers(shop.original, original.speed.way, shown)
    after = answers(shop.path(chosen), chosen.speed.way, shown)
    pictures = Pictures.of(before, labelled=False)
    return {
        "images": len(shown),
        "independent": int(pictures.independent),
        "role": "pictures that nothing was chosen by",
        "accuracy": pictures.accuracy(after).as_json(),
        "original_accuracy": None,
        "drop": pictures.changed(after).as_json(),
        "agreement": float((before == after).mean()),
        "report": None,
    }
