"""A film frame by frame gives what its clips give, and no frame is seen twice."""

import numpy as np
import pytest

import films
from foveal.bundle import archive, golden
from foveal.bundle.predictor import Predictor
from foveal.bundle.rolling import Rolling, WarmingUp
from foveal.core.errors import BundleError, ImageError, UsageError
from foveal.core.types import Label

FILM = np.random.default_rng(5).integers(0, 256, (11, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module", params=["onnxruntime", "openvino"])
def predictor(request, clip_bundle):
    pytest.importorskip(request.param)
    return Predictor.open(clip_bundle, engine=request.param, threads=1)


def test_after_t_frames_each_answer_is_that_of_the_clip(predictor):
    rolling = Rolling(predictor)

    answers = [rolling.see(frame)[0] for frame in FILM]

    assert answers[:3] == [WarmingUp(3), WarmingUp(2), WarmingUp(1)]
    for end in range(4, 12):
        whole = predictor.run(FILM[None, end - 4 : end])
        rolled = answers[end - 1]
        assert isinstance(rolled, Label)
        np.testing.assert_allclose(list(rolled.scores.values()), whole.probabilities[0], atol=1e-5)
    assert len({one.label for one in answers[3:]}) > 1, "answers that are all alike would show nothing"


def test_several_frames_at_once_and_many_films_give_the_same(predictor):
    clips = np.stack([FILM[k : k + 4] for k in range(6)])

    window = predictor.step(clips[:, :1], None).window
    parts = predictor.step(clips[:, 1:], window)

    whole = predictor.run(clips)
    np.testing.assert_allclose(parts.logits, whole.logits, atol=1e-5)
    np.testing.assert_allclose(parts.window, whole.window, atol=1e-5)
    assert whole.window.shape == (6, 4, 64)


def test_one_frame_asks_the_network_about_one_frame(predictor, monkeypatch):
    seen = []
    session = predictor.session
    inner = type(session).run

    def run(self, images, window=None):
        seen.append(images.shape[1])
        return inner(self, images, window)

    monkeypatch.setattr(type(session), "run", run)
    rolling = Rolling(predictor)

    for frame in FILM:
        rolling.see(frame)

    assert seen == [1] * len(FILM)


def test_calls_and_films_do_not_know_of_each_other(predictor):
    before = predictor.run(FILM[None, :4]).probabilities
    rolling = Rolling(predictor)
    for frame in FILM[5:]:
        rolling.see(frame)
    rolling.reset()
    answers = [rolling.see(frame)[0] for frame in FILM[:4]]

    assert isinstance(answers[2], WarmingUp)
    np.testing.assert_allclose(list(answers[3].scores.values()), before[0], atol=1e-5)
    np.testing.assert_array_equal(predictor.run(FILM[None, :4]).probabilities, before)


def test_a_frame_that_cannot_be_used_changes_nothing(predictor):
    rolling = Rolling(predictor)
    for frame in FILM[:3]:
        rolling.see(frame)

    with pytest.raises(ImageError):
        rolling.see(b"no picture")

    answer, _ = rolling.see(FILM[3])
    whole = predictor.run(FILM[None, :4]).probabilities[0]
    np.testing.assert_allclose(list(answer.scores.values()), whole, atol=1e-5)


def test_a_film_is_answered_as_its_frames_are(predictor, tmp_path):
    path = films.write(tmp_path / "a.mkv", np.repeat(FILM[:4], 3, axis=0))

    [of_file] = predictor.predict(path)
    [of_frames] = predictor.predict([np.repeat(FILM[:4], 3, axis=0)])

    whole = predictor.run(FILM[None, :4]).probabilities[0]
    np.testing.assert_allclose(list(of_file.scores.values()), whole, atol=1e-6)
    assert of_file.scores == of_frames.scores
    assert of_file.source == str(path)


def test_clips_and_pictures_are_told_apart(predictor, bundle):
    pictures = Predictor.open(bundle, threads=1)

    with pytest.raises(UsageError, match="nothing to remember"):
        Rolling(pictures)
    with pytest.raises(UsageError, match="for pictures, not for films"):
        pictures.step(FILM[None, :1], None)
    with pytest.raises(UsageError, match=r"run needs uint8 \(N, 4, 16, 16, 3\)"):
        predictor.run(FILM[None, :3])
    with pytest.raises(ImageError, match="frames, height, width, channels"):
        predictor.predict([FILM[0]])


def test_golden_clips_move_and_are_compared_on_opening(clip_bundle):
    members = archive.read(clip_bundle)

    assert members.manifest.task == "video"
    assert members.golden.inputs.shape[1:] == (4, 16, 16, 3)
    assert (members.golden.inputs[:, 0] != members.golden.inputs[:, 1]).any()
    other = golden.Golden(members.golden.inputs[:, ::-1].copy(), members.golden.probabilities)
    with pytest.raises(BundleError, match="does not compute"):
        golden.verify(Predictor.open(clip_bundle, engine="onnxruntime", threads=1).session, other)
