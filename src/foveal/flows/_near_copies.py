"""Pictures without labels that show what is held out once more: saved again, resized or mirrored."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import near_duplicates
from foveal.core import files
from foveal.core.progress import Progress
from foveal.train.examples import Examples

_KEPT = "near_copies.json"  # of a run folder


def near_copies(
    run: Path,
    pictures: Examples,
    contents: Sequence[str],
    held_out: Sequence[Examples],
    *,
    progress: Progress,
) -> set[str]:
    """Return the contents of pictures that look the same as one that is held out.

    They are compared at model size, all with all; a run that goes on has kept the answer.

    Args:
        run: The run folder, whose pictures do not change.
        pictures: That would be learned from, at model size.
        contents: Content hash of each of their rows.
        held_out: At the same size.
        progress: Told about the comparison.

    Raises:
        DataError: What the run kept is damaged.
        WriteError: It cannot be kept.
    """
    path = run / _KEPT
    if path.is_file():
        return files.read_json(path, lambda kept: set(map(str, kept["contents"])), hint="start anew")
    shown = [_thumbnails(one) for one in held_out]
    count = sum(map(len, shown))
    pairs = near_duplicates(np.concatenate([*shown, _thumbnails(pictures)]), progress=progress)
    across = (pairs.first < count) & (pairs.second >= count)
    rows = pictures.indices[np.unique(pairs.second[across]) - count]
    found = {contents[row] for row in rows.tolist()}
    files.write_json(path, {"contents": sorted(found)})
    return found


def _thumbnails(examples: Examples) -> NDArray[np.uint8]:
    glances = Glances.of(len(examples))
    for place, row in enumerate(examples.indices.tolist()):
        glances.look(place, np.asarray(examples.images[row]))
    return glances.thumbnails
