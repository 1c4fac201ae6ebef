"""`foveal data make`: what is drawn is written as it is known, the same for the same seed, or not at all."""

import json
from pathlib import Path

import numpy as np
import pytest

from foveal.core import catalog
from foveal.core.errors import WriteError
from foveal.core.random import stream
from foveal.data import opening, synthetic
from foveal.data.synthetic._scene import Synthetic
from foveal.flows import _made_film
from foveal.flows.data_make import Wishes, make

SMALL = Wishes(pictures=7, size=128)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


SCENES = [name for name in catalog.names(synthetic) if isinstance(catalog.find(synthetic, name), Synthetic)]


@pytest.mark.parametrize("name", SCENES)
def test_what_is_read_again_is_what_is_drawn(name: str, tmp_path: Path) -> None:
    scene = catalog.find(synthetic, name)
    told = make(name, tmp_path / "out", SMALL)

    again = opening.open(tmp_path / "out")

    assert (told["synthetic"], told["splits"]) == (True, {"train": 5, "val": 1, "test": 1})
    assert again.scenes.tasks == ("detect", "instance")
    assert again.classes == scene.classes
    assert all("synthetic" in source for source in again.sources)
    for i, source in enumerate(again.sources):
        number = int(source.rpartition("-")[2].removesuffix(".jpg"))
        drawn = scene.draw(stream(0, "synthetic", name, number), told["width"], told["height"])
        known, found = drawn.objects(), again.scenes.objects(i)
        assert np.array_equal(known.boxes, found.boxes)
        assert known.labels.tolist() == found.labels.tolist()
        assert known.ignored.tolist() == found.ignored.tolist()
        assert known.attributes == found.attributes
        assert [one.content for one in known.outlines] == [one.content for one in found.outlines]
        off = np.abs(again.read(i).decode(3).astype(int) - drawn.pixels())
        assert off.mean() < 12, "it is the same picture, but for what JPEG loses"


def test_vehicles_say_their_type_and_colour(tmp_path: Path) -> None:
    make("vehicles", tmp_path / "out", Wishes(pictures=4, size=320))

    scenes = opening.open(tmp_path / "out").scenes
    told = [one for i in range(4) for one in scenes.objects(i).attributes]
    assert {frozenset(one) for one in told} == {frozenset({"type", "colour"})}
    assert len({one["colour"] for one in told}) > 2


def test_class_maps_have_the_ground_and_the_same_pictures(tmp_path: Path) -> None:
    make("field", tmp_path / "boxes", SMALL)
    make("field", tmp_path / "maps", Wishes(pictures=7, size=128, task="segment"))

    boxes, maps = opening.open(tmp_path / "boxes"), opening.open(tmp_path / "maps")

    assert maps.task == "segment"
    assert maps.classes == ("soil", "crop", "weed")
    names = {source.rpartition("/")[2]: i for i, source in enumerate(boxes.sources)}
    for i, source in enumerate(maps.sources):
        other = names[source.rpartition("/")[2]]
        assert maps.read(i).content == boxes.read(other).content
        regions, objects = maps.scenes.regions(i), boxes.scenes.objects(other)
        counted = np.zeros(3, int)
        for outline, label in zip(objects.outlines, objects.labels.tolist(), strict=True):
            counted[label + 1] += (outline.mask(*regions.shape) & (regions == label + 1)).sum()
        assert counted[1:].tolist() == np.bincount(regions.ravel(), minlength=3)[1:].tolist()


def test_equal_seeds_give_equal_files_and_others_do_not(tmp_path: Path) -> None:
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        make("conveyor", tmp_path / place / "set", Wishes(pictures=7, size=128, seed=seed))
        make("conveyor", tmp_path / place / "belt.mp4", Wishes(pictures=12, size=128, seed=seed))

    first, again, other = (content(tmp_path / place) for place in "abc")
    assert first == again
    assert len(first) == len(other) == 7 + 3 + 2
    assert not any(first[name] == other[name] for name in first)


def test_a_film_shows_what_its_truth_says(tmp_path: Path) -> None:
    told = make("vehicles", tmp_path / "road.mp4", Wishes(pictures=90, size=320))
    truth = json.loads((tmp_path / "road.json").read_text())

    assert (truth["schema"], truth["synthetic"], truth["line"]) == ("foveal.film/1", True, "0,88,320,88")
    assert told["crossed"] == truth["crossed"]
    assert len(truth["frames"]) == 90
    crossed = {(row["track"], row["to"]) for row in truth["crossings"]}
    sides: dict[int, list[bool]] = {}
    for objects in truth["frames"]:
        for one in objects:
            sides.setdefault(one["track"], []).append(one["box"][1] + one["box"][3] > 2 * 88)
    down = {(track, "right") for track, below in sides.items() if below[-1] and not below[0]}
    up = {(track, "left") for track, below in sides.items() if below[0] and not below[-1]}
    assert crossed == down | up
    assert (truth["crossed"]["to_right"]["value"], truth["crossed"]["to_left"]["value"]) == (
        len(down),
        len(up),
    )

    import av

    scene = catalog.find(synthetic, "vehicles")
    drawn = list(scene.film.draw(stream(0, "synthetic", "vehicles", "film"), 90, 320, 176))
    with av.open(str(tmp_path / "road.mp4")) as film:
        frames = [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]
    assert len(frames) == 90
    for number in (0, 45, 89):
        off = np.abs(frames[number].astype(int) - drawn[number].pixels())
        assert off.mean() < 6


def test_nothing_is_replaced_and_nothing_half_done_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.json").write_text("mine")
    with pytest.raises(WriteError, match=r"a\.json is there already"):
        make("conveyor", tmp_path / "a.mp4", SMALL)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_made_film, "_truth", full)
    with pytest.raises(WriteError, match="No space left"):
        make("conveyor", tmp_path / "b.mp4", Wishes(pictures=2, size=64))
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
