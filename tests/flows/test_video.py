"""From a folder of films to a bundle: the way a user goes, on stripes that slide to the left or right."""

import json

import numpy as np
import pytest

import films
from foveal.bundle.predictor import Predictor
from foveal.core.errors import UsageError
from foveal.data import opening
from foveal.flows import check as checks
from foveal.flows.evaluate import evaluate
from foveal.flows.export import Terms, export
from foveal.flows.train import train
from foveal.train.planning import Facts, plan_training
from foveal.train.recipe import Recipe

pytest.importorskip("av")


@pytest.fixture(scope="module")
def stripes(tmp_path_factory):
    """Forty sources of two pieces each, in both directions; no frame tells which."""
    folder = tmp_path_factory.mktemp("films") / "stripes"
    for label, direction in (("left", -1), ("right", 1)):
        for source in range(40):
            for piece in range(2):
                frames = films.sliding(direction, seed=2 * source + piece)
                films.write(folder / label / f"source{source:02}_{piece}.mkv", frames, rate=8)
    return folder


@pytest.fixture(scope="module")
def trained(stripes, tmp_path_factory):
    recipe = Recipe(epochs=20, batch_size=16, size=32, frames=4, augment="none", precision="fp32", threads=1)
    return train(stripes, recipe=recipe, out=tmp_path_factory.mktemp("runs") / "train")


def test_a_folder_of_films_is_checked_as_such(stripes):
    found = checks.check(opening.open(stripes))

    document = found.as_json()
    assert (document["task"], document["format"], document["images"]) == ("video", "clip_folder", 160)
    assert document["roles"]["calib"] > 0
    assert found.ok


@pytest.mark.slow
def test_it_learns_what_no_frame_shows_and_says_what_it_is(trained, stripes):
    document = trained.document

    assert (document["ok"], document["task"], document["model"]) == (True, "video", "cnn-gru")
    assert document["metrics"]["test"]["accuracy"]["value"] >= 0.9
    assert document["baseline"]["name"] == "majority class"
    assert evaluate(trained.run, stripes).report.metrics.accuracy.value >= 0.9
    predictor = Predictor.open(trained.bundle, engine="onnxruntime", threads=1)
    assert predictor.preprocess.clip.frames == 4
    assert predictor.preprocess.clip.spacing_s == pytest.approx(0.25, abs=0.01)


@pytest.mark.slow
def test_a_film_that_runs_backwards_shows_the_opposite(trained):
    predictor = Predictor.open(trained.bundle, engine="onnxruntime", threads=1)
    opposite = {"left": "right", "right": "left"}
    clips = [films.sliding(direction, seed=1000 + seed) for seed in range(10) for direction in (-1, 1)]

    forward = [answer.label for answer in predictor.predict(clips)]
    backward = [answer.label for answer in predictor.predict([clip[::-1] for clip in clips])]

    assert np.mean([opposite[one] == other for one, other in zip(forward, backward, strict=True)]) >= 0.9


@pytest.mark.slow
def test_no_source_is_learned_from_and_measured_on(trained, stripes):
    dataset = opening.open(stripes)
    split = json.loads((trained.run / "split.json").read_text())

    sources = {
        role: {name.rpartition("/")[2][:8] for name, _ in split[role]} for role in ("fit", "calib", "test")
    }
    assert sum(map(len, sources.values())) == len(set.union(*sources.values())) == 40
    assert dataset.grouped_by == ("stem",)


@pytest.mark.slow
def test_it_is_quantized_and_still_rolls(trained, stripes, tmp_path):
    from foveal.bundle.rolling import Rolling

    result = export(trained.run, tmp_path / "i8.foveal", data=stripes, terms=Terms(variant="int8"))

    assert result.bundle is not None
    assert result.as_json()["ok"]
    predictor = Predictor.open(result.bundle, engine="onnxruntime", threads=1)
    clip = films.sliding(1, seed=77, count=4)
    rolling = Rolling(predictor)
    answers = [rolling.see(frame)[0] for frame in clip]
    whole = predictor.predict([clip])[0]
    np.testing.assert_allclose(list(answers[-1].scores.values()), list(whole.scores.values()), atol=1e-5)


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"model": "nano"}, "nano learns from pictures of one class each, and these are clips"),
        ({"objective": "adversarial"}, "the objective adversarial is for pictures"),
        ({"model": "nano", "backbone": "resnet18"}, "nano has no backbone"),
    ],
)
def test_what_does_not_fit_clips_is_refused_before_a_folder_is_made(stripes, tmp_path, wishes, message):
    with pytest.raises(UsageError, match=message):
        train(stripes, recipe=Recipe(epochs=1, **wishes), out=tmp_path / "run")

    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"model": "cnn_gru"}, "cnn-gru learns from clips, and these are pictures"),
        ({"frames": 4}, "pictures, which have no frames"),
    ],
)
def test_what_does_not_fit_pictures_is_refused(colors, tmp_path, wishes, message):
    with pytest.raises(UsageError, match=message):
        train(colors, recipe=Recipe(epochs=1, **wishes), out=tmp_path / "run")

    assert not (tmp_path / "run" / "recipe.toml").exists()


@pytest.mark.parametrize(("frames", "size"), [(8, 224), (8, 64), (64, 64), (64, 224)])
def test_a_step_holds_no_more_pixels_than_fit_into_memory(frames, size):
    from foveal.train.examples import Examples
    from foveal.train.planning import CLIP_PIXELS

    class EnoughError(Exception):
        pass

    def refuse(plan):
        assert 4 <= plan.batch_size <= max(4, CLIP_PIXELS / (frames * size**2))
        raise EnoughError

    examples = Examples(np.zeros((400, 1, 1, 1, 3), np.uint8), np.arange(400) % 2, np.arange(400))
    with pytest.raises(EnoughError):
        plan_training(
            Recipe(model="cnn_gru", epochs=1, threads=1), examples, Facts(size, 3, 2, frames=frames), refuse
        )


def test_clips_are_never_mirrored_unless_that_is_asked_for():
    from foveal.train.examples import Examples

    class EnoughError(Exception):
        pass

    def refuse(plan):
        assert "flip" not in plan.augmentation
        raise EnoughError

    images = np.zeros((20, 4, 16, 16, 3), np.uint8)
    examples = Examples(images, np.arange(20) % 2, np.arange(20))
    with pytest.raises(EnoughError):
        plan_training(
            Recipe(model="cnn_gru", epochs=1, threads=1), examples, Facts(16, 3, 2, frames=4), refuse
        )
