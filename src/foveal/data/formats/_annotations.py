"""What readers of annotations share: errors that name file and line, bounded texts, places of files."""

import math
from collections.abc import Mapping, Sequence

from foveal.core.errors import DataError, ImageError
from foveal.core.text import printable
from foveal.data import pictures
from foveal.data.formats._splits import SPLITS
from foveal.data.pictures import FilePicture, StackPicture
from foveal.data.stacks import most_bytes
from foveal.data.suffixes import is_picture
from foveal.data.tree import Tree, inside

PICTURE_FOLDERS = ("images", "image", "imgs", "img", "jpegimages", "pngimages", "img_dir")
SMALL_TEXT = 2**24  # bytes of a file about one picture, or of a list
LARGEST = 1e9  # of a coordinate
LARGE_TEXT = 2**29  # of a file about all of them: COCO's own are 450 MB


def bad(tree: Tree, file: str, line: int | None, why: str, *, hint: str | None = None) -> DataError:
    """Return the error that an annotation is wrong.

    Args:
        tree: Where the file lies.
        file: Its name below the root.
        line: Where in the file, from 1; None: the file as a whole.
        why: What is wrong.
        hint: What to do.
    """
    where = "" if line is None else f", line {line}"
    return DataError(
        f"{tree.path}: {printable(file)}{where}: {why}",
        code="bad_annotation",
        hint=hint or "see docs/annotations.md for what this layout looks like",
        path=tree.path,
    )


def head(tree: Tree, file: str, count: int) -> bytes:
    """Return the first bytes of a file; none where it cannot be read, and so may be anything."""
    try:
        return tree.fetch(file, count)
    except ImageError:
        return b""


def read_bytes(tree: Tree, file: str, *, at_most: int) -> bytes:
    """Return the content of an annotation file.

    Raises:
        DataError: `bad_annotation`: it cannot be read, or is longer than `at_most` bytes.
    """
    try:
        content = tree.read(file, at_most=at_most)
    except ImageError as error:
        raise bad(tree, file, None, error.message) from error
    if len(content) > at_most:
        raise bad(tree, file, None, f"it is longer than {at_most} bytes")
    return content


def read_text(tree: Tree, file: str, *, at_most: int = SMALL_TEXT) -> str:
    """Return an annotation file as text.

    Raises:
        DataError: `bad_annotation`: as `read_bytes`, or it is not UTF-8.
    """
    content = read_bytes(tree, file, at_most=at_most)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise bad(tree, file, line, "it is not UTF-8 text") from error


def read_lines(tree: Tree, file: str) -> list[tuple[int, str]]:
    """Return the lines of a text that are not empty, each with its number; raises as `read_text`."""
    lines = read_text(tree, file).splitlines()
    return [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]


def finite(text: str) -> float | None:
    """Return a number that is written down, None where it is none, or beyond anything that is meant.

    >>> finite("12.5"), finite("nan"), finite("")
    (12.5, None, None)
    """
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and abs(value) <= LARGEST else None


def stored(tree: Tree, name: str) -> FilePicture | StackPicture:
    """Return a picture that something names.

    Raises:
        ImageError: `io_error`: it is not there.
    """
    if tree.kind in ("zip", "tar") and name not in tree.files:
        raise ImageError(f"{tree.path} has no {name!r}", code="io_error", path=name)
    return pictures.stored(tree.read(name, at_most=most_bytes(name)))


def split_of(name: str) -> str:
    """Return the split that a folder on the way to a file stands for, "" where none does.

    >>> split_of("images/Valid/1.jpg"), split_of("train.jpg")
    ('val', '')
    """
    for part in name.split("/")[:-1]:
        if part.lower() in SPLITS:
            return SPLITS[part.lower()]
    return ""


def stem_of(name: str) -> str:
    """Return a name, folders and all, without the suffix of its file."""
    folder, slash, file = name.rpartition("/")
    return f"{folder}{slash}{file.rpartition('.')[0] or file}"


def pictures_by_stem(tree: Tree) -> Mapping[str, str]:
    """Return the pictures of a tree by their names without suffix; of several the first."""
    found: dict[str, str] = {}
    for name in tree.files:
        if is_picture(name):
            found.setdefault(stem_of(name), name)
    return found


def named(tree: Tree, raw: str, *, below: Sequence[str] = ("",)) -> str | None:
    """Return the file that a path which somebody wrote down means, None where there is none.

    Paths of another machine begin with folders that are not here: these are left away one by one.

    Args:
        tree: Where it may lie.
        raw: As it was written.
        below: Folders that it may be meant from.
    """
    parts = [part for part in raw.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    for start in range(len(parts)):
        rest = "/".join(parts[start:])
        for folder in below:
            name = f"{folder}/{rest}".lstrip("/")
            if name in tree.files:
                return name
    return None


def clean(raw: str) -> str | None:
    """Return a path below a root as files are called there; None where it leads elsewhere or is empty."""
    try:
        return inside(raw) or None
    except ValueError:
        return None
