"""`foveal optimize` of what says where something is: engines, integers and smaller pictures."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle import archive
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.flows._where import Where
from foveal.flows.evaluate import evaluate
from foveal.flows.optimize import Terms, optimize
from foveal.optimize.budget import Budget

NAMES = ("detector", "segmenter")
MEASURE = {"detector": "map50", "segmenter": "miou"}


def terms(**limits) -> Terms:
    budget = Budget(**{"drop": 0.3, "seconds": 3000.0, **limits})  # more than any machine takes for all steps
    return Terms(budget, train=False, threads=1, engines=("onnxruntime",))


@pytest.fixture(scope="module")
def found(detector, segmenter, voc, maps, tmp_path_factory: pytest.TempPathFactory):
    """Return the document and the folder of a search for each."""
    made = {}
    for name, result, data in (("detector", detector, voc), ("segmenter", segmenter, maps)):
        out = tmp_path_factory.mktemp("searches") / name
        made[name] = optimize(result.run, data, terms=terms(), out=out), out
    return made


def variants(document):
    return {row["name"]: row for row in document["variants"]}


@pytest.mark.parametrize("name", NAMES)
def test_variants_are_rounded_and_shrunk_and_judged_by_what_they_find(found, name) -> None:
    document, _ = found[name]
    rows = variants(document)

    assert document["ok"], document["verdict"]
    assert (document["measure"], document["labels"]) == (MEASURE[name], True)
    assert set(rows) >= {"original", "original-int8", "pixels-32"}
    assert rows["original-int8"]["steps"] == ["quantize"]
    assert rows["pixels-32"]["steps"] == ["pixels-32"]
    assert rows["pixels-32"]["input_sides"] == [32, 32]
    assert rows["original"]["drop"]["value"] == 0
    for row in rows.values():
        assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
        assert row["drop"]["value"] == pytest.approx(
            rows["original"]["accuracy"]["value"] - row["accuracy"]["value"]
        )
        assert row["latency_ms"]["p50"] > 0
    assert rows["original-int8"]["size_bytes"] < 0.4 * rows["original"]["size_bytes"]
    assert rows["pixels-32"]["macs"] == pytest.approx(rows["original"]["macs"] / 4, rel=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_proven_is_what_evaluate_says_of_the_file(found, name, request) -> None:
    document, _ = found[name]
    data = request.getfixturevalue("voc" if name == "detector" else "maps")
    chosen = variants(document)[document["recommended"]]

    again = evaluate(Path(document["bundle"]), data, split="test").report.as_json()

    assert chosen["engine"] == "onnxruntime"
    assert document["test"]["accuracy"]["value"] == pytest.approx(again["metrics"][MEASURE[name]]["value"])
    assert document["test"]["images"] == again["images"]
    attached = archive.read(document["bundle"]).report
    assert attached["metrics"][MEASURE[name]] == again["metrics"][MEASURE[name]]


def test_half_of_the_calibration_pictures_choose_and_the_other_half_calibrates(found) -> None:
    document, out = found["detector"]

    assert document["chosen_on"]["images"] == 8
    rounded = archive.read(out / "variants" / "original-int8" / "int8.foveal").manifest
    assert rounded.objects.n == 8
    smaller = archive.read(out / "variants" / "pixels-32" / "fp32.foveal").manifest
    assert smaller.objects.n == 8
    assert smaller.preprocess.sides == (32, 32)
    assert smaller.model.origin == document["original"]["digest"]


def test_a_smaller_input_finds_objects_in_the_pixels_of_the_picture(found, voc: Path) -> None:
    _, out = found["detector"]
    picture = sorted((voc / "JPEGImages").iterdir())[-1]

    [seen] = Predictor.open(out / "variants" / "pixels-32" / "fp32.foveal").see_each(picture)

    assert (seen.width, seen.height) == (64, 64)
    assert seen.objects
    assert max(side for one in seen.objects for side in one.box) > 32


def test_the_same_line_again_finds_all_done(found, segmenter, maps: Path) -> None:
    document, out = found["segmenter"]
    before = {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*.foveal")}

    again = optimize(segmenter.run, maps, terms=terms(), out=out)

    assert {path: path.stat().st_mtime_ns for path in (out / "variants").rglob("*.foveal")} == before
    assert json.dumps({**again, "seconds": 0}) == json.dumps({**document, "seconds": 0})


@pytest.mark.slow
def test_what_is_panoptic_is_judged_by_its_own_quality(divided, tmp_path: Path) -> None:
    data, result = divided

    document = optimize(result.run, data, terms=terms(), out=tmp_path / "search")

    assert document["ok"], document["verdict"]
    assert document["measure"] == "pq"
    again = evaluate(Path(document["bundle"]), data, split="test").report.as_json()["metrics"]
    assert document["test"]["accuracy"]["value"] == pytest.approx(again["pq"]["value"])
    made = archive.read(tmp_path / "search" / "variants" / "pixels-32" / "fp32.foveal").manifest
    assert made.things == ("dark", "light")


@pytest.mark.slow
def test_what_cannot_be_is_said_with_what_comes_nearest(segmenter, maps: Path, tmp_path: Path) -> None:
    asked = terms(latency_seconds=1e-6, seconds=1.0)

    document = optimize(segmenter.run, maps, terms=asked, out=tmp_path / "search")

    assert not document["ok"]
    assert not document["feasible"]
    assert document["bundle"] is None
    assert document["nearest"]["latency_ms"] > 1e-3
    assert document["failed"]["pixels-32"]["code"] == "no_time"  # nothing is left out without a word
    assert all("latency" in row["outside"] for row in document["variants"])


def test_a_bundle_alone_does_not_say_what_is_there(detector, voc: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="stated") as refused:
        optimize(detector.bundle, voc, terms=terms(), out=tmp_path / "search")

    assert refused.value.code == "other_task"
    assert "foveal optimize RUN" in refused.value.hint


def test_times_hold_the_step_behind_the_graph(detector, monkeypatch, tmp_path: Path) -> None:
    from foveal.bundle.ways import Way
    from foveal.optimize import measuring

    told = []
    plain = Predictor.seen

    def counted(self, answers, *, sources, sizes):
        told.append(sizes)
        return plain(self, answers, sources=sources, sizes=sizes)

    monkeypatch.setattr(Predictor, "seen", counted)
    images = {64: np.zeros((2, 64, 64, 3), np.uint8)}

    [[row]] = measuring.timed([(detector.bundle, [Way("onnxruntime", "fp32", 1)])], images, seconds=0.1)

    assert len(told) >= row.times.calls
    assert set(map(tuple, told[0])) == {(64, 64)}


def test_lessons_elsewhere_are_refused(detector, voc: Path, tmp_path: Path) -> None:
    asked = replace(terms(), where=Where("local", 2))

    with pytest.raises(UsageError, match="elsewhere"):
        optimize(detector.run, voc, terms=asked, out=tmp_path / "search")

    assert not (tmp_path / "search").exists()
