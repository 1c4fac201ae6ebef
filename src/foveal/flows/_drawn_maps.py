"""The maps of an explanation as PNG files in a folder."""

import io
import re
from pathlib import Path, PurePath

from PIL import Image

from foveal.core import files, runs
from foveal.core.errors import WriteError
from foveal.data import opening
from foveal.data.dataset import UInt8
from foveal.explain.overlay import overlay
from foveal.flows.explain import Explained

_NAME_LETTERS = 40  # of a picture's and of a class's name


def check_folder(folder: Path, data: str | Path | None, *, force: bool) -> None:
    """Refuse, before any work, a folder for maps that is not empty, or lies in the data.

    Args:
        folder: May be missing.
        data: What is only to be read, or None.
        force: Maps that are there may be replaced.

    Raises:
        WriteError: It may not be used.
    """
    if data is not None:
        runs.keep_apart(folder, *opening.places(data))
    if not files.is_there(folder):
        return
    if not folder.is_dir():
        raise WriteError(f"{folder} is a file", hint="choose a folder with --out", path=folder)
    if any(folder.iterdir()) and not force:
        raise WriteError(
            f"{folder} is not empty",
            hint="choose another --out, or --force to replace the maps in it",
            path=folder,
        )


def write_maps(explained: Explained, folder: Path) -> list[str]:
    """Write each map over its picture, `001-PICTURE-CLASS.png`, and return the files in their order.

    Raises:
        WriteError: The folder cannot be written.
    """
    files.make_folder(folder)
    written = []
    for number, one in enumerate(explained.explanations, 1):
        path = folder / f"{number:03}-{_plain(PurePath(one.source).stem)}-{_plain(one.about)}.png"
        files.write_bytes(path, _png(overlay(one.image, one.heatmap)))
        written.append(str(path))
    return written


def _png(pixels: UInt8) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "PNG", optimize=True)
    return content.getvalue()


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.")[:_NAME_LETTERS] or "x"
