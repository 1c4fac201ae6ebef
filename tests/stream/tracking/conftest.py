"""Scenes whose truth is known: boxes that go straight, are found or not, and doubtful now and then."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pytest

from foveal.stream.tracking.tracker import Tracked, Tracker

Frame = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]


@dataclass
class Walker:
    """An object: where its middle is at the time 0, its speed in pixels per second, its size and class."""

    place: tuple[float, float]
    speed: tuple[float, float]
    size: float = 20.0
    label: int = 0
    begins: float = 0.0
    ends: float = np.inf
    gone: tuple[float, float] = (np.inf, np.inf)
    doubtful: tuple[float, float] = (np.inf, np.inf)

    def box(self, time: float) -> np.ndarray:
        middle = np.array(self.place) + time * np.array(self.speed)
        return np.concatenate([middle - self.size / 2, middle + self.size / 2])

    def found(self, time: float) -> bool:
        return self.begins <= time <= self.ends and not self.gone[0] <= time <= self.gone[1]

    def score(self, time: float) -> float:
        return 0.2 if self.doubtful[0] <= time <= self.doubtful[1] else 0.9


def frames(walkers: list[Walker], times: np.ndarray, *, noise: float = 0.3, seed: int = 0) -> Iterator[Frame]:
    """Yield boxes, scores, labels, which walker each is, and the time."""
    rng = np.random.default_rng(seed)
    for time in times:
        who = [number for number, one in enumerate(walkers) if one.found(time)]
        rng.shuffle(who)
        boxes = np.array([walkers[i].box(time) for i in who]).reshape(-1, 4)
        boxes = boxes + rng.normal(0, noise, boxes.shape)
        scores = np.array([walkers[i].score(time) for i in who])
        labels = np.array([walkers[i].label for i in who], np.int64)
        yield (
            boxes.astype(np.float32),
            scores.astype(np.float32),
            labels,
            np.array(who, np.int64),
            float(time),
        )


@dataclass
class Followed:
    """What a tracker made of a scene: its answers, and the walker behind each track of each of them."""

    answers: list[Tracked]
    who: list[np.ndarray]

    def ids_of(self, walker: int, *, confirmed: bool = True) -> list[int]:
        """List the ids that a walker had, in order."""
        found: list[int] = []
        for answer, who in zip(self.answers, self.who, strict=True):
            for one, sure in zip(answer.ids[who == walker], answer.confirmed[who == walker], strict=True):
                if (sure or not confirmed) and one not in found:
                    found.append(int(one))
        return found


@pytest.fixture(scope="session")
def walker() -> type[Walker]:
    return Walker


@pytest.fixture(scope="session")
def follow() -> Callable[..., Followed]:
    """Return what follows walkers by a tracker, at times in seconds."""

    def run(walkers: list[Walker], times: np.ndarray, tracker: Tracker | None = None, **options) -> Followed:
        tracker, answers, whose = tracker or Tracker(), [], []
        for boxes, scores, labels, who, time in frames(walkers, times, **options):
            answer = tracker.update(boxes, scores, labels, time)
            answers.append(answer)
            whose.append(who[answer.detections])
        return Followed(answers, whose)

    return run
