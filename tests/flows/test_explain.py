"""flows.explain: what a finished run and its data tell, and what a bundle alone cannot."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.bundle.predictor import Predictor
from foveal.core.errors import NotFoundError, UnknownNameError, UsageError, WriteError
from foveal.core.progress import silent
from foveal.data import opening
from foveal.data.inventory import content_hashes
from foveal.evaluate.held_out import HeldOut
from foveal.explain.black_box.occlusion import occlusion_maps
from foveal.explain.network_runs import with_network
from foveal.explain.sanity import sanity, spearman
from foveal.explain.shuffled import shuffled
from foveal.flows import _depths
from foveal.flows._drawn_maps import check_folder, write_maps
from foveal.flows._held_out import learned_from
from foveal.flows._mistake_maps import MOST, mistake_maps
from foveal.flows._sealed import Sealed
from foveal.flows.evaluate import Terms as Running
from foveal.flows.evaluate import evaluate, write_page
from foveal.flows.explain import Explained, Question, explain
from foveal.flows.train import TrainResult
from foveal.tasks import recognizer as recognizers


@pytest.fixture(scope="module")
def of_data(trained: TrainResult, colors: Path) -> Explained:
    """What the run says of the data it was trained on; for reading only."""
    return explain(trained.run, data=colors, question=Question(most=4, threads=1))


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(99).integers(0, 150, (40, 40, 3), dtype=np.uint8)
    pixels[..., 0] += 70
    Image.fromarray(pixels).save(tmp_path / "red.png")
    return tmp_path / "red.png"


def test_pictures_come_from_what_was_held_out(of_data: Explained, trained: TrainResult) -> None:
    test = {source for source, _ in json.loads((trained.run / "split.json").read_text())["test"]}

    assert len({one.source for one in of_data.explanations}) == 4
    assert {one.source for one in of_data.explanations} <= test
    assert all(one.truth in ("blue", "green", "red") for one in of_data.explanations)


def test_the_document_is_json_with_everything_in_it(of_data: Explained) -> None:
    document = json.loads(json.dumps(of_data.as_json(), allow_nan=False))

    assert (document["schema"], document["ok"], document["method"]) == ("foveal.explain/1", True, "occlusion")
    assert document["skipped"] == []
    assert document["probes"][0]["layer"] == "pixels"
    assert [one["method"] for one in document["sanity"]] == ["occlusion"]
    assert (document["sign_test"]["method"], document["sign_test"]["better"]["n"]) == ("occlusion", 4)
    assert {one["source"] for one in document["neighbours"]} == {e.source for e in of_data.explanations}
    assert all(len(one["nearest"]) == 5 for one in document["neighbours"])
    assert len(document["features"]) == 2
    first = document["explanations"][0]
    assert np.array(first["map"]["values"]).shape == tuple(first["map"]["shape"]) == (16, 16)


def test_probes_are_measured_on_the_test_part(of_data: Explained, trained: TrainResult) -> None:
    test = trained.evaluation["images"]

    assert all(one.accuracy.n == test for one in of_data.inside.probes)
    assert of_data.inside.probes[-1].accuracy.value > 0.9


def learned_from_by(trained: TrainResult, data: Path) -> HeldOut:
    dataset, manifest = opening.open(data), Predictor.open(trained.bundle).manifest
    sealed = Sealed.at(trained.bundle, manifest)
    found = learned_from(dataset, content_hashes(dataset), sealed, progress=silent)
    assert found is not None
    return found


def test_neighbours_come_from_the_fit_part_alone(
    of_data: Explained, trained: TrainResult, colors: Path
) -> None:
    learned = learned_from_by(trained, colors)

    fit = {source for source, _ in json.loads((trained.run / "split.json").read_text())["fit"]}
    near = {one.source for found in of_data.inside.neighbours.values() for one in found}
    assert set(learned.sources) == fit
    assert near <= fit


def test_a_training_picture_is_not_its_own_neighbour(trained: TrainResult, colors: Path) -> None:
    learned = learned_from_by(trained, colors)
    own = learned.sources[0]

    found = explain(trained.run, [str(colors / own)], data=colors, question=Question(threads=1))

    [near] = found.inside.neighbours.values()
    assert len(near) == 5
    assert own not in {one.source for one in near}


def test_a_bundle_alone_has_maps_and_says_what_it_lacks(
    trained: TrainResult, picture: Path, tmp_path: Path
) -> None:
    alone = tmp_path / "alone.foveal"
    shutil.copy(trained.bundle, alone)

    found = explain(alone, [str(picture)], question=Question(method="rise", threads=1))

    assert [one.label for one in found.explanations] == ["red"]
    assert found.as_json()["skipped"] == [
        {
            "what": "sanity, feature maps, probes and neighbours",
            "why": "a bundle holds no network: name its run folder",
        }
    ]
    with pytest.raises(UsageError, match="grad_cam looks into the network, and there is none here") as caught:
        explain(alone, [str(picture)], question=Question(method="grad_cam"))
    assert caught.value.code == "needs_run_folder"
    assert caught.value.hint == "on a bundle: --method occlusion or rise"


@pytest.mark.parametrize("method", ["rise", "grad_cam"])
def test_the_method_that_drew_the_maps_is_checked_with_its_settings(
    trained: TrainResult, picture: Path, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = "stages.0" if method == "grad_cam" else None
    looked_at = []

    def looks(name, trained_maps, randomized_maps, images, indices):
        looked_at.extend(draw(images[0], indices[0]) for draw in (trained_maps, randomized_maps))
        return sanity(name, trained_maps, randomized_maps, images, indices)

    monkeypatch.setattr(_depths, "sanity", looks)

    found = explain(trained.run, [str(picture)], question=Question(method=method, layer=layer, threads=1))

    [check] = found.inside.sanity
    assert check.method == method
    drawn = found.explanations[0].heatmap
    assert [one.shape for one in looked_at] == [drawn.shape] * 2
    assert spearman(looked_at[0], drawn) > 0.95  # RISE asked the bundle, whose answers are calibrated
    assert spearman(looked_at[1], drawn) < 0.9


def test_a_network_that_is_not_the_one_in_the_bundle_is_not_looked_into(
    trained: TrainResult, picture: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(trained.run, tmp_path / "run"))
    recognizer = recognizers.load(run / "model")
    recognizers.save(with_network(recognizer, shuffled(recognizer.network)), run / "model")

    found = explain(run, [str(picture)], question=Question(threads=1))

    assert [one.label for one in found.explanations] == ["red"]
    assert "is not the one in this bundle" in found.skipped[0].why
    assert found.inside.features == {}
    with pytest.raises(UsageError, match=r"the network in .*run is not the one in this bundle"):
        explain(run, [str(picture)], question=Question(method="grad_cam"))


def test_grad_cam_has_the_size_of_its_layer_and_is_judged_on_the_bundle(
    trained: TrainResult, picture: Path
) -> None:
    question = Question(method="grad_cam", layer="stages.0", threads=1)

    [found] = explain(trained.run, [str(picture)], question=question).explanations

    assert found.heatmap.shape == (7, 7)
    p = Predictor.open(trained.bundle, threads=1).run(found.image[None]).probabilities[0]
    assert found.faith.deletion[0] == pytest.approx(float(p[2]), abs=1e-6)


def test_other_data_give_pictures_but_no_probes(trained: TrainResult, colors: Path, tmp_path: Path) -> None:
    for name in ("red", "blue"):
        (tmp_path / "other" / name).mkdir(parents=True)
        for k in range(3):
            pixels = np.random.default_rng(100 + k).integers(0, 200, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "other" / name / f"{k}.png")

    found = explain(trained.run, data=tmp_path / "other", question=Question(most=3, threads=1))

    [skipped] = found.skipped
    assert skipped.what == "probes and neighbours"
    assert "are not the data it was trained on" in skipped.why
    wrong = [one for one in found.explanations if one.truth != one.label]
    assert {one.about for one in wrong} >= {one.truth for one in wrong}


def test_equal_questions_have_equal_answers(trained: TrainResult, picture: Path) -> None:
    first, second = (
        explain(trained.run, [str(picture)], question=Question(method="rise", seed=3, threads=1)).as_json()
        for _ in range(2)
    )

    assert first == second


def test_another_class_can_be_asked_for_and_one_that_is_not_there_is_refused(
    trained: TrainResult, picture: Path
) -> None:
    found = explain(trained.run, [str(picture)], question=Question(about="green", threads=1))

    assert [(one.label, one.about) for one in found.explanations] == [("red", "green")]
    with pytest.raises(UnknownNameError, match="the recognizer has no 'gren'; did you mean 'green'"):
        explain(trained.run, [str(picture)], question=Question(about="gren"))


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(
    trained: TrainResult, picture: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")

    found = explain(
        trained.run, [str(tmp_path / "broken.png"), str(picture), "nowhere.png"], question=Question(threads=1)
    )

    assert len(found.explanations) == 1
    assert [one.error.code for one in found.failed] == ["not_image", "not_found"]
    assert found.as_json()["explanations"][1]["error"]["code"] == "not_image"


def test_more_pictures_than_allowed_are_left_out_and_counted(trained: TrainResult, colors: Path) -> None:
    named = sorted(map(str, (colors / "red").iterdir()))[:5]

    found = explain(trained.bundle, named, question=Question(most=2, threads=1))

    assert len(found.explanations) == 2
    assert found.skipped[-1].why == "3 more than the 2 that --most allows"


@pytest.mark.parametrize(
    ("inputs", "question", "error", "said"),
    [
        (None, Question(), UsageError, "there is no picture to explain"),
        ([], Question(), NotFoundError, "the inputs name no picture"),
        (["x"], Question(method="magic"), UnknownNameError, "explain has no 'magic'"),
        (["x"], Question(layer="stages"), UsageError, "occlusion looks at no one layer: leave --layer out"),
        (["x"], Question(method="attention"), UsageError, "nano has no attention to show"),
    ],
)
def test_questions_that_have_no_answer_are_refused(
    trained: TrainResult, picture: Path, inputs, question, error, said
) -> None:
    inputs = [str(picture)] if inputs == ["x"] else inputs
    with pytest.raises(error, match=said):
        explain(trained.run, inputs, question=question)


def test_maps_are_written_as_pictures(of_data: Explained, tmp_path: Path) -> None:
    written = write_maps(of_data, tmp_path / "maps")

    assert len(written) == len(of_data.explanations)
    with Image.open(written[0]) as drawn:
        assert drawn.size == (192, 192)
    assert of_data.as_json(drawn=written)["explanations"][0]["map"]["file"] == written[0]
    assert {Path(name).parent for name in written} == {tmp_path / "maps"}


def test_a_folder_that_may_not_be_written_is_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")

    with pytest.raises(WriteError, match="is not empty"):
        check_folder(tmp_path / "full", None, force=False)
    with pytest.raises(WriteError, match="is a file"):
        check_folder(tmp_path / "file", None, force=True)
    with pytest.raises(WriteError, match="is only read"):
        check_folder(tmp_path / "full" / "maps", tmp_path / "full", force=True)
    check_folder(tmp_path / "full", None, force=True)
    check_folder(tmp_path / "new", None, force=False)


def test_mistakes_have_the_maps_of_their_answer_and_of_the_truth(trained: TrainResult) -> None:
    predictor = Predictor.open(trained.bundle, threads=1)
    rng = np.random.default_rng(0)
    pictures = {f"{k}.png": rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for k in range(MOST + 2)}
    mistakes = [(name, "red", "blue") for name in ["gone.png", *pictures]]
    told = []

    found = mistake_maps(
        predictor,
        mistakes,
        pictures,
        threads=2,
        progress=lambda stage, done, total, note="": told.append(done),
    )

    assert list(found) == list(pictures)[:MOST]
    assert told == list(range(1, MOST + 1))
    for name, both in found.items():
        np.testing.assert_array_equal(both, occlusion_maps(predictor, pictures[name], [2, 0], fine=False))


def test_the_page_of_an_evaluation_shows_what_its_mistakes_rest_on(
    trained: TrainResult, tmp_path: Path, colors: Path
) -> None:
    for name in ("red", "blue"):  # the other way round: every answer is a mistake
        (tmp_path / "swapped" / name).mkdir(parents=True)
    for k in range(3):
        for name, channel in (("red", 2), ("blue", 0)):
            pixels = np.random.default_rng(100 + k).integers(0, 150, (40, 40, 3), dtype=np.uint8)
            pixels[..., channel] += 70
            Image.fromarray(pixels).save(tmp_path / "swapped" / name / f"{k}.png")

    found = evaluate(trained.bundle, tmp_path / "swapped", terms=Running(threads=1))
    write_page(found, tmp_path / "page.html", threads=1)

    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('class="looks"') == len(found.report.worst_mistakes) > 1
    assert "what speaks for the answer (left) and for the true class (right)" in page
