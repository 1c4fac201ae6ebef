"""The pictures of a data set at model size in one memory-mapped file, so that no epoch decodes again."""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import DataError, WriteError
from foveal.core.files import write_json
from foveal.core.units import show_bytes
from foveal.data.dataset import UInt8
from foveal.data.preprocess import Preprocess

SCHEMA = "foveal.store/2"
_STATISTICS_BYTES = 8_000_000  # counted at once
_SMALLEST_STD = 0.01


@dataclass(frozen=True)
class Store:
    """Pixels and labels of a data set, in its order.

    Attributes:
        path: The `.npy` file; what belongs to it stands in `<path>.json`.
        images: uint8 (N, size, size, channels), of clips (N, T, size, size, channels), memory-mapped,
            read-only; black where unreadable.
        labels: int64 (N,).
        fingerprint: The data it was made from.
    """

    path: Path
    images: UInt8 = field(repr=False)
    labels: NDArray[np.int64] = field(repr=False)
    fingerprint: str

    @classmethod
    def open(cls, path: Path, *, preprocess: Preprocess, fingerprint: str | None = None) -> "Store":
        """Return a sealed store.

        Args:
            path: The `.npy` file.
            preprocess: What the pixels must have been made with (mean and std play no part).
            fingerprint: The data they must have been made from; None takes any.

        Raises:
            DataError: `store_mismatch`: incomplete, damaged, or made from other data or otherwise.
        """
        about = _about(path)
        if about.get("pixels") != preprocess.pixels_digest:
            raise _mismatch(path, "was made with another size, channels or decoder")
        if fingerprint is not None and about.get("fingerprint") != fingerprint:
            raise _mismatch(path, "was made from other data")
        try:
            images = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise _mismatch(path, f"cannot be read: {error}") from error
        labels = np.array(about["labels"], dtype=np.int64)
        if images.dtype != np.uint8 or images.shape != tuple(about["shape"]) or len(labels) != len(images):
            raise _mismatch(path, f"holds {images.dtype} {images.shape}, not uint8 {about['shape']}")
        return cls(path, images, labels, about["fingerprint"])


class StoreWriter:
    """A store in the making: under a temporary name until `seal`, and gone if that never comes.

    Use it as a context manager. Any thread may `put`.
    """

    def __init__(self, path: Path, *, count: int, preprocess: Preprocess) -> None:
        """Reserve the room on disk.

        Args:
            path: The `.npy` file to make.
            count: Number of pictures.
            preprocess: Makes the pixels; its mean and std are not used.

        Raises:
            WriteError: No such folder, not allowed, or not enough free space.
        """
        self.path, self.preprocess = path, preprocess
        self.shape = (count, *preprocess.shape)
        self._temporary, self.images = _reserve(path, self.shape)

    def __enter__(self) -> "StoreWriter":
        return self

    def __exit__(self, *_: object) -> None:
        del self.images
        with contextlib.suppress(FileNotFoundError):
            self._temporary.unlink()

    def put(self, index: int, pixels: UInt8) -> None:
        """Bring a picture, uint8 (H, W, channels), or the frames of a clip to model size, as row `index`."""
        self.images[index] = self.preprocess(pixels)

    def seal(self, labels: NDArray[np.int64], *, fingerprint: str) -> Store:
        """Write all to disk under the final name, and return the store opened for reading.

        Raises:
            WriteError: The disk refuses.
        """
        about = {
            "schema": SCHEMA,
            "shape": list(self.shape),
            "pixels": self.preprocess.pixels_digest,
            "fingerprint": fingerprint,
            "labels": [int(label) for label in labels],
        }
        try:
            self.images.flush()
            handle = os.open(self._temporary, os.O_RDWR)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
            # The description goes first and comes last: pixels without a matching one are never opened.
            _beside(self.path).unlink(missing_ok=True)
            self._temporary.replace(self.path)
        except OSError as error:
            raise WriteError(f"cannot write {self.path}: {error.strerror}", path=self.path) from error
        write_json(_beside(self.path), about)
        return Store.open(self.path, preprocess=self.preprocess, fingerprint=fingerprint)


def channel_statistics(
    images: UInt8, indices: NDArray[np.int64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation per channel on the 0..1 scale, rounded to 4 decimals.

    The deviation is at least 0.01, so that flat pictures can be divided by it.

    Args:
        images: uint8 (N, H, W, C) or (N, T, H, W, C).
        indices: The pictures that count, int64 (M,); those of the fit part, and no others.

    Raises:
        DataError: `no_training_images`: there are none.
    """
    if len(indices) == 0:
        raise DataError("mean and std need at least one picture", code="no_training_images")
    channels = images.shape[-1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    at_once = max(1, _STATISTICS_BYTES // images[0].nbytes)
    for start in range(0, len(indices), at_once):
        chunk = images[indices[start : start + at_once]].reshape(-1, channels)
        counts += [np.bincount(chunk[:, c], minlength=256) for c in range(channels)]
    levels = np.arange(256) / 255
    share = counts / counts.sum(axis=1, keepdims=True)
    mean = share @ levels
    std = np.sqrt((share * (levels - mean[:, None]) ** 2).sum(axis=1)).clip(min=_SMALLEST_STD)
    return _rounded(mean), _rounded(std)


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), 4) for value in values)


def _reserve(path: Path, shape: Sequence[int]) -> tuple[Path, np.memmap[Any, np.dtype[np.uint8]]]:
    size = int(np.prod(shape, dtype=np.int64))
    try:
        free = shutil.disk_usage(path.parent).free
        if free < size:
            raise WriteError(
                f"{path} needs {show_bytes(size)}, only {show_bytes(free)} are free",
                hint="free some space, or use a smaller --size",
                path=path,
            )
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        try:
            with os.fdopen(handle, "w+b") as file:
                return Path(name), _map(file, shape, size)
        except BaseException:
            Path(name).unlink()
            raise
    except OSError as error:
        if isinstance(error, WriteError):
            raise
        raise WriteError(f"cannot write {path}: {error.strerror}", path=path) from error


def _map(file: IO[bytes], shape: Sequence[int], size: int) -> np.memmap[Any, np.dtype[np.uint8]]:
    np.lib.format.write_array_header_1_0(
        file, {"descr": "|u1", "fortran_order": False, "shape": tuple(shape)}
    )
    start = file.tell()
    file.flush()
    end = start + max(size, 1)
    if hasattr(os, "posix_fallocate"):
        # A full disk must be an error here, not a crash (SIGBUS) in the middle of a picture.
        os.posix_fallocate(file.fileno(), 0, end)
    else:
        file.truncate(end)
    return np.memmap(file, dtype=np.uint8, mode="r+", offset=start, shape=tuple(shape))


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def _about(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(_beside(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _mismatch(path, "is incomplete: its description cannot be read") from error
    if not isinstance(about, dict) or about.get("schema") != SCHEMA:
        raise _mismatch(path, f"has no description of schema {SCHEMA}")
    return about


def _mismatch(path: Path, why: str) -> DataError:
    return DataError(f"{path} {why}", code="store_mismatch", hint="delete it; it is made again", path=path)
