"""Pictures beside a run's own data that its network was shown without labels, or that calibrated its file."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveal.core import files

SHOWN = "shown.json"  # of a run; what the weights that it starts from were shown is not in it
_SCHEMA = "foveal.shown/1"


@dataclass(frozen=True)
class Shown:
    """Content hashes, as in `split.json`.

    Attributes:
        unlabelled: The network was shown these without labels: it learned from them, or was adapted to them.
        calib: Confidence and thresholds were fitted on these.
    """

    unlabelled: frozenset[str] = field(default=frozenset(), repr=False)
    calib: frozenset[str] = field(default=frozenset(), repr=False)

    def among(self, contents: Set[str]) -> str | None:
        """Return what `Chosen.unseen` has to say of pictures that some of these are among; None: none is.

        What the network itself has from pictures flatters every number, and so goes before what calibrated.
        """
        if self.unlabelled & contents:
            return "unlabelled"
        return "calibration" if self.calib & contents else None


def noted(run: Path, fingerprint: str) -> Shown:
    """Return what `note` wrote; nothing where that is about another recognizer.

    Args:
        run: The run folder, or any folder with a bundle.
        fingerprint: Of the data that the recognizer was trained on.

    Raises:
        DataError: `bad_split`: the file is damaged.
    """
    path = run / SHOWN
    if not path.is_file():
        return Shown()

    def belonging(document: Mapping[str, Any]) -> Shown:
        unlabelled, calib = (frozenset(map(str, document[key])) for key in ("unlabelled", "calib"))
        belongs = document["schema"] == _SCHEMA and document["fingerprint"] == fingerprint
        return Shown(unlabelled, calib) if belongs else Shown()

    return files.read_json(path, belonging, code="bad_split", hint="name the bundle without its run folder")


def note(run: Path, fingerprint: str, *, unlabelled: Iterable[str] = (), calib: Iterable[str] = ()) -> None:
    """Write down which pictures a run's network is shown, or calibrate its file, beside its own data.

    Args:
        run: The run folder. What its network was shown before stays noted.
        fingerprint: Of the data that the recognizer was trained on.
        unlabelled: Content hashes of pictures that the network is shown without labels.
        calib: Content hashes of pictures that confidence and thresholds are fitted on.

    Raises:
        WriteError: It cannot be written.
    """
    before = noted(run, fingerprint)
    found = {"unlabelled": sorted(before.unlabelled | set(unlabelled)), "calib": sorted(set(calib))}
    if any(found.values()):
        files.write_json(run / SHOWN, {"schema": _SCHEMA, "fingerprint": fingerprint, **found})


def carry(run: Path, folder: Path, fingerprint: str) -> None:
    """Note in a folder what the network of a run was shown, as its network is taken over there.

    What calibrated the run's file is not: the folder's own is calibrated anew.
    """
    note(folder, fingerprint, unlabelled=noted(run, fingerprint).unlabelled)
