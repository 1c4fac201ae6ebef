"""From inspected pictures with a template each, and the defects on them, to a data set of pairs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from foveal.core.errors import DataError
from foveal.data.dataset import Dataset
from foveal.data.formats._annotations import bad, finite, read_lines, stored
from foveal.data.formats._scenes import One, Shot, object_dataset
from foveal.data.pair import PairPicture, joined
from foveal.data.tree import Tree

_CELLS = 5  # of a line: four sides and the kind


def pair_dataset(  # noqa: PLR0913 - what `object_dataset` takes, and the templates
    layout: str,
    tree: Tree,
    shots: Sequence[Shot],
    templates: Mapping[str, str],
    *,
    classes: Sequence[str],
    group: str | None,
    files: Sequence[str],
) -> Dataset:
    """Return the data set of pairs.

    Args:
        layout: Name of its reader.
        tree: Where it lies.
        shots: The inspected pictures.
        templates: Name of the template of each, by the name of the picture.
        classes: Names in label order.
        group: What must not be torn apart, as a reader is told.
        files: All that say what is where.

    Raises:
        DataError: `no_defects`: nothing is stated on any picture.
    """
    if not classes:
        raise DataError(
            f"{tree.path}: no defect is stated on any of the {len(shots)} pairs",
            code="no_defects",
            hint="kinds of defects are learned from examples; foveal inspect train --mode good needs none",
            path=tree.path,
        )
    known = [*files, *templates.values()]
    dataset = object_dataset(layout, tree, shots, classes, group, known)
    names = sorted(shot.name for shot in shots)  # as the pictures of the data set are

    def read(index: int) -> PairPicture:
        name = names[index]
        return PairPicture(joined(stored(tree, name).content, stored(tree, templates[name]).content))

    return replace(dataset, read=read, pairs=True)


def defects_in(tree: Tree, file: str, kinds: Mapping[str, str] | None = None) -> list[One]:
    """Return the defects that the lines `x1 y1 x2 y2 kind` of a text state, by blanks or commas apart.

    Args:
        tree: Where it lies.
        file: Its name.
        kinds: What the words for kinds mean; None: they are the names.

    Raises:
        DataError: `bad_annotation`, with file and line.
    """
    found = []
    for line, text in read_lines(tree, file):
        cells = text.replace(",", " ").split(maxsplit=_CELLS - 1)
        if len(cells) != _CELLS:
            raise bad(tree, file, line, f"{text!r} is not x1 y1 x2 y2 kind")
        sides = [finite(cell) for cell in cells[:4]]
        wrong = next((cell for cell, side in zip(cells, sides, strict=False) if side is None), None)
        if wrong is not None:
            raise bad(tree, file, line, f"{wrong!r} is no number of pixels")
        if kinds is not None and cells[4] not in kinds:
            raise bad(tree, file, line, f"{cells[4]!r} is no kind of defect; there are {', '.join(kinds)}")
        left, top, right, bottom = (side for side in sides if side is not None)
        found.append(One((left, top, right, bottom), cells[4] if kinds is None else kinds[cells[4]]))
    return found
