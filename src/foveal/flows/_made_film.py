"""A drawn film, and beside it what is known of it."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from foveal.core import catalog, files
from foveal.core.errors import UsageError, WriteError
from foveal.core.extras import need
from foveal.core.progress import Progress
from foveal.core.random import stream
from foveal.data import synthetic
from foveal.data.synthetic._drawing import Drawing
from foveal.data.synthetic._scene import Film, Synthetic
from foveal.data.synthetic._truth import Known, counts, crossings, known

SCHEMA = "foveal.film/1"
_SUFFIXES = (".mp4", ".mkv")
_CODEC, _OPTIONS = "libx264", {"preset": "veryfast", "crf": "18"}


def write_film(
    name: str, out: Path, *, frames: int, size: tuple[int, int], seed: int, progress: Progress
) -> dict[str, Any]:
    """Write a film and a `.json` of its name, both or none; return what is told of them.

    Args:
        name: Of the scene.
        out: `.mp4` or `.mkv`.
        frames: How many.
        size: Width and height in pixels, even numbers.
        seed: Equal seeds give equal films.
        progress: Told a few times a second.

    Raises:
        UsageError: `other_task`: nothing moves in the scene; another suffix.
        WriteError: Something is there already, or cannot be written.
        MissingExtraError: The extra `video` is not installed.
    """
    scene: Synthetic = catalog.find(synthetic, name)
    if scene.film is None:
        raise UsageError(f"nothing moves in {name}: it is no film", code="other_task", hint="name a folder")
    if out.suffix.lower() not in _SUFFIXES:
        raise UsageError(f"a film is written as {' or '.join(_SUFFIXES)}; got {out.name}")
    need("video", what="a film")
    beside = out.with_suffix(".json")
    for path in (out, beside):
        if files.is_there(path):
            raise WriteError(f"{path} is there already", hint="name another file", path=path)
    files.make_folder(out.parent)
    seen: list[list[Known]] = []
    drawings = scene.film.draw(stream(seed, "synthetic", name, "film"), frames, *size)

    def watched() -> Iterator[Drawing]:
        for number, drawing in enumerate(drawings, start=1):
            seen.append(known(drawing, scene.classes))
            yield drawing
            progress("drawing", number, frames)

    try:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".make-") as temporary:
            fresh = Path(temporary) / out.name
            _encode(fresh, watched(), rate=scene.film.rate, size=size)
            document = _truth(name, scene, scene.film, seen, size=size, seed=seed)
            files.write_text(beside, json.dumps(document) + "\n")
            fresh.replace(out)
    except OSError as error:  # PyAV's errors are such, too
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"cannot write {out}: {error.strerror}", path=out) from error
    told = {key: document[key] for key in ("line", "crossed", "rate")}
    return {"format": "film", "images": frames, "classes": list(scene.classes), "truth": str(beside), **told}


def _encode(path: Path, drawings: Iterator[Drawing], *, rate: int, size: tuple[int, int]) -> None:
    import av  # here: only films need it

    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        video: Any = container.add_stream(_CODEC, rate=rate, options=dict(_OPTIONS))
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        for drawing in drawings:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(drawing.pixels()), format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())


def _truth(
    name: str, scene: Synthetic, film: Film, seen: list[list[Known]], *, size: tuple[int, int], seed: int
) -> dict[str, Any]:
    """Return what is known of a film, for a program that wants to measure what others find on it."""
    width, height = size
    x, y, x2, y2 = film.line
    line = (x * width, y * height, x2 * width, y2 * height)
    crossed = crossings(seen, line)
    return {
        "schema": SCHEMA,
        "synthetic": True,
        "scene": name,
        "seed": seed,
        "classes": list(scene.classes),
        "width": width,
        "height": height,
        "rate": film.rate,
        "line": ",".join(f"{value:g}" for value in line),
        "crossed": counts(crossed),
        "crossings": crossed,
        "frames": [[one.as_json() for one in objects] for objects in seen],
    }
