"""flows.evaluate: never on pictures that were learned from; classes by name; the page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.manifest import Data, Draft, Images, Licenses, Model
from foveal.core.errors import DataError, NotFoundError, UsageError, WriteError
from foveal.data import inventory as inventories
from foveal.data import opening
from foveal.data import split as splits
from foveal.data.preprocess import Preprocess
from foveal.flows._page import check_page
from foveal.flows.evaluate import evaluate, write_page
from foveal.report import words
from foveal.tasks.classify.decode import Abstain, Conformal, Decision
from foveal.train.recipe import Recipe, write_recipe

CLASSES = ("blue", "green", "red")
SIZE = 8
LAST_DIGIT = r"(\w+)/\d(\d)\."  # pictures of one class whose numbers end alike


def brightest() -> bytes:
    """Return a graph whose logits are the mean of each channel, blue first, as CLASSES wants."""
    nodes = [
        helper.make_node("Cast", ["images"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["values", "axes"], ["means"], keepdims=0),
        helper.make_node("Gather", ["means", "order"], ["ordered"], axis=1),
        helper.make_node("Div", ["ordered", "scale"], ["logits"]),
        helper.make_node("Div", ["logits", "temperature"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["probabilities"], axis=1),
    ]
    constants = [
        numpy_helper.from_array(np.array([1, 2]), "axes"),
        numpy_helper.from_array(np.array([2, 1, 0]), "order"),
        numpy_helper.from_array(np.array(20, np.float32), "scale"),
        numpy_helper.from_array(np.array(1, np.float32), "temperature"),
    ]
    images = helper.make_tensor_value_info("images", TensorProto.UINT8, ["N", SIZE, SIZE, 3])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3])
        for name in ("probabilities", "logits")
    ]
    graph = helper.make_graph(nodes, "brightest", [images], outputs, constants)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10
    ).SerializeToString()


def paint(folder: Path, classes=CLASSES, *, each=20, seed=0) -> Path:
    """Write pictures whose class is, mostly, their brightest channel."""
    rng = np.random.default_rng(seed)
    for name in classes:
        (folder / name).mkdir(parents=True)
        for number in range(each):
            level = rng.integers(40, 150, size=3)
            level[{"red": 0, "green": 1, "blue": 2}.get(name, 0)] += 45
            pixels = (level + rng.normal(scale=10, size=(SIZE, SIZE, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """Return a folder with training data, a run that was made of them, and the run's bundle alone."""
    root = tmp_path_factory.mktemp("world")
    paint(root / "data")
    return with_run(root)


def with_run(root: Path, *, group: str | None = None) -> Path:
    """Make a run, and a bundle alone, of the data in a folder."""
    dataset = opening.open(root / "data", group=group)
    inventory = inventories.take(dataset)
    split = splits.make(dataset, inventory, seed=5)
    (root / "run").mkdir()
    document = split.to_json(dataset, inventory.sha256)
    (root / "run" / "split.json").write_text(json.dumps(document), encoding="utf-8")
    model, preprocess = brightest(), Preprocess(size=SIZE, channels=3, mean=(0.5,) * 3, std=(0.5,) * 3)
    draft = Draft(
        foveal="0.1.0",
        classes=CLASSES,
        preprocess=preprocess,
        decision=Decision(
            abstain=Abstain(threshold=0.6, risk=0.05, delta=0.05, n=9),
            conformal=Conformal(alpha=0.1, quantile=0.8, n=9),
        ),
        temperature=1.0,
        model=Model(name="nano", parameters=1, source="scratch"),
        weights_sha256="0" * 64,
        data=Data(
            fingerprint=inventory.fingerprint,
            split_seed=5,
            images=Images(fit=len(split.fit), calib=len(split.calib), test=len(split.test)),
            split_digest=split.digest,
        ),
        licenses=Licenses(code=None, weights=None, data=None),
    )
    session = onnxruntime(model, threads=1)
    archive.seal(root / "run" / "data.foveal", draft, model=model, golden=golden.measure(session, preprocess))
    (root / "alone").mkdir()
    shutil.copy(root / "run" / "data.foveal", root / "alone" / "data.foveal")
    return root


def saved(world: Path, role: str) -> list[str]:
    document = json.loads((world / "run" / "split.json").read_text(encoding="utf-8"))
    return [source for source, _ in document[role]]


@pytest.mark.parametrize("model", ["run", "run/data.foveal", "alone/data.foveal"])
def test_of_the_training_data_only_the_saved_test_part_is_measured(world, model):
    found = evaluate(world / model, world / "data")

    document = found.report.as_json()
    assert sorted(found.held_out.sources) == sorted(saved(world, "test"))
    assert (document["split"], document["images"]) == ("test", 9)
    assert (document["provenance"]["unseen"], document["provenance"]["split_seed"]) == ("split", 5)
    assert document["bundle"].endswith("data.foveal")


def test_the_answers_are_those_of_the_pictures_through_the_served_preprocessing(world):
    from foveal.bundle.predictor import Predictor

    found = evaluate(world / "run", world / "data")

    predictor = Predictor.open(world / "run")
    labels = predictor.predict([world / "data" / source for source in found.held_out.sources])
    right = [label.label == Path(label.source).parent.name for label in labels]
    assert found.report.metrics.accuracy.value == np.mean(right)


@pytest.mark.parametrize("model", ["run", "alone"])
def test_the_calibration_part_can_be_asked_for_and_the_learned_part_cannot(world, model):
    calibrated = evaluate(world / model, world / "data", split="val")
    assert sorted(calibrated.held_out.sources) == sorted(saved(world, "calib"))
    assert calibrated.report.provenance["unseen"] == "calibration"
    assert any("calibrated" in sentence for sentence in words.unproven(calibrated.report.as_json()))
    first = saved(world, "fit")[0]
    with pytest.raises(DataError, match=f"42 of 42 pictures were learned from, the first is {first};"):
        evaluate(world / model, world / "data", split="train")
    with pytest.raises(UsageError, match="no split 'final'; the training made: fit, calib, test"):
        evaluate(world / model, world / "data", split="final")


def test_of_other_data_everything_is_measured(world, tmp_path):
    other = paint(tmp_path / "other", each=4, seed=1)

    of_run, of_bundle = (evaluate(world / model, other).report.as_json() for model in ("run", "alone"))

    assert (of_run["images"], of_run["split"]) == (12, "all")
    assert of_run["provenance"]["unseen"] == "content"
    assert of_bundle["provenance"]["unseen"] is None, "a bundle does not know what it was made of"
    assert of_run["metrics"] == of_bundle["metrics"]
    assert len(of_run["provenance"]["fingerprint"]) == 64


def test_pictures_that_calibrated_it_are_not_passed_off_as_unseen(world, tmp_path):
    other = paint(tmp_path / "other", each=4, seed=1)
    shutil.copy(world / "data" / saved(world, "calib")[0], other / "red" / "copied.png")

    document = evaluate(world / "run", other).report.as_json()

    assert document["provenance"]["unseen"] == "calibration"
    assert any("calibrated" in sentence for sentence in words.unproven(document))


def test_training_data_that_lost_a_picture_are_still_measured_on_what_was_held_out(world, tmp_path):
    changed = Path(shutil.copytree(world / "data", tmp_path / "changed"))
    (changed / saved(world, "fit")[0]).unlink()
    (changed / saved(world, "test")[0]).unlink()

    found = evaluate(world / "run", changed, split="test")

    assert sorted(found.held_out.sources) == sorted(saved(world, "test")[1:])
    with pytest.raises(DataError, match="were learned from"):
        evaluate(world / "run", changed)


def test_a_page_whose_name_no_file_can_have_is_refused_before_any_work(world, tmp_path):
    for page in (tmp_path / ("x" * 300 + ".html"), tmp_path / ("x" * 300) / "page.html"):
        with pytest.raises(WriteError):
            check_page(page, world / "data", force=False)


def test_copies_of_a_picture_count_once_among_independent_ones(world, tmp_path):
    other = paint(tmp_path / "other", each=4, seed=1)
    shutil.copy(other / "red" / "00.png", other / "red" / "again.png")

    document = evaluate(world / "run", other).report.as_json()

    assert (document["images"], document["provenance"]["independent_images"]) == (13, 12)
    assert any("counted once each they are 12" in sentence for sentence in words.unproven(document))


def test_a_page_is_not_written_into_the_data(world):
    with pytest.raises(WriteError) as caught:
        check_page(world / "data" / "page.html", world / "data", force=False)

    assert caught.value.code == "inside_data"


def test_a_split_that_cannot_be_drawn_again_is_refused_unless_the_run_tells_it(tmp_path):
    data = paint(tmp_path / "data")
    pairs = sorted(path.relative_to(data) for path in data.rglob("*.png"))
    rows = "".join(f"{path.as_posix()},{path.parent.name}-{int(path.stem) // 4}\n" for path in pairs)
    (data / "groups.csv").write_text("picture,group\n" + rows, encoding="utf-8")
    with_run(tmp_path)
    assert len(evaluate(tmp_path / "alone" / "data.foveal", data).held_out) > 0
    (data / "groups.csv").unlink()

    told = evaluate(tmp_path / "run", data)

    assert sorted(told.held_out.sources) == sorted(saved(tmp_path, "test"))
    with pytest.raises(DataError, match="is not the one that the bundle was trained with") as caught:
        evaluate(tmp_path / "alone" / "data.foveal", data)
    assert caught.value.code == "split_mismatch"


def test_a_bundle_that_was_trained_with_a_group_divides_the_data_the_same_way_when_told(tmp_path):
    data = paint(tmp_path / "data")
    with_run(tmp_path, group=LAST_DIGIT)
    alone = tmp_path / "alone" / "data.foveal"

    of_run = evaluate(tmp_path / "run", data)
    told = evaluate(alone, opening.open(data, group=LAST_DIGIT))

    assert told.held_out.sources == of_run.held_out.sources
    assert 2 * len(np.unique(of_run.held_out.units)) == len(of_run.held_out)
    with pytest.raises(DataError, match="is not the one that the bundle was trained with") as caught:
        evaluate(alone, data)
    assert "--group" in caught.value.hint


def test_other_data_are_grouped_as_the_run_was_told_where_they_know_the_key(tmp_path):
    paint(tmp_path / "data")
    with_run(tmp_path, group=LAST_DIGIT)
    write_recipe(Recipe(group=LAST_DIGIT), tmp_path / "run" / "recipe.toml")
    same, other = (paint(tmp_path / name, each=12, seed=5) for name in ("same", "other"))
    for path in list(other.rglob("*.png")):
        path.rename(path.with_name(f"x{path.name}"))

    units = [len(np.unique(evaluate(tmp_path / "run", data).held_out.units)) for data in (same, other)]

    assert units == [30, 36]


def test_a_picture_that_was_learned_from_is_an_error_that_names_it(world, tmp_path):
    other = paint(tmp_path / "other", each=4, seed=1)
    shutil.copy(world / "data" / saved(world, "fit")[3], other / "red" / "copied.png")

    with pytest.raises(
        DataError, match=r"1 of 13 pictures were learned from, the first is red/copied\.png"
    ) as caught:
        evaluate(world / "run", other)

    assert caught.value.code == "trained_on"
    assert caught.value.path == str(other / "red" / "copied.png")
    assert evaluate(world / "alone", other).report.images == 13


def test_the_test_part_laid_out_elsewhere_is_no_error(world, tmp_path):
    for source in saved(world, "test"):
        (tmp_path / "part" / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(world / "data" / source, tmp_path / "part" / source)

    assert evaluate(world / "run", tmp_path / "part").report.images == 9


def test_a_named_split_of_other_data_is_measured_alone(world, tmp_path):
    paint(tmp_path / "other" / "train", each=5, seed=1)
    paint(tmp_path / "other" / "test", each=3, seed=2)

    document = evaluate(world / "run", tmp_path / "other", split="test").report.as_json()

    assert (document["images"], document["split"]) == (9, "test")
    assert evaluate(world / "run", tmp_path / "other").report.images == 24
    with pytest.raises(UsageError, match="no split 'val'; it has: train, test"):
        evaluate(world / "run", tmp_path / "other", split="val")


def test_data_may_hold_only_one_split_and_a_plain_folder_is_what_the_user_says(world, tmp_path):
    paint(tmp_path / "one" / "test", each=3, seed=2)
    plain = paint(tmp_path / "plain", each=2, seed=3)

    assert evaluate(world / "run", tmp_path / "one").report.split == "test"
    assert evaluate(world / "run", plain, split="test").report.split == "test"


def test_a_class_the_model_lacks_is_an_error_and_one_that_is_absent_is_listed(world, tmp_path):
    strange = paint(tmp_path / "strange", ("red", "mauve"), each=2, seed=1)
    partial = paint(tmp_path / "partial", ("red", "blue"), each=9, seed=1)

    with pytest.raises(DataError, match=r"does not know 1 of the classes .*'mauve'") as caught:
        evaluate(world / "run", strange)
    document = evaluate(world / "run", partial).report.as_json()

    assert caught.value.code == "unknown_classes"
    assert "'blue', 'green', 'red'" in str(caught.value.hint)
    assert document["absent_classes"] == ["green"]
    assert document["metrics"]["accuracy"]["value"] > 0.5, "labels are matched by name, not by number"
    assert {one["class"] for one in document["metrics"]["per_class"]} == {"blue", "red"}


def test_an_unreadable_picture_is_listed(world, tmp_path):
    other = paint(tmp_path / "other", each=4, seed=1)
    (other / "red" / "00.png").write_bytes((other / "red" / "00.png").read_bytes()[:60])

    document = evaluate(world / "run", other).report.as_json()

    assert document["images"] == 11
    assert [one["source"] for one in document["unreadable"]] == ["red/00.png"]


def test_a_picture_that_is_too_large_is_listed_and_not_hashed(world, tmp_path, monkeypatch):
    other = paint(tmp_path / "other", each=4, seed=1)
    (other / "red" / "00.png").write_bytes(b"\0" * 5000)
    monkeypatch.setattr("foveal.data.inventory.LIMITS", type("Limits", (), {"content_bytes": 4000}))

    assert evaluate(world / "run", other).report.images == 11


def test_a_file_that_is_gone_when_it_is_read_is_listed(world, tmp_path):
    dataset = opening.open(paint(tmp_path / "other", each=4, seed=1))
    (tmp_path / "other" / "green" / "02.png").unlink()

    document = evaluate(world / "run", dataset).report.as_json()

    assert [one["source"] for one in document["unreadable"]] == ["green/02.png"]


def test_a_split_beside_the_bundle_that_belongs_to_other_data_is_ignored(world, tmp_path):
    shutil.copy(world / "alone" / "data.foveal", tmp_path / "data.foveal")
    foreign = {"schema": splits.SCHEMA, "fingerprint": "other"}
    (tmp_path / "split.json").write_text(json.dumps(foreign), encoding="utf-8")

    assert evaluate(tmp_path, world / "data").report.images == 9


@pytest.mark.parametrize("content", ["{", "[]", "{}", "\udc80"])
def test_a_damaged_split_is_an_error(world, tmp_path, content):
    shutil.copy(world / "alone" / "data.foveal", tmp_path / "data.foveal")
    (tmp_path / "split.json").write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(DataError, match=r"split.json is damaged"):
        evaluate(tmp_path, world / "data")


def test_a_role_without_pictures_is_an_error(tmp_path):
    paint(tmp_path / "data", each=2)  # one to fit and one to test, none to calibrate
    with_run(tmp_path)

    with pytest.raises(DataError, match="has no calib picture"):
        evaluate(tmp_path / "run", tmp_path / "data", split="calib")


def test_what_is_not_there_is_said(world, tmp_path):
    with pytest.raises(NotFoundError, match="nowhere"):
        evaluate(world / "run", tmp_path / "nowhere")
    with pytest.raises(NotFoundError, match=r"nowhere.foveal"):
        evaluate(tmp_path / "nowhere.foveal", world / "data")


def test_progress_speaks_of_files_and_of_measuring(world):
    said = []

    evaluate(world / "run", world / "data", progress=lambda stage, done, total, note="": said.append(stage))

    assert list(dict.fromkeys(said)) == ["reading files", "measuring", "disturbing"]


def test_the_page_shows_the_worst_mistakes(world, tmp_path):
    found = evaluate(world / "run", paint(tmp_path / "other", each=30, seed=1))
    page = tmp_path / "page.html"

    write_page(found, page)

    mistakes = found.report.worst_mistakes
    assert mistakes
    assert mistakes[0].source in page.read_text(encoding="utf-8")
    assert page.read_text(encoding="utf-8").count("data:image") >= len(mistakes)


def test_a_mistake_whose_picture_is_gone_is_named_without_it(world, tmp_path):
    other = paint(tmp_path / "other", each=30, seed=1)
    found = evaluate(world / "run", other)
    gone = found.report.worst_mistakes[0].source
    (other / gone).unlink()

    write_page(found, tmp_path / "page.html")

    assert gone in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_page_that_could_not_be_written_is_refused_beforehand(tmp_path):
    (tmp_path / "page.html").write_text("mine", encoding="utf-8")

    with pytest.raises(WriteError, match="is there already"):
        check_page(tmp_path / "page.html", tmp_path / "data", force=False)
    with pytest.raises(WriteError, match="there is no folder"):
        check_page(tmp_path / "no" / "page.html", tmp_path / "data", force=True)
    check_page(tmp_path / "page.html", tmp_path / "data", force=True)
    check_page(tmp_path / "new.html", tmp_path / "data", force=False)
