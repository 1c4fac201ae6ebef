"""Real annotated sets: what is known of them is what is read."""

from collections import Counter
from pathlib import Path

import numpy as np

from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data.annotated import annotated
from foveal.data.check import check
from foveal.data.scene import VOID


def counts_of(dataset) -> dict[str, int]:
    return dict(zip(dataset.classes, annotated(dataset).counts.sum(axis=0).tolist(), strict=True))


def test_blood_cells(shared: Path) -> None:
    dataset = opening.open(shared / "data/bccd")

    assert (dataset.format, dataset.task, dataset.classes) == ("voc", "detect", ("Platelets", "RBC", "WBC"))
    assert Counter(dataset.splits) == {"train": 205, "val": 87}
    assert counts_of(dataset) == {"RBC": 3350, "WBC": 301, "Platelets": 292}
    assert dataset.ignored == ("LICENSE",)
    first = dataset.scenes.objects(dataset.sources.index("JPEGImages/BloodImage_00000.jpg"))
    assert first.boxes[0].tolist() == [259, 176, 491, 376]  # 260, 177, 491, 376 counted from 1, inclusive
    found = {finding.code: finding for finding in check(dataset, inventories.take(dataset))}
    assert found["degenerate_boxes"].count == 2
    assert found["degenerate_boxes"].examples == (
        "JPEGImages/BloodImage_00338.jpg: RBC (503, 336, 503, 336)",
        "JPEGImages/BloodImage_00343.jpg: RBC (180, 328, 180, 328)",
    )
    assert set(found) == {"degenerate_boxes", "ignored_files"}


def test_streets(shared: Path) -> None:
    dataset = opening.open(shared / "data/camvid")

    assert (dataset.format, dataset.task) == ("class_maps", "segment")
    assert dataset.scenes.tasks == ("segment", "panoptic")
    assert dataset.classes[0] == "Sky"
    assert dataset.classes[10] == "Bicyclist"
    assert len(dataset.classes) == 11
    assert Counter(dataset.splits) == {"train": 123, "val": 26, "test": 59}
    assert dataset.ignored == ()
    train = np.array(dataset.splits) == "train"
    pixels = annotated(dataset).counts[train].sum(axis=0)
    said = pixels.sum() / (train.sum() * 480 * 360)
    assert round(1 - said, 3) == 0.039  # that much is void
    assert round(pixels[0] / (train.sum() * 480 * 360), 3) == 0.169
    regions = dataset.scenes.regions(0)
    assert regions.shape == (360, 480)
    assert set(np.unique(regions)) <= {*range(11), VOID}


def test_pedestrians(shared: Path) -> None:
    dataset = opening.open(shared / "data/pennfudanped")

    assert (dataset.format, dataset.scenes.tasks) == ("instance_maps", ("instance", "detect"))
    assert (len(dataset), counts_of(dataset), set(dataset.splits)) == (130, {"Ped": 333}, {"train"})
    assert dataset.ignored == ()
    objects = dataset.scenes.objects(0)
    height, width = dataset[0].picture.decode(3).shape[:2]
    for box, outline in zip(objects.boxes, objects.outlines, strict=True):
        mask = outline.mask(height, width)
        left, top, right, bottom = box.astype(int)
        assert mask[top:bottom, left:right].sum() == mask.sum() > 0


def test_nuclei(shared: Path) -> None:
    dataset = opening.open(shared / "data/nuclei_dsb2018")
    as_kaggle_has_it = opening.open(shared / "data/nuclei_dsb2018/original_layout_example")

    assert (len(dataset), counts_of(dataset)) == (140, {"object": 5886})
    assert len(dataset.ignored) == 1  # the picture of the example in the other layout
    [source] = as_kaggle_has_it.sources
    place = next(i for i, name in enumerate(dataset.sources) if name[7:19] == source[:12])
    boxes, same = dataset.scenes.objects(place).boxes, as_kaggle_has_it.scenes.objects(0).boxes
    assert sorted(boxes.tolist()) == sorted(same.tolist())


def test_a_set_may_be_asked_for_another_task(shared: Path) -> None:
    assert opening.open(shared / "data/pennfudanped", task="detect").task == "detect"
