"""Streams of a recognizer of clips: frames as far apart as in training, and nothing made up."""

import threading

import numpy as np
import pytest

import films
from foveal.bundle.predictor import Predictor
from foveal.bundle.rolling import WarmingUp
from foveal.core.errors import UsageError
from foveal.stream.pace import Pace
from foveal.stream.shot import Shot
from foveal.stream.shown import Shown

FRAMES = np.random.default_rng(5).integers(0, 256, (24, 16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def predictor(clip_bundle):
    return Predictor.open(clip_bundle, engine="onnxruntime", threads=1)


def shots(times, begins=()):
    return [Shot(t, t, lambda: b"", begins=t in begins) for t in times]


@pytest.mark.parametrize("rate", [5, 10, 12.5, 30, 60])
def test_frames_are_taken_at_the_pace_of_the_training_clips(rate):
    pace, times = Pace(0.2), np.arange(0, 10, 1 / rate)

    taken = [shot.time_s for shot in shots(times) if pace.takes(shot)]

    assert len(taken) == pytest.approx(50, abs=1)
    assert max(abs(t - 0.2 * k) for k, t in enumerate(taken)) <= 1 / rate


def test_a_film_breaks_where_it_begins_or_where_a_gap_is_long():
    pace = Pace(0.2)
    broke = []
    for shot in shots([0, 0.2, 0.4, 0.6, 2.0, 2.2, 2.3], begins=[2.3]):
        broke.append(pace.breaks(shot))
        pace.takes(shot)

    assert broke == [True, False, False, False, True, False, True]


def test_a_film_is_answered_once_enough_of_it_was_seen(watch, predictor, tmp_path):
    path = films.write(tmp_path / "a.mkv", FRAMES, rate=10)  # every second frame is taken

    summary, told = watch(path)

    shown = [item for item in told if isinstance(item, Shown)]
    assert [one.frame for one in shown] == list(range(0, 24, 2))
    assert [one.answer for one in shown[:3]] == [WarmingUp(3), WarmingUp(2), WarmingUp(1)]
    assert shown[0].as_json()["result"] is None
    assert shown[0].as_json()["warming_up"] == 3
    assert all(one.dropped == 0 for one in shown)
    assert (summary.frames, summary.between, summary.captured) == (12, 12, 24)
    for place in range(3, 12):
        clip = FRAMES[2 * place - 6 : 2 * place + 1 : 2]
        whole = predictor.run(clip[None]).probabilities[0]
        np.testing.assert_allclose(list(shown[place].answer.scores.values()), whole, atol=1e-5)


def test_a_film_that_begins_anew_is_another_film(watch, predictor, tmp_path):
    path = films.write(tmp_path / "a.mkv", FRAMES[:10], rate=5)

    over, count = threading.Event(), iter(range(24))

    def tell(item):
        if next(count, None) is None:
            over.set()

    _, told = watch(path, loop=True, stop=over, tell=tell)

    warming = [isinstance(item.answer, WarmingUp) for item in told if isinstance(item, Shown)]
    assert warming[:24] == (3 * [True] + 7 * [False] + 3 * [True] + 7 * [False] + 3 * [True] + [False])


def test_a_folder_of_pictures_is_no_film(watch, predictor, tmp_path):
    with pytest.raises(UsageError, match="a folder holds pictures"):
        watch(tmp_path)
