"""Films beside pictures: whatever asks a recognizer takes what that takes, and says where there is none."""

import json

import numpy as np
import pytest
from PIL import Image

import films
from foveal.bundle.predictor import Predictor
from foveal.cli._main import run as command
from foveal.core.errors import UsageError
from foveal.flows import bench, certify
from foveal.flows._where import Where
from foveal.flows.compare import Terms as Compared
from foveal.flows.compare import compare
from foveal.flows.evaluate import Terms, evaluate

pytest.importorskip("av")
CLASSES = ("red", "green", "blue")
EACH = 8


@pytest.fixture(scope="module")
def alone(clip_bundle, tmp_path_factory):
    """Three films of each of eight sources, half of them in the class folder that the recognizer names."""
    folder, rng = tmp_path_factory.mktemp("films") / "alone", np.random.default_rng(0)
    predictor = Predictor.open(clip_bundle, threads=1)
    for number in range(3 * EACH):
        frames = rng.integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
        named = CLASSES.index(predictor.predict([frames])[0].label)
        name = CLASSES[(named + number % 2) % 3]
        films.write(folder / name / f"film{number % EACH}_{number}.mkv", frames)
    return folder


@pytest.fixture(scope="module")
def beside(alone, tmp_path_factory):
    """The same films with a picture beside each."""
    folder, rng = tmp_path_factory.mktemp("films") / "beside", np.random.default_rng(1)
    for film in sorted(alone.rglob("*.mkv")):
        path = folder / film.relative_to(alone)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(film.read_bytes())
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path.with_suffix(".png"))
    return folder


@pytest.mark.parametrize("where", [None, Where("local", 1)])
def test_a_recognizer_of_films_is_measured_on_the_films(clip_bundle, alone, beside, where):
    one, both = (evaluate(clip_bundle, data, terms=Terms(where=where, threads=1)) for data in (alone, beside))

    assert (both.report.answers == one.report.answers).all()
    assert both.report.images == len(both.held_out) == 3 * EACH
    assert all(source.endswith(".mkv") for source in both.held_out.sources)


def test_a_recognizer_of_pictures_is_measured_on_the_pictures(bundle, beside):
    found = evaluate(bundle, beside, terms=Terms(threads=1))

    assert found.report.images == 3 * EACH
    assert all(source.endswith(".png") for source in found.held_out.sources)


def test_recognizers_of_films_are_compared_on_the_films(clip_bundle, alone, beside, tmp_path):
    other = tmp_path / "other.foveal"
    other.write_bytes(clip_bundle.read_bytes())
    group = r"(film\d)"

    one, both = (
        compare([clip_bundle, other], data, Compared(threads=1, group=group)).document
        for data in (alone, beside)
    )

    assert one["models"][0]["accuracy"]["value"] == 0.5, "there is something to attack"
    assert [row["attacked"] for row in both["resistance"]["models"]] == [
        row["attacked"] for row in one["resistance"]["models"]
    ]
    assert (both["images"], both["provenance"]["grouped_by"]) == (3 * EACH, [group])
    assert both["independent_images"] == EACH


def test_a_certificate_and_a_bench_take_the_films_too(clip_bundle, beside, tmp_path):
    terms = certify.Terms("smoke", threads=1, group=r"(film\d)")
    found = certify.run(clip_bundle, beside, terms, out=tmp_path / "out").document
    quick = bench.Terms(threads=(1,), seconds=0.2, remember=False)
    timed = bench.bench(clip_bundle, data=beside, terms=quick)

    assert (found["task"], found["data"]["available"], found["data"]["independent"]) == (
        "video",
        3 * EACH,
        EACH,
    )
    assert timed.pictures.images.shape == (3 * EACH, 4, 16, 16, 3)


def test_where_only_the_other_kind_lies_it_is_said(bundle, clip_bundle, alone, tmp_path):
    for name in CLASSES:
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new("RGB", (20, 20), name).save(tmp_path / name / f"{number}.png")

    with pytest.raises(UsageError, match=r"takes clips, and .* holds pictures") as caught:
        evaluate(clip_bundle, tmp_path)
    assert caught.value.code == "other_task"
    with pytest.raises(UsageError, match=r"takes pictures, and .* holds clips"):
        evaluate(bundle, alone)


def test_what_asks_no_recognizer_is_told(beside, capsys):
    lines = {
        "data show": ["data", "show", str(beside), "--task", "video"],
        "models": ["models", "--recommend", str(beside), "--task", "video", "--size", "16", "--time", "0.1s"],
    }
    found = {}
    for name, line in lines.items():
        assert command([*line, "--json"]) == 0
        found[name] = json.loads(capsys.readouterr().out)

    assert (found["data show"]["images"], found["data show"]["format"]) == (3 * EACH, "clip_folder")
    assert found["models"]["recommend"]["task"] == "video"
    assert found["models"]["recommend"]["next"][0].endswith(" --task video")
    assert command(["models", "--task", "video"]) == 2
