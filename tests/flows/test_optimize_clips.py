"""Searches for smaller recognizers of clips: the same command; what is delivered still rolls."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import films
from foveal.bundle import archive, ways
from foveal.bundle.predictor import Predictor
from foveal.bundle.rolling import Rolling
from foveal.core.errors import DataError, NotFoundError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.flows import _unlabelled
from foveal.flows._optimize_run import OfRun
from foveal.flows.evaluate import evaluate
from foveal.flows.optimize import Terms, optimize
from foveal.flows.train import train
from foveal.optimize.budget import Budget
from foveal.train.recipe import Recipe

pytest.importorskip("av")

FRAMES, SIZE = 4, 32


def terms(*, train=False, **limits) -> Terms:
    limits = {"drop": 0.3, "seconds": 20.0, **limits}
    return Terms(Budget(**limits), train=train, threads=1, engines=(ways.REFERENCE,))


@pytest.fixture(scope="module")
def stripes(tmp_path_factory) -> Path:
    """Squares that slide to the left or the right; 60 sources."""
    folder = tmp_path_factory.mktemp("films") / "stripes"
    for number in range(60):
        frames = films.sliding((-1, 1)[number % 2], seed=number)
        films.write(folder / ("left", "right")[number % 2] / f"scene{number:02}.mkv", frames, rate=8)
    return folder


@pytest.fixture(scope="module")
def trained(stripes, tmp_path_factory):
    recipe = Recipe(
        epochs=4, batch_size=8, size=SIZE, frames=FRAMES, augment="none", precision="fp32", threads=1
    )
    return train(stripes, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "train")


@pytest.fixture(scope="module")
def searched(trained, tmp_path_factory):
    """Return the document of a search of the run without training; for reading only."""
    return optimize(trained.run, terms=terms(), out=tmp_path_factory.mktemp("searches") / "run")


@pytest.fixture(scope="module")
def with_films(trained, stripes, tmp_path_factory):
    """Return the document of a search of the bundle alone with films, two of them of no use."""
    folder = tmp_path_factory.mktemp("more") / "films"
    for number in range(70):
        films.write(
            folder / f"film{number}.mkv", films.sliding((-1, 1)[number % 2], seed=900 + number), rate=8
        )
    (folder / "broken.mp4").write_bytes(b"no film")
    (folder / "cover.jpg").write_bytes(b"no film either, and not meant")
    alone = folder.parent / "alone.foveal"
    alone.write_bytes(trained.bundle.read_bytes())
    return optimize(alone, folder, terms=terms(), out=folder.parent / "search")


def assert_rolls(bundle: Path) -> None:
    predictor = Predictor.open(bundle, engine=ways.REFERENCE, threads=1)
    for seed, direction in ((77, 1), (78, -1)):
        clip = films.sliding(direction, seed=seed, count=FRAMES)
        rolling = Rolling(predictor)
        for frame in [*films.sliding(-direction, seed=seed + 100), *clip]:
            answer, _ = rolling.see(frame)
        whole = predictor.predict([clip])[0]
        np.testing.assert_allclose(list(answer.scores.values()), list(whole.scores.values()), atol=1e-5)


def test_a_run_comes_out_smaller_and_a_stream_of_it_answers_as_whole_clips(searched, trained) -> None:
    assert searched["feasible"]
    rows = {row["name"]: row for row in searched["variants"]}
    assert rows["original-int8"]["steps"] == ["quantize"]
    assert rows["original-int8"]["size_bytes"] < 0.5 * rows["original"]["size_bytes"]
    path = Path(searched["run"]) / "variants" / "original-int8" / "int8.foveal"
    manifest = archive.read(path).manifest
    assert (manifest.task, manifest.preprocess.clip.frames) == ("video", FRAMES)
    assert manifest.preprocess == archive.read(trained.bundle).manifest.preprocess
    assert_rolls(path)
    assert_rolls(Path(searched["bundle"]))


def test_what_was_measured_is_what_evaluate_measures(searched, trained, stripes) -> None:
    found = evaluate(searched["bundle"], stripes).report

    assert found.metrics.accuracy.value == pytest.approx(searched["test"]["accuracy"]["value"])
    assert searched["test"]["images"] == len(json.loads((trained.run / "split.json").read_text())["test"])


def test_it_is_said_what_stays_as_it_is_and_why(searched) -> None:
    levers = {one["name"]: one for one in searched["levers"]}

    assert (
        "the recurrent layer, which reads features in their order, stays in fp32"
        in levers["rounding"]["says"]
    )
    assert searched["without_candidates"] == {}, "without training none was looked for"


def test_a_bundle_alone_is_measured_by_agreement_on_films(with_films) -> None:
    assert with_films["feasible"]
    assert (with_films["measure"], with_films["labels"]) == ("agreement", False)
    assert {row["name"] for row in with_films["variants"]} >= {"original", "original-int8"}
    assert any("1 picture cannot be used" in said and "broken.mp4" in said for said in with_films["warnings"])
    assert_rolls(Path(with_films["bundle"]))


def test_films_keep_their_sources_wherever_they_lie(tmp_path, trained) -> None:
    for number in range(4):
        for piece in range(2):
            name = f"s{number} {piece}.mkv"
            frames = films.sliding(1, seed=10 * number + piece)
            path = films.write(tmp_path / "set" / ("a", "b")[number % 2] / name, frames)
            (tmp_path / "loose").mkdir(exist_ok=True)
            shutil.copy(path, tmp_path / "loose" / name)

    def find(*named: Path) -> _unlabelled.Unlabelled:
        return _unlabelled.find(named, films=True, seed=0, progress=silent)

    found, loose = find(tmp_path / "set"), find(tmp_path / "loose")
    apart = find(tmp_path / "set" / "a", tmp_path / "set" / "b", *(tmp_path / "loose").glob("*1.mkv"))

    for one in (found, loose, apart):
        assert (len(one.dataset), len(set(one.units.tolist()))) == (8, 4)
        assert one.fingerprint == found.fingerprint
    preprocess = archive.read(trained.bundle).manifest.preprocess
    store = _unlabelled.stored(found, tmp_path / "pixels.npy", preprocess, progress=silent).store
    assert store.images.shape == (8, FRAMES, SIZE, SIZE, 3)
    np.testing.assert_array_equal(store.images[0], preprocess.from_bytes(found.dataset.read(0).content))


def test_pictures_for_films_and_films_for_pictures_are_refused(
    colors, stripes, bundle, trained, tmp_path
) -> None:
    with pytest.raises(NotFoundError, match="no film in"):
        optimize(trained.bundle, colors, terms=terms(), out=tmp_path / "a")
    with pytest.raises(DataError, match="does not say what is needed for classify") as caught:
        optimize(bundle, stripes, terms=terms(), out=tmp_path / "b")
    assert caught.value.code == "other_task"
    assert f"foveal train {stripes} --task video" in str(caught.value.hint)


def test_frames_at_another_size_are_what_the_preprocessing_makes_of_the_film(
    trained, stripes, tmp_path
) -> None:
    setup = OfRun.find(trained.run, stripes).setup(tmp_path, train=True, seed=0, progress=silent)
    resizing = setup.roles.resizing

    assert 0 < resizing.seconds([16, 24]) < 60
    roles = resizing.roles([16, 24], silent)

    assert resizing.seconds([16, 24]) == 0.0
    manifest, dataset = archive.read(trained.bundle).manifest, opening.open(stripes)
    for size, found in roles.items():
        preprocess = manifest.preprocess.model_copy(update={"size": size})
        fit = found.learning.indices
        for place in (fit[0], fit[-1]):
            wanted = preprocess.from_bytes(dataset.read(int(place)).content)
            np.testing.assert_array_equal(found.learning.images[place], wanted)
        assert found.chosen_on.shape == (*setup.roles.chosen_on.shape[:2], size, size, 3)
        np.testing.assert_array_equal(found.pictures.truth, setup.roles.pictures.truth)


@pytest.mark.slow
def test_a_smaller_network_is_taught_sealed_and_rolls(trained, tmp_path) -> None:
    document = optimize(trained.run, terms=terms(train=True, seconds=90.0), out=tmp_path / "search")

    taught = [row for row in document["variants"] if "distill" in row["steps"]]
    assert taught
    assert all(row["macs"] < document["variants"][0]["macs"] for row in taught)
    assert document["without_candidates"] == {
        "smaller_pictures": "cnn-gru was made for 32 pixels and takes no other size"
    }
    for row in taught:
        kind = "int8" if "quantize" in row["steps"] else "fp32"
        assert_rolls(tmp_path / "search" / "variants" / row["name"] / f"{kind}.foveal")
