"""How many pictures or clips a predictor is asked about together: few frames, whatever the threads."""

import numpy as np
import pytest

from foveal.core.batches import together
from foveal.evaluate.answers import answers, probabilities_at_size
from foveal.evaluate.held_out import HeldOut
from foveal.evaluate.resistance import resistance

CLIPS = 5
SHAPE = (8, 224, 224, 3)


@pytest.fixture
def clips():
    """Return clips of one colour each, at model size, and their labels."""
    labels = np.arange(CLIPS) % 3
    colours = 60 + 120 * np.eye(3, dtype=np.uint8)[labels] + np.arange(CLIPS, dtype=np.uint8)[:, None]
    return np.broadcast_to(colours[:, None, None, None], (CLIPS, *SHAPE)), labels


@pytest.fixture
def films(clips):
    images, labels = clips
    return HeldOut(labels, [f"{place}.mkv" for place in range(CLIPS)], lambda place: images[place])


def most_frames(predictor):
    return max(np.prod(shape[:-3]) for shape in predictor.asked)


def test_of_large_clips_few_are_answered_together(of_clips, films, clips):
    read = answers(of_clips, films, threads=1)
    at_size = probabilities_at_size(of_clips, clips[0])

    np.testing.assert_array_equal(read.probabilities, at_size)
    assert (read.probabilities.argmax(axis=1) == films.labels).all()
    assert most_frames(of_clips) == 8 * together(SHAPE) == 16


def test_of_large_clips_few_are_corrupted_and_attacked_together(of_clips, clips):
    images, labels = clips

    resistance(of_clips, images[:3], labels[:3], queries=1, seed=0)

    assert most_frames(of_clips) <= 8 * together(SHAPE)


@pytest.mark.parametrize("threads", [2, 3])
def test_the_threads_decide_neither_what_is_asked_together_nor_an_answer(of_clips, films, clips, threads):
    alone = answers(of_clips, films, threads=1)
    asked = sorted(of_clips.asked)
    of_clips.asked.clear()

    found = answers(of_clips, films, threads=threads)

    np.testing.assert_array_equal(found.probabilities, alone.probabilities)
    assert sorted(of_clips.asked) == asked


def test_small_pictures_are_answered_32_together(predictor, coloured):
    answers(predictor, coloured(70), threads=1)

    assert [shape[0] for shape in predictor.asked] == [32, 32, 6]
