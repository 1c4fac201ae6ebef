"""flows.export with several runs or masks: one bundle, calibrated on what no member has learned from."""

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.cli._main import run as command
from foveal.core.errors import DataError, NotFoundError, UsageError
from foveal.data import opening
from foveal.flows._together import Together
from foveal.flows.export import Terms, export
from foveal.flows.train import train
from foveal.tasks import recognizer as recognizers
from foveal.train.recipe import Recipe

SMALL = {"epochs": 3, "size": 16, "precision": "fp32", "threads": 1, "baseline": False}


@pytest.fixture(scope="module")
def others(colors, tmp_path_factory):
    """Return two more runs of the data: one with the first one's split, one with a split of its own."""
    folder = tmp_path_factory.mktemp("others")
    recipes = {"same": Recipe(seed=1, split_seed=0, **SMALL), "own": Recipe(seed=1, **SMALL)}
    return {name: train(colors, recipe=recipe, out=folder / name).run for name, recipe in recipes.items()}


def pixels(colors, bundle):
    dataset = opening.open(colors)
    predictor = Predictor.open(bundle)
    paths = [colors / source for source in dataset.sources[::9]]
    return np.stack([predictor.preprocess.from_bytes(path.read_bytes()) for path in paths])


def softmax(logits):
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def test_one_bundle_answers_the_mean_of_both_runs_and_is_calibrated_and_watched(
    trained, others, colors, tmp_path
):
    terms = Terms(together=Together(members=(others["same"],)))

    result = export(trained.run, tmp_path / "both.foveal", terms=terms)

    document = result.as_json()
    assert (document["ok"], document["dropout"]) == (True, None)
    assert document["members"] == [str(others["same"])]
    predictor, images = Predictor.open(result.bundle), pixels(colors, result.bundle)
    members = [recognizers.load(run / "model") for run in (trained.run, others["same"])]
    mean = np.mean([softmax(member.logits(images)) for member in members], axis=0)
    np.testing.assert_allclose(softmax(predictor.run(images).logits), mean, atol=1e-5)
    assert predictor.manifest.model.name == "ensemble"
    assert predictor.decision.monitor is not None
    assert predictor.decision.conformal.n == Predictor.open(trained.bundle).decision.conformal.n


def test_a_member_that_learned_from_what_calibrates_is_refused(trained, others, tmp_path):
    terms = Terms(together=Together(members=(others["own"],)))

    with pytest.raises(DataError, match="another split of the data") as caught:
        export(trained.run, tmp_path / "a.foveal", terms=terms)

    assert caught.value.code == "other_split"
    assert "split_seed" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_the_same_network_twice_and_no_run_at_all_are_refused(trained, tmp_path):
    with pytest.raises(UsageError, match="the same network") as caught:
        export(trained.run, tmp_path / "a.foveal", terms=Terms(together=Together((trained.run,))))
    assert caught.value.code == "same_network"
    with pytest.raises(NotFoundError):
        export(trained.run, tmp_path / "a.foveal", terms=Terms(together=Together((tmp_path / "gone",))))


def test_the_command_makes_masks_and_says_so(trained, tmp_path, capsys):
    out = tmp_path / "masks.foveal"

    code = command(
        ["export", str(trained.run), "--out", str(out), "--dropout", "0.2", "--masks", "4", "--json"]
    )

    assert code == 0
    assert '"share": 0.2' in capsys.readouterr().out
    manifest = Predictor.open(out).manifest
    assert manifest.model.name == "dropout_masks"


def test_the_command_refuses_numbers_that_make_no_sense(trained, tmp_path, capsys):
    assert command(["export", str(trained.run), "--out", str(tmp_path / "a.foveal"), "--dropout", "2"]) == 2
    assert "share in (0, 1)" in capsys.readouterr().err
