"""Drawn scenes: what is told of a picture is what is painted on it, and what is told of a film happened."""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.random import stream
from foveal.data import synthetic
from foveal.data.outline import Runs, box_of
from foveal.data.synthetic._drawing import Drawing, Thing
from foveal.data.synthetic._scene import Synthetic
from foveal.data.synthetic._truth import Known, counts, crossings, known
from foveal.stream.tracking.lines import Line
from foveal.stream.tracking.tracker import Tracked

NAMES = [name for name in catalog.names(synthetic) if isinstance(catalog.find(synthetic, name), Synthetic)]
FILMS = [name for name in NAMES if catalog.find(synthetic, name).film is not None]
SIDE = 320


def drawing(name: str, seed: int = 0, side: int = SIDE) -> Drawing:
    return catalog.find(synthetic, name).draw(stream(seed, name), side, side)


def repainted(one: Drawing, level: int, chosen) -> np.ndarray:
    """Return the pixels with some things in one colour."""
    things = tuple(
        replace(thing, pixels=np.full_like(thing.pixels, level)) if chosen(number, thing) else thing
        for number, thing in enumerate(one.things)
    )
    return replace(one, things=things).pixels()


def changed(one: Drawing, chosen) -> np.ndarray:
    """Return which pixels depend on the colour of some things: where they are seen, and nowhere else."""
    return (repainted(one, 0, chosen) != repainted(one, 255, chosen)).any(axis=2)


@pytest.mark.parametrize("name", NAMES)
def test_boxes_and_outlines_are_what_is_painted(name: str) -> None:
    one = drawing(name)
    objects, shown = one.objects(), one.seen()
    places = [n for n, thing in enumerate(one.things) if thing.label is not None and (shown == n + 1).any()]
    assert len(objects) == len(places) >= 2

    for row in range(0, len(places), max(1, len(places) // 15)):
        place = places[row]
        painted = changed(one, lambda number, thing, place=place: number == place)
        assert tuple(objects.boxes[row].tolist()) == box_of(painted)
        assert np.array_equal(objects.outlines[row].mask(SIDE, SIDE), painted)
        whole = one.things[place].mask.sum()
        assert objects.ignored[row] == (painted.sum() < whole / 4)


@pytest.mark.parametrize("name", NAMES)
def test_every_pixel_has_the_class_of_what_is_painted_there(name: str) -> None:
    one, classes = drawing(name), catalog.find(synthetic, name).classes

    for label in range(len(classes)):
        painted = changed(one, lambda number, thing, label=label: thing.label == label)
        assert np.array_equal(one.regions() == label + 1, painted)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_follows_from_its_seed(name: str) -> None:
    first, again, other = drawing(name), drawing(name), drawing(name, seed=1)

    assert np.array_equal(first.pixels(), again.pixels())
    assert np.array_equal(first.objects().boxes, again.objects().boxes)
    assert not np.array_equal(first.pixels(), other.pixels())


@pytest.mark.parametrize("name", NAMES)
def test_every_class_and_every_size_comes(name: str) -> None:
    scene = catalog.find(synthetic, name)
    labels = np.concatenate([drawing(name, seed).objects().labels for seed in range(25)])

    assert set(labels.tolist()) == set(range(len(scene.classes)))
    for width, height in ((64, 64), (65, 130), (300, 70)):
        assert scene.draw(stream(0, name), width, height).pixels().shape == (height, width, 3)


def test_a_shelf_has_hundreds_of_products_and_a_large_one_thousands() -> None:
    scene = catalog.find(synthetic, "shelf")

    usual = [len(scene.draw(stream(s), scene.width, scene.height).objects()) for s in range(4)]
    large = scene.draw(stream(0), 2 * scene.width, 2 * scene.height).objects()

    assert min(usual) > 300
    assert np.mean(usual) > 400
    assert len(large) > 1000


def square(left: int, top: int, side: int, **more) -> Thing:
    return Thing(np.full((side, side, 3), 200, np.uint8), np.ones((side, side), bool), left, top, **more)


def flat(*things: Thing, height: int = 20, width: int = 30) -> Drawing:
    ground = np.zeros((height, width, 3), np.uint8)
    return Drawing(ground, things, np.ones((height, width), np.float32), 0.0, 0)


def test_what_is_hidden_is_cut_off_ignored_or_not_there() -> None:
    one = flat(
        square(2, 3, 8, label=0),
        square(6, 3, 8, label=1),  # covers half of it
        square(-6, 12, 8, label=0),  # mostly outside
        square(20, 2, 4, label=1),
        square(19, 1, 6),  # no object, and in front
        square(25, 5, 4, opacity=0.5),  # a shadow
        square(24, 4, 6, label=2),
        square(40, 40, 5, label=2),
    )

    objects = one.objects()

    assert objects.boxes.tolist() == [[2, 3, 6, 11], [6, 3, 14, 11], [0, 12, 2, 20], [24, 4, 30, 10]]
    assert objects.labels.tolist() == [0, 1, 0, 2]
    assert objects.ignored.tolist() == [False, False, False, False]
    assert flat(square(2, 3, 8, label=0), square(3, 3, 8, label=1)).objects().ignored.tolist() == [
        True,
        False,
    ]
    assert flat(square(50, 3, 8, label=0)).objects().boxes.shape == (0, 4)


def test_a_shadow_darkens_and_hides_nothing() -> None:
    lit, dark = square(4, 4, 6, label=0), square(4, 4, 3, opacity=0.5)
    dark = replace(dark, pixels=np.zeros_like(dark.pixels))

    one = flat(lit, dark)

    assert one.pixels()[5, 5].tolist() == [100] * 3
    assert one.pixels()[8, 8].tolist() == [200] * 3
    assert one.objects().boxes.tolist() == [[4, 4, 10, 10]]
    assert one.objects().outlines[0].mask(20, 30).sum() == 36


def test_runs_are_those_of_the_whole_picture() -> None:
    rng = np.random.default_rng(0)
    for tall, wide, left, top in (
        (20, 30, 0, 0),
        (20, 4, 3, 0),
        (7, 9, 24, 15),
        (5, 5, -2, -2),
        (20, 30, 9, 9),
    ):
        for share in (0.3, 1.0):
            mask = rng.random((tall, wide)) < share
            one = flat(Thing(np.zeros((tall, wide, 3), np.uint8), mask, left, top, label=0))
            [outline] = one.objects().outlines
            whole = Runs.of(one.seen() == 1)
            assert np.array_equal(outline.mask(20, 30), one.seen() == 1)
            assert outline.counts.tolist() == whole.counts.tolist()


def frames_of(name: str, frames: int = 240) -> tuple[list[list[Known]], tuple[float, float, float, float]]:
    scene = catalog.find(synthetic, name)
    width, height = scene.width, scene.height
    x, y, x2, y2 = scene.film.line
    drawn = scene.film.draw(stream(3, name), frames, width, height)
    line = (x * width, y * height, x2 * width, y2 * height)
    return [known(one, scene.classes) for one in drawn], line


@pytest.mark.parametrize("name", FILMS)
def test_an_object_keeps_its_number_and_what_it_is(name: str) -> None:
    frames, _ = frames_of(name)

    told, boxes = defaultdict(set), defaultdict(list)
    for number, objects in enumerate(frames):
        assert len({one.track for one in objects}) == len(objects)
        for one in objects:
            told[one.track].add((one.label, *sorted(one.attributes.items())))
            boxes[one.track].append((number, *one.box))
    assert len(told) >= 4
    assert all(len(some) == 1 for some in told.values())
    for rows in boxes.values():
        places = np.array(rows)
        steps = np.abs(np.diff(places[:, 1:], axis=0)).max(axis=1) / np.diff(places[:, 0])
        assert steps.max(initial=0) < 50, "nothing jumps; a post may hide half of it"


@pytest.mark.parametrize("name", FILMS)
def test_what_is_said_to_have_crossed_is_what_a_line_counts(name: str) -> None:
    frames, points = frames_of(name)
    line = Line(points[:2], points[2:], band=0, anchor="middle")
    for number, objects in enumerate(frames):
        line.update(
            Tracked(
                ids=np.array([one.track for one in objects], np.int64),
                boxes=np.array([one.box for one in objects]).reshape(-1, 4),
                labels=np.zeros(len(objects), np.int64),
                detections=np.arange(len(objects)),
                confirmed=np.ones(len(objects), np.bool_),
                missed=np.zeros(len(objects), np.int64),
                time_s=number / 25,
                gap_s=1 / 25,
                ended=np.empty(0, np.int64),
            )
        )

    rows = crossings(frames, points)
    told, seen = counts(rows), line.read()

    assert told["to_right"]["value"] == seen.to_right.value
    assert told["to_left"]["value"] == seen.to_left.value
    assert seen.to_right.value + seen.to_left.value >= 3
    for row in rows:
        before, after = (
            [o.box for o in frames[n] if o.track == row["track"]] for n in (row["frame"] - 1, row["frame"])
        )
        sides = [side_of(box, points) for [box] in (before, after)]
        assert sides == [row["to"] == "left", row["to"] == "right"]


def side_of(box, line) -> bool:
    """Whether the middle of a box is to the right, as one looks along the line; y points down."""
    (x, y, x2, y2), (px, py) = line, ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
    return bool((x2 - x) * (py - y) - (y2 - y) * (px - x) > 0)


def test_who_comes_back_has_not_crossed() -> None:
    def at(x: float, track: int) -> Known:
        return Known(track, "a", (x - 1, 0, x + 1, 2), {})

    frames = [[at(x, 1), at(20 - x, 2), at(3, 3)] for x in (2, 8, 12, 9, 11, 18)]
    frames += [[at(8, 3)], [at(14, 3)], [at(9, 3)]]

    rows = crossings(frames, (10, 5, 10, 0))

    assert [(row["track"], row["to"], row["frame"]) for row in rows] == [(1, "right", 4), (2, "left", 4)]
    assert counts(rows)["to_right"] == {"value": 1, "by_label": {"a": 1}}
