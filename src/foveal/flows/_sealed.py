"""A recognizer's file, and what says which pictures it was made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from foveal.bundle.manifest import Manifest
from foveal.core import files
from foveal.data import split as splits
from foveal.fewshot.taught import contents_of
from foveal.flows._prepare import SPLIT
from foveal.flows._shown import Shown, noted


@dataclass(frozen=True)
class Sealed:
    """A sealed file. What is read about it is read once, when it is asked for.

    Attributes:
        bundle: The file.
        manifest: What it says about itself.
        run: The folder in which `split.json` is looked for: its own, or, where it has left that, its run's.
    """

    bundle: Path
    manifest: Manifest
    run: Path

    @classmethod
    def at(cls, bundle: Path, manifest: Manifest) -> Self:
        """Return a file with what lies beside it."""
        return cls(bundle, manifest, bundle.parent)

    @cached_property
    def split(self) -> Mapping[str, Any] | None:
        """The run's division, if it lies there and is the one that this file was trained with.

        Raises:
            DataError: `bad_split`: it is damaged.
        """
        path, data = self.run / SPLIT, self.manifest.data
        if not path.is_file():
            return None

        def belonging(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
            belongs = document["schema"] == splits.SCHEMA and document["fingerprint"] == data.fingerprint
            belongs = belongs and data.split_digest in (None, splits.saved_digest(document))
            return document if belongs else None

        return files.read_json(
            path, belonging, code="bad_split", hint="name the bundle without its run folder"
        )

    @cached_property
    def taught(self) -> frozenset[str] | None:
        """Content hashes of what the file itself says that it was taught; None: it does not say.

        Raises:
            BundleError: The file is not sound.
        """
        return contents_of(self.bundle, self.manifest)

    @cached_property
    def shown(self) -> Shown:
        """What its network was shown without labels, or what calibrates it beside its own data.

        Raises:
            DataError: `bad_split`: what the run noted is damaged.
        """
        return noted(self.run, self.manifest.data.fingerprint)

    @property
    def learned(self) -> frozenset[str] | None:
        """Content hashes of all pictures that it has learned from; None: not known.

        Those that it was shown without labels are among them.
        """
        if self.split is None:
            return self.taught
        return frozenset(splits.hashes_of(self.split, "fit")) | self.shown.unlabelled

    @property
    def calibrated(self) -> frozenset[str]:
        """Content hashes of the pictures that calibrated it, where `learned` is known."""
        if self.split is None:
            return frozenset()  # what was taught alone is calibrated by what it was taught
        return frozenset(splits.hashes_of(self.split, "calib")) | self.shown.calib
