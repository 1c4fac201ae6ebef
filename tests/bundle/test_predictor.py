"""bundle.predictor: one verified loader; answers in order, lazily, whatever some inputs are."""

import dataclasses
import itertools
import shutil
import threading

import numpy as np
import pytest
from PIL import Image

import foveal
from foveal.bundle import archive, golden
from foveal.bundle.engines.onnxruntime import onnxruntime
from foveal.bundle.predictor import Predictor, Unreadable
from foveal.core.errors import BundleError, ImageError, NotFoundError, UnknownNameError, UsageError
from foveal.core.types import Label
from foveal.tasks.classify.decode import decode

COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


@pytest.fixture(scope="module")
def predictor(bundle):
    return Predictor.open(bundle, threads=1)


@pytest.fixture
def pictures(tmp_path):
    """Twelve files of different sizes in turning colours."""
    paths = []
    for number, color in zip(range(12), itertools.cycle(COLORS.values()), strict=False):
        side = 400 if number % 4 == 0 else 20 + number
        paths.append(tmp_path / f"{number:02}.png")
        Image.new("RGB", (side, side + number), color).save(paths[-1])
    return paths


def sealed(path, draft, model, *, other=None):
    """A bundle of `model` whose golden vectors come from `other`."""
    vectors = golden.measure(onnxruntime(other or model, threads=1), draft.preprocess)
    archive.seal(path, draft, model=model, golden=vectors)
    return path


def test_red_stays_red(predictor) -> None:
    for name, color in COLORS.items():
        [label] = predictor.predict(np.full((30, 20, 3), color, np.uint8))
        assert label.label == name


def test_attributes_come_from_the_manifest(predictor, draft) -> None:
    assert predictor.classes == ("red", "green", "blue")
    assert predictor.preprocess == draft().preprocess
    assert predictor.decision == draft().decision
    assert predictor.digest == predictor.manifest.digest
    assert predictor.report is None


def test_load_takes_a_bundle_or_its_run_folder(bundle, tmp_path) -> None:
    shutil.copy(bundle, tmp_path / "colors.foveal")

    assert isinstance(foveal.load(bundle), foveal.Predictor)
    assert foveal.load(str(tmp_path), threads=1).digest == foveal.load(bundle).digest


def test_attached_report_is_there(bundle, tmp_path, predictor) -> None:
    path = shutil.copy(bundle, tmp_path / "colors.foveal")
    archive.attach_report(path, {"digest": predictor.digest})

    assert Predictor.open(path).report == {"digest": predictor.digest}


def test_run_answers_as_the_session_does(predictor) -> None:
    images = np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3), dtype=np.uint8)

    outputs = predictor.run(images[::-1])

    probabilities, logits = predictor.session.run(images[::-1].copy())
    assert np.array_equal(outputs.probabilities, probabilities)
    assert np.array_equal(outputs.logits, logits)


def test_run_of_nothing_is_nothing(predictor) -> None:
    outputs = predictor.run(np.empty((0, 16, 16, 3), np.uint8))

    assert outputs.probabilities.shape == outputs.logits.shape == (0, 3)


@pytest.mark.parametrize(
    "images", [np.zeros((1, 16, 16, 3)), np.zeros((16, 16, 3), np.uint8), np.zeros((1, 17, 16, 3), np.uint8)]
)
def test_run_refuses_what_is_not_at_model_size(predictor, images) -> None:
    with pytest.raises(UsageError, match=r"run needs uint8 \(N, 16, 16, 3\); got"):
        predictor.run(images)


def test_predict_decodes_with_the_decision_of_the_bundle(predictor, pictures) -> None:
    labels = predictor.predict(pictures)

    inputs = np.stack([predictor.preprocess.from_bytes(path.read_bytes()) for path in pictures])
    expected = decode(
        predictor.run(inputs).probabilities,
        classes=predictor.classes,
        decision=predictor.decision,
        sources=list(map(str, pictures)),
    )
    assert [label.label for label in labels] == [label.label for label in expected]
    assert [label.source for label in labels] == [label.source for label in expected]
    assert np.allclose([label.confidence for label in labels], [label.confidence for label in expected])


def test_one_and_several_of_every_kind_are_taken(predictor, pictures) -> None:
    array = np.asarray(Image.open(pictures[0]))
    [expected] = predictor.predict(pictures[0])

    for one in (str(pictures[0]), pictures[0].read_bytes(), array):
        [label] = predictor.predict(one)
        assert label.scores == expected.scores
    several = predictor.predict([pictures[0], pictures[0].read_bytes(), array])
    assert [label.source for label in several] == [str(pictures[0]), "#1", "#2"]
    assert predictor.predict(np.stack([array, array]))[1].scores == expected.scores
    assert predictor.predict([]) == []
    assert [label.source for label in predictor.predict_each(str(pictures[0]))] == [str(pictures[0])]


def test_predict_raises_for_an_unusable_input_and_names_it(predictor, pictures, tmp_path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")

    with pytest.raises(ImageError, match="no picture") as caught:
        predictor.predict([pictures[0], tmp_path / "bad.png"])
    assert caught.value.path == str(tmp_path / "bad.png")
    with pytest.raises(NotFoundError, match="there is no nix"):
        predictor.predict("nix")
    with pytest.raises(UsageError, match="got int"):
        predictor.predict(3)
    with pytest.raises(ImageError, match="got object"):
        predictor.predict(np.array(["a.png"], dtype=object))


@pytest.mark.parametrize("workers", [1, 2, 5])
@pytest.mark.parametrize("batch", [1, 5])
def test_answers_come_in_order_around_unusable_inputs(predictor, pictures, tmp_path, workers, batch) -> None:
    (tmp_path / "bad.png").write_bytes(b"text that is no picture")
    inputs = [*pictures[:5], tmp_path / "bad.png", "nix.png", b"", np.zeros(3), *pictures[5:]]
    alone = {str(path): predictor.predict(path)[0] for path in pictures}

    answers = list(predictor.predict_each(inputs, workers=workers, batch=batch))

    assert [a.source for a in answers] == [
        *map(str, pictures[:5]), str(tmp_path / "bad.png"), "nix.png", "#7", "#8", *map(str, pictures[5:])
    ]  # fmt: skip
    codes = [a.error.code for a in answers if isinstance(a, Unreadable)]
    assert codes == ["not_image", "not_found", "empty", "bad_array"]
    for answer in answers:
        if isinstance(answer, Label):
            assert answer.label == alone[answer.source].label
            assert answer.scores == alone[answer.source].scores, "workers and batches change nothing"


def test_unreadable_is_the_contracts_object() -> None:
    error = ImageError("the file is empty", code="empty", path="a.png")

    assert Unreadable("a.png", error).as_json() == {
        "source": "a.png",
        "error": {"code": "empty", "message": "the file is empty", "hint": None, "path": "a.png"},
    }


@pytest.mark.parametrize("workers", [1, 3])
def test_inputs_are_taken_only_as_they_are_needed(predictor, workers) -> None:
    taken = itertools.count()
    picture = np.zeros((16, 16, 3), np.uint8)
    many = (picture for _ in iter(lambda: next(taken), 5000))

    answers = list(itertools.islice(predictor.predict_each(many, workers=workers), 100))

    assert len(answers) == 100
    assert answers[-1].source == "#99"
    assert next(taken) < 100 + 50 * workers, "a million inputs take no more memory than ten"


def test_a_reader_that_stops_early_leaves_no_thread_behind(predictor, pictures) -> None:
    answers = predictor.predict_each(itertools.cycle(pictures), workers=3)
    next(answers)
    answers.close()

    assert not [thread for thread in threading.enumerate() if thread.name.startswith("foveal-predict")]


def test_an_error_of_the_caller_ends_it(predictor, pictures) -> None:
    answers = predictor.predict_each([*pictures, 3], workers=2)

    with pytest.raises(UsageError, match="got int"):
        list(answers)


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"batch": 0}])
def test_no_workers_are_refused_at_once(predictor, wrong) -> None:
    with pytest.raises(UsageError, match="workers and batch are at least 1"):
        predictor.predict_each([], **wrong)


def test_golden_vectors_of_another_model_are_refused(tmp_path, classifier, draft) -> None:
    path = sealed(tmp_path / "x.foveal", draft(), classifier(), other=classifier(temperature=3))

    with pytest.raises(BundleError, match="in fp32 does not compute what was measured at sealing") as caught:
        Predictor.open(path)
    assert caught.value.code == "golden_mismatch"
    assert caught.value.path == str(path)


def test_each_turn_verifies_another_golden_vector_and_finds_what_has_changed(predictor, classifier) -> None:
    inputs: list[np.ndarray] = []
    seen = Seen(predictor.session, inputs)
    for turn in range(len(predictor.golden.inputs) + 1):
        dataclasses.replace(predictor, session=seen).verify(turn)
    np.testing.assert_array_equal(np.concatenate(inputs[:-1]), predictor.golden.inputs)
    np.testing.assert_array_equal(inputs[-1], predictor.golden.inputs[:1])

    changed = dataclasses.replace(predictor, session=onnxruntime(classifier(temperature=3), threads=1))
    with pytest.raises(BundleError) as caught:
        changed.verify(1)
    assert caught.value.code == "golden_mismatch"


@dataclasses.dataclass
class Seen:
    """A session that notes what it runs."""

    inner: object
    inputs: list[np.ndarray]

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def run(self, images):
        self.inputs.append(images)
        return self.inner.run(images)


def test_model_of_another_size_than_its_preprocessing_is_refused(tmp_path, classifier, draft) -> None:
    path = sealed(tmp_path / "x.foveal", draft(), classifier(size=17), other=classifier())

    with pytest.raises(BundleError, match=r"takes \(17, 17, 3\), the manifest's preprocessing gives \(16"):
        Predictor.open(path)


def test_model_with_another_number_of_classes_is_refused(tmp_path, classifier, draft) -> None:
    path = sealed(tmp_path / "x.foveal", draft(), classifier(classes=5), other=classifier())

    with pytest.raises(BundleError, match="the model has 5 classes, the manifest 3"):
        Predictor.open(path)


def test_unknown_engine_lists_those_there_are(bundle) -> None:
    with pytest.raises(UnknownNameError, match="engines has no 'onnxrt'; did you mean 'onnxruntime'"):
        Predictor.open(bundle, engine="onnxrt")


def test_who_watches_is_told_of_every_answer_and_its_picture_in_order(predictor, pictures, tmp_path) -> None:
    (tmp_path / "bad.png").write_bytes(b"x")
    inputs, told = [*pictures[:5], tmp_path / "bad.png", *pictures[5:]], []

    def watch(answer: Label, image: np.ndarray) -> None:
        told.append((answer, image))

    answers = list(predictor.predict_each(inputs, workers=4, batch=2, watch=watch))

    assert [answer for answer, _ in told] == [a for a in answers if isinstance(a, Label)]
    for answer, image in told:
        assert image.shape == (16, 16, 3)
        assert predictor.predict(image)[0].scores == answer.scores
