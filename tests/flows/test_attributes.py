"""What is said of objects beside their class, from COCO files to the file that ships."""

import json
from pathlib import Path

import numpy as np
import pytest

import scenes
from foveal.bundle import archive
from foveal.bundle.agreement import flips
from foveal.bundle.predictor import Predictor
from foveal.bundle.tiled import Tiled
from foveal.certify.scene_twin import shown_by
from foveal.cli._main import run
from foveal.core.errors import BundleError, RecipeError, UsageError
from foveal.core.progress import silent
from foveal.data.truths import stated
from foveal.export.sealing import Origin
from foveal.flows._finished_run import prepared_again
from foveal.flows._prepare import resized
from foveal.flows.evaluate import evaluate
from foveal.flows.export import Terms, export
from foveal.flows.train import train
from foveal.optimize.making import Material, sealed
from foveal.optimize.steps.at_size import taking
from foveal.stream.following import Following
from foveal.stream.places import Places
from foveal.tasks import recognizer as recognizers
from foveal.train.recipe import Recipe

SIDE = 64


def recipe(epochs: float = 1, **changes) -> Recipe:
    return Recipe(epochs=epochs, threads=1, precision="fp32", **changes)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return scenes.write_coco(tmp_path_factory.mktemp("data") / "squares", count=96, side=SIDE)


@pytest.fixture(scope="module")
def detector(data: Path, tmp_path_factory: pytest.TempPathFactory):
    return train(data, recipe=recipe(40), out=tmp_path_factory.mktemp("runs") / "detector")


def test_what_is_said_of_objects_is_learned_and_told_by_the_file(detector) -> None:
    document = detector.document

    assert document["ok"]
    assert document["plan"]["arguments"]["attributes"] == [2]
    assert "shade (2 values)" in document["plan"]["reasons"]["attributes"]  # a note has one value alone
    [row] = document["metrics"]["test"]["attributes"]
    assert row["attribute"] == "shade"
    assert row["objects"] > 8
    assert row["accuracy"]["value"] > 0.9
    assert row["accuracy"]["low"] <= row["accuracy"]["value"] <= row["accuracy"]["high"]
    [rule] = archive.read(detector.bundle).manifest.objects.attributes
    assert (rule.name, rule.values) == ("shade", ("dark", "light"))
    assert rule.n >= 20
    assert rule.scale != 1
    assert "shade" in detector.report.read_text(encoding="utf-8")
    assert "`shade`: `dark`, `light`" in archive.read(detector.bundle).readme


def test_file_and_network_tell_the_same(detector) -> None:
    predictor, recognizer = Predictor.open(detector.bundle), recognizers.load(detector.run / "model")
    images = scenes.squares(8, side=SIDE, seed=5)[0]

    network = shown_by(recognizer, images, predictor.manifest)

    alike = flips(predictor.manifest, network, predictor.ask(images))
    assert alike.decided > 8
    assert alike.share.value == 0
    turned = {**network, "attributes": network["attributes"][..., ::-1]}
    assert flips(predictor.manifest, turned, predictor.ask(images)).share.value > 0.5  # others are unknown


def test_a_file_for_smaller_pictures_tells_it_too(detector, data: Path, tmp_path: Path) -> None:
    recognizer, source = recognizers.load(detector.run / "model"), archive.read(detector.bundle)
    prepared = prepared_again(detector.run, data, recognizer, tmp_path, threads=1, progress=silent)
    small = resized(prepared, [32], tmp_path, threads=1, progress=silent)[32]
    seen_by = stated(small.dataset, small.preprocess)
    material = Material(small.examples("calib"), small.examples("fit"), seen_by, threads=1)
    origin = Origin(source.manifest.data, source="scratch", licenses=source.manifest.licenses)

    assert sealed(taking(recognizer, 32), source, origin, tmp_path / "small.foveal", material)

    found = archive.read(tmp_path / "small.foveal").manifest
    assert found.preprocess.sides == (32, 32)
    assert [(one.name, one.values) for one in found.objects.attributes] == [("shade", ("dark", "light"))]


def test_each_object_is_told_with_it(detector) -> None:
    images, _, labels = scenes.squares(12, side=SIDE, seed=77, most=1)
    predictor = Predictor.open(detector.bundle)

    seen = list(predictor.see_each(list(images)))

    said = [one.objects[0].attributes.get("shade") for one in seen if one.objects]
    wanted = [scenes.CLASSES[own[0]] for own, one in zip(labels, seen, strict=True) if one.objects]
    assert len(said) > 9
    assert np.mean([a == b for a, b in zip(said, wanted, strict=True)]) > 0.8
    assert set(said) <= {"dark", "light", "unknown"}
    assert seen[0].as_json()["objects"][0]["attributes"] == {"shade": said[0]}
    tiled = Tiled(predictor, side=SIDE).see(images[0], "picture")
    assert tiled.objects[0].attributes == seen[0].objects[0].attributes


def test_what_is_followed_is_told_with_it_too(detector) -> None:
    images, _, _ = scenes.squares(3, side=SIDE, seed=77, most=1)
    predictor = Predictor.open(detector.bundle)
    following = Following(predictor, Places())
    alone = [one.objects for one in predictor.see_each(list(images))]

    followed = [following.see(image, "film", number / 25).objects for number, image in enumerate(images)]

    assert [[one.attributes for one in some] for some in followed] == [
        [one.attributes for one in some] for some in alone
    ]
    assert any(one.attributes for some in followed for one in some)


def test_evaluated_and_exported_again_it_tells_the_same(detector, data: Path, tmp_path: Path) -> None:
    again = evaluate(detector.run, data).report.as_json()
    exported = export(detector.run, tmp_path / "again.foveal", data=data)

    assert again["metrics"] == detector.evaluation["metrics"]
    first, second = (archive.read(path).manifest for path in (detector.bundle, exported.bundle))
    assert first.objects == second.objects


def test_other_forms_of_the_file_are_held_to_what_it_tells(detector, tmp_path: Path) -> None:
    whole = export(detector.run, tmp_path / "openvino.foveal", terms=Terms(openvino=True)).as_json()
    rounded = export(detector.run, tmp_path / "int8.foveal", terms=Terms(variant="int8")).as_json()

    assert (whole["ok"], rounded["ok"]) == (True, True)
    assert whole["openvino"]["parity"]["clear_flips"] == 0
    [before], [after] = (
        archive.read(path).manifest.objects.attributes for path in (detector.bundle, tmp_path / "int8.foveal")
    )
    assert (after.name, after.values, after.n > 0) == (before.name, before.values, True)
    assert after.scale != before.scale, "fitted to what the rounded graph tells"


def test_golden_vectors_hold_what_is_told(detector, tmp_path: Path) -> None:
    members = archive.read(detector.bundle)
    assert members.vectors.found.attributes.shape[-1] == 2
    content = bytearray(detector.bundle.read_bytes())
    content[content.index(b"golden_attributes.npy") + 200] ^= 1
    (tmp_path / "copy.foveal").write_bytes(content)

    with pytest.raises(BundleError, match="damaged"):
        Predictor.open(tmp_path / "copy.foveal")


def test_predict_prints_it(detector, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = str(data / "test")

    assert run(["predict", str(detector.bundle), pictures, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["predictions"]
    assert run(["predict", str(detector.bundle), pictures, "--csv"]) == 0
    table = capsys.readouterr().out

    objects = [one for picture in told for one in picture["objects"]]
    assert objects
    assert all(one["attributes"]["shade"] in ("dark", "light", "unknown") for one in objects)
    assert table.splitlines()[0].split(",")[7] == "attributes"
    assert "shade=" in table


def test_what_is_not_wanted_is_not_learned(data: Path, tmp_path: Path) -> None:
    result = train(data, recipe=recipe(attributes=()), out=tmp_path / "without")

    assert "attributes" not in result.document["plan"]["arguments"]
    assert "attributes" not in result.document["metrics"]["test"]
    assert archive.read(result.bundle).manifest.objects.attributes == ()


def test_what_cannot_be_learned_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="note") as caught:
        train(data, recipe=recipe(attributes=("note",)), out=tmp_path / "note")
    assert "shade" in caught.value.hint
    with pytest.raises(RecipeError, match="fcos tells nothing"):
        train(data, recipe=recipe(model="fcos", attributes=("shade",)), out=tmp_path / "fcos")
    pictures = tmp_path / "pictures"
    scenes.write_maps(pictures, count=16)
    with pytest.raises(UsageError, match="attributes are learned of objects"):
        train(pictures, recipe=recipe(attributes=("shade",)), out=tmp_path / "maps")
    assert not (tmp_path / "maps").exists()
