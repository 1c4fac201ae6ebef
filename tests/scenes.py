"""Pictures with squares of two colours, and what is stated about them: for every test of scenes."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("dark", "light")
BACKGROUND = 110
LEVELS = (40, 220)  # of dark and light squares


def squares(count: int, *, side: int = 64, seed: int = 0, most: int = 3):
    """Return pictures uint8 (N, S, S, 3), boxes (M, 4) and labels (M,) of each; squares do not overlap."""
    rng = np.random.default_rng(seed)
    images = rng.normal(BACKGROUND, 6, (count, side, side, 3)).clip(0, 255)
    boxes, labels = [], []
    for image in images:
        own, names = [], []
        for _ in range(int(rng.integers(1, most + 1))):
            size = int(rng.integers(side // 6, side // 3))
            left, top = rng.integers(0, side - size, 2).tolist()
            box = (left, top, left + size, top + size)
            if any(_meet(box, other) for other in own):
                continue
            label = int(rng.integers(2))
            image[top : top + size, left : left + size] = LEVELS[label] + rng.normal(0, 6, (size, size, 3))
            own.append(box)
            names.append(label)
        boxes.append(np.array(own, np.float32).reshape(-1, 4))
        labels.append(np.array(names, np.int64))
    return images.clip(0, 255).astype(np.uint8), boxes, labels


def _meet(one, other) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def write_voc(folder: Path, *, count: int = 40, side: int = 64, seed: int = 0) -> Path:
    """Write squares as Pascal VOC with the splits train, val and test; one box in ten is hard to see."""
    return voc_of(folder, *squares(count, side=side, seed=seed))


def voc_of(folder: Path, images, boxes, labels) -> Path:
    """Write square pictures with what is on them as Pascal VOC, a quarter of them as the test part."""
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    count = len(images)
    names = [f"picture{index:03d}" for index in range(count)]
    for name, image, own, told in zip(names, images, boxes, labels, strict=True):
        Image.fromarray(image).save(folder / "JPEGImages" / f"{name}.png")
        (folder / "Annotations" / f"{name}.xml").write_text(_xml(name, len(image), own, told))
    parts = {
        "train": names[: count // 2],
        "val": names[count // 2 : -count // 4],
        "test": names[-count // 4 :],
    }
    for split, some in parts.items():
        (folder / "ImageSets" / "Main" / f"{split}.txt").write_text("\n".join(some) + "\n")
    return folder


def _xml(name: str, side: int, boxes, labels) -> str:
    objects = "".join(
        f"<object><name>{CLASSES[label]}</name><difficult>0</difficult><bndbox>"
        f"<xmin>{int(left) + 1}</xmin><ymin>{int(top) + 1}</ymin>"
        f"<xmax>{int(right)}</xmax><ymax>{int(bottom)}</ymax></bndbox></object>\n"
        for (left, top, right, bottom), label in zip(boxes.tolist(), labels.tolist(), strict=True)
    )
    return (
        f"<annotation><filename>{name}.png</filename><size><width>{side}</width><height>{side}</height>"
        f"<depth>3</depth></size>\n{objects}</annotation>\n"
    )


def maps_of(boxes, labels, side: int):
    """Return class maps uint8 (N, S, S): 0 is ground, 1 dark, 2 light."""
    maps = np.zeros((len(boxes), side, side), np.uint8)
    for one, own, told in zip(maps, boxes, labels, strict=True):
        for (left, top, right, bottom), label in zip(own.astype(int).tolist(), told.tolist(), strict=True):
            one[top:bottom, left:right] = label + 1
    return maps


def write_maps(folder: Path, *, count: int = 40, side: int = 64, seed: int = 0) -> Path:
    """Write squares with class maps as `SPLIT/images`, `SPLIT/masks`, and `classes.txt` beside them."""
    images, boxes, labels = squares(count, side=side, seed=seed)
    maps = maps_of(boxes, labels, side)
    parts = {
        "train": range(count // 2),
        "val": range(count // 2, 3 * count // 4),
        "test": range(3 * count // 4, count),
    }
    for split, rows in parts.items():
        for kind in ("images", "masks"):
            (folder / split / kind).mkdir(parents=True)
        for row in rows:
            Image.fromarray(images[row]).save(folder / split / "images" / f"picture{row:03d}.png")
            Image.fromarray(maps[row]).save(folder / split / "masks" / f"picture{row:03d}.png")
    (folder / "classes.txt").write_text("ground\ndark\nlight\n")
    return folder


def numbers_of(boxes, side: int):
    """Return the number of the square at each pixel, uint16 (N, S, S), 0 where none is."""
    maps = np.zeros((len(boxes), side, side), np.uint16)
    for one, own in zip(maps, boxes, strict=True):
        for number, (left, top, right, bottom) in enumerate(own.astype(int).tolist(), start=1):
            one[top:bottom, left:right] = number
    return maps


def frames(count: int, *, side: int = 64, seed: int = 0):
    """Return pictures (N, S, S, 3) of a bright frame each, boxes, and which pixels it covers."""
    rng = np.random.default_rng(seed)
    images = rng.normal(BACKGROUND, 6, (count, side, side, 3))
    boxes, masks = [], np.zeros((count, side, side), bool)
    for image, mask in zip(images, masks, strict=True):
        left, top = rng.integers(0, side - 32, 2).tolist()
        mask[top : top + 32, left : left + 32] = True
        mask[top + 8 : top + 24, left + 8 : left + 24] = False
        image[mask] = 220 + rng.normal(0, 6, (int(mask.sum()), 3))
        boxes.append(np.array([[left, top, left + 32, top + 32]], np.float32))
    return images.clip(0, 255).astype(np.uint8), boxes, masks


def write_instances(folder: Path, *, count: int = 40, side: int = 64, seed: int = 0) -> Path:
    """Write squares as `images` and `instance_masks`, with the lists of splits beside them."""
    images, boxes, _ = squares(count, side=side, seed=seed)
    for name in ("images", "instance_masks"):
        (folder / name).mkdir(parents=True)
    names = [f"picture{index:03d}" for index in range(count)]
    for name, image, numbers in zip(names, images, numbers_of(boxes, side), strict=True):
        Image.fromarray(image).save(folder / "images" / f"{name}.png")
        Image.fromarray(numbers).save(folder / "instance_masks" / f"{name}.png")
    for split, some in {"train": names[: count // 2], "val": names[count // 2 :]}.items():
        (folder / f"{split}.txt").write_text("\n".join(some) + "\n")
    return folder


def write_coco(folder: Path, *, count: int = 40, side: int = 64, seed: int = 0) -> Path:
    """Write squares of one class as COCO with the splits train, val and test, and attributes.

    Each says its `shade`, and those with an even number, which nobody can see, a `note`; one in three says
    nothing at all.
    """
    images, boxes, labels = squares(count, side=side, seed=seed)
    halves = {"train": range(count // 2), "val": range(count // 2, 3 * count // 4)}
    parts = {**halves, "test": range(3 * count // 4, count)}
    (folder / "annotations").mkdir(parents=True)
    for split, rows in parts.items():
        (folder / split).mkdir()
        pictures, annotations = [], []
        for row in rows:
            name = f"picture{row:03d}.png"
            Image.fromarray(images[row]).save(folder / split / name)
            pictures.append({"id": row, "file_name": name, "width": side, "height": side})
            for (left, top, right, bottom), label in zip(
                boxes[row].tolist(), labels[row].tolist(), strict=True
            ):
                number = len(annotations)
                said = {"shade": CLASSES[label]} | ({"note": "even"} if number % 2 == 0 else {})
                annotations.append(
                    {
                        "id": number + 1,
                        "image_id": row,
                        "category_id": 1,
                        "bbox": [left, top, right - left, bottom - top],
                        "area": (right - left) * (bottom - top),
                        "iscrowd": 0,
                        "attributes": {} if number % 3 == 2 else said,
                    }
                )
        told = {"images": pictures, "annotations": annotations, "categories": [{"id": 1, "name": "square"}]}
        (folder / "annotations" / f"instances_{split}.json").write_text(json.dumps(told))
    return folder
