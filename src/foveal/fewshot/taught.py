"""What a recognizer was taught: features of the pictures, from which it can be fitted again."""

import hashlib
import io
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import archive
from foveal.bundle.archive import CONTENTS, TAUGHT
from foveal.bundle.container import tampered
from foveal.bundle.golden import to_bytes
from foveal.bundle.manifest import Manifest
from foveal.bundle.session import Float32
from foveal.core.errors import DataError, UsageError
from foveal.data.linking import linked

Int64 = NDArray[np.int64]


@dataclass(frozen=True)
class Taught:
    """N pictures of K classes as features, in an order that follows from their contents.

    Attributes:
        classes: Names, sorted.
        features: Of length 1, float32 (N, V, D): of each picture itself and of its changed views.
        labels: int64 (N,) in [0, K); every class has a picture.
        units: A number for each picture, equal for those that belong together, int64 (N,).
        contents: Content hash of each picture in hex; None: what an earlier version taught.
    """

    classes: tuple[str, ...]
    features: Float32 = field(repr=False)
    labels: Int64 = field(repr=False)
    units: Int64 = field(repr=False)
    contents: tuple[str, ...] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures each class has."""
        return dict(zip(self.classes, np.bincount(self.labels).tolist(), strict=True))

    @cached_property
    def fingerprint(self) -> str:
        """The sha256 over names, labels, features, what belongs together and contents."""
        parts = ["\n".join(self.classes).encode(), *self.members().values()]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    def members(self) -> dict[str, bytes]:
        """Return what a bundle holds of it, by the name of the member: `.npy` without pickles."""
        arrays: tuple[NDArray[Any], ...] = (self.features, self.labels, self.units)
        named = dict(zip(TAUGHT, arrays, strict=True))
        if self.contents is not None:
            named[CONTENTS] = np.array([list(bytes.fromhex(one)) for one in self.contents], np.uint8)
        return {name: to_bytes(array) for name, array in named.items()}

    def with_pictures(
        self, name: str, features: Float32, sources: Sequence[str], contents: Sequence[str]
    ) -> "Taught":
        """Return it with pictures of one class more, which may be new; the classes stay sorted by name.

        Args:
            name: Of the class.
            features: As `Taught.features`, of the pictures that come, which do not belong together.
            sources: What they are called.
            contents: Content hash of each in hex.

        Raises:
            DataError: `taught_already`: one of them is there, or comes twice.
        """
        known = {
            one.tobytes(): f"was taught already, as {self.classes[label]}"
            for one, label in zip(self.features[:, 0], self.labels, strict=True)
        }
        for one, source in zip(features[:, 0], sources, strict=True):
            said = known.setdefault(one.tobytes(), "")
            if said:
                raise DataError(
                    f"{source} {said}", code="taught_already", hint="name new pictures", path=source
                )
            known[one.tobytes()] = f"is the same picture as {source}, and would be taught twice"
        names = [self.classes[label] for label in self.labels] + [name] * len(features)
        fresh = np.arange(len(features)) + 1 + self.units.max()
        together = np.concatenate([self.units, fresh])
        known_by = None if self.contents is None else (*self.contents, *contents)
        return taught(names, np.concatenate([self.features, features]), together, known_by)

    def without(self, name: str) -> "Taught":
        """Return it without one class.

        Raises:
            UsageError: `unknown_class`: it has none of that name; `one_class`: only one would be left.
        """
        name = unicodedata.normalize("NFC", name)
        if name not in self.classes:
            raise UsageError(
                f"there is no class {name}", code="unknown_class", hint=f"there are {', '.join(self.classes)}"
            )
        kept = self.labels != self.classes.index(name)
        names = [self.classes[label] for label in self.labels[kept]]
        left = None if self.contents is None else [self.contents[row] for row in np.flatnonzero(kept)]
        return taught(names, self.features[kept], self.units[kept], left)


def taught(
    names: Sequence[str], features: Float32, units: Int64, contents: Sequence[str] | None = None
) -> Taught:
    """Return what N pictures teach; the same pictures in another order teach the same, bit for bit.

    Args:
        names: The class of each.
        features: Of length 1, float32 (N, V, D).
        units: A number for each picture, equal for those that belong together, (N,). Pictures of equal
            features do, too.
        contents: Content hash of each in hex; None: not known.

    Raises:
        UsageError: `one_class`: they are of fewer than two classes.
    """
    names = [unicodedata.normalize("NFC", name) for name in names]
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        only = f"all are of {classes[0]}" if classes else "there is none"
        raise UsageError(
            f"a recognizer needs pictures of two classes or more; {only}",
            code="one_class",
            hint="add a folder with pictures of something else",
        )
    marks = [hashlib.sha256(one.tobytes()).hexdigest() for one in features]
    known_by = tuple(contents) if contents is not None else None
    order = sorted(range(len(names)), key=lambda i: (names[i], marks[i], known_by[i] if known_by else ""))
    number = {name: k for k, name in enumerate(classes)}
    return Taught(
        classes,
        np.ascontiguousarray(features[order]),
        np.array([number[names[i]] for i in order], np.int64),
        _linked([marks[i] for i in order], units[order]),
        None if known_by is None else tuple(known_by[i] for i in order),
    )


def _linked(marks: list[str], units: Int64) -> Int64:
    """Return for each picture the first that it belongs together with: by unit or by equal features."""
    return np.array(linked(marks, [str(unit) for unit in units]), np.int64)


def from_members(members: Mapping[str, bytes], classes: tuple[str, ...]) -> Taught:
    """Return what the members of a bundle hold.

    Raises:
        BundleError: `tampered`: they are no such arrays, or do not fit each other or the classes.
    """
    features, labels, units = (_array(members[name], name) for name in TAUGHT)
    pictures = len(features) if features.ndim else 0
    good = (
        [one.dtype.str for one in (features, labels, units)] == ["<f4", "<i8", "<i8"]
        and features.ndim == 3
        and features.size > 0
        and labels.shape == units.shape == (pictures,)
        and bool(np.isfinite(features).all())
        and set(labels.tolist()) == set(range(len(classes)))
    )
    if not good:
        raise tampered("what was taught is not features, labels and units of the manifest's classes")
    return Taught(classes, features, labels, units, _contents(members, pictures))


def contents_of(bundle: Path, manifest: Manifest) -> frozenset[str] | None:
    """Return the content hashes, in hex, of all that a bundle was taught; None: it does not say them.

    Args:
        bundle: The file.
        manifest: Of it.

    Raises:
        BundleError: The file is not sound.
    """
    if CONTENTS not in manifest.members:
        return None
    with archive.about(bundle):
        found = from_members(archive.read(bundle).taught, manifest.classes)
    return frozenset(found.contents or ())


def _contents(members: Mapping[str, bytes], pictures: int) -> tuple[str, ...] | None:
    if CONTENTS not in members:
        return None
    found = _array(members[CONTENTS], CONTENTS)
    if found.dtype != np.uint8 or found.shape != (pictures, hashlib.sha256().digest_size):
        raise tampered("what was taught has no content hash for each picture")
    return tuple(row.tobytes().hex() for row in found)


def _array(content: bytes, name: str) -> NDArray[Any]:
    try:
        found: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise tampered(f"{name} is no NumPy array: {error}") from None
    if not isinstance(found, np.ndarray):
        raise tampered(f"{name} is no NumPy array")
    return found
