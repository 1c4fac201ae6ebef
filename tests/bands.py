"""Stacks of bands of two classes that one band tells apart, in every way they may lie: for tests of bands."""

import io
from pathlib import Path

import numpy as np
import tifffile

NAMES = ("blue", "green", "red", "edge", "infrared")
CLASSES = ("dry", "wet")
TELLS = 4  # the band that shows the class
SIDE = 16
SPLITS = {"train": 44, "val": 20, "test": 24}


def stacks(count: int, *, seed: int = 0, kind: str = "uint16"):
    """Return values (N, 16, 16, 5) of a type, and labels (N,); what is wet is darker in the last band."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(count) % 2
    values = rng.normal(0.5, 0.08, (count, SIDE, SIDE, len(NAMES)))
    values[..., TELLS] -= 0.3 * labels[:, None, None]
    low, wide = {"uint8": (0, 255), "uint16": (3000, 9000), "int16": (-4000, 9000), "float32": (-1, 2)}[kind]
    scaled = low + wide * values.clip(0, 1)
    return (scaled if kind == "float32" else scaled.round()).astype(kind), labels


def tiff(values, **more) -> bytes:
    """Return the bytes of a TIFF; its bands lie as samples of a page unless something else is asked for."""
    file = io.BytesIO()
    tifffile.imwrite(file, values, **{"photometric": "minisblack", "planarconfig": "contig", **more})
    return file.getvalue()


def npy(values) -> bytes:
    """Return the bytes of an NPY."""
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


def write_folders(folder: Path, *, kind: str = "uint16", suffix: str = "tif", seed: int = 0) -> Path:
    """Write class folders in splits, and the names of the bands."""
    for number, (split, count) in enumerate(SPLITS.items()):
        values, labels = stacks(count, seed=10 * seed + number, kind=kind)
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
        for index, (one, label) in enumerate(zip(values, labels, strict=True)):
            content = tiff(one) if suffix == "tif" else npy(one)
            (folder / split / CLASSES[label] / f"{index:03d}.{suffix}").write_bytes(content)
    (folder / "bands.txt").write_text("\n".join(NAMES) + "\n")
    return folder
