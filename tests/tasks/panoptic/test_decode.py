"""tasks.panoptic.decode: every pixel has one class and belongs to one object at most."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from foveal.data.outline import Runs
from foveal.data.preprocess import Preprocess
from foveal.tasks.detect.decode import ObjectAnswers, ObjectDecision
from foveal.tasks.panoptic.decode import decode

PREPROCESS = Preprocess(size=32, width=32, resize="letterbox", channels=3, mean=(0.5,) * 3, std=(0.2,) * 3)
CLASSES = ("sky", "car", "person")
DECISION = ObjectDecision(thresholds=(0.5,) * 3, objects=6, things=(1, 2), n=1)


def seen_on(answers: ObjectAnswers, regions: np.ndarray):
    [seen] = decode(
        answers,
        regions[None],
        classes=CLASSES,
        decision=DECISION,
        preprocess=PREPROCESS,
        sources=["x"],
        sizes=[(32, 32)],
    )
    return seen


def objects(*told: tuple[tuple[int, int, int, int], float, int]) -> ObjectAnswers:
    """Return answers whose masks fill their boxes: box, score and label of each."""
    masks = np.zeros((1, len(told), 8, 8), np.uint8)
    for row, ((left, top, right, bottom), _, _) in enumerate(told):
        masks[0, row, top // 4 : bottom // 4, left // 4 : right // 4] = 255
    return ObjectAnswers(
        np.array([[box for box, _, _ in told]], np.float32),
        np.array([[score for _, score, _ in told]], np.float32),
        np.array([[label for _, _, label in told]]),
        masks,
    )


@given(st.integers(0, 2**31))
@settings(max_examples=60)
def test_no_pixel_belongs_to_two_objects_nor_to_one_of_another_class(seed: int) -> None:
    rng = np.random.default_rng(seed)
    regions = rng.integers(0, 3, (32, 32)).astype(np.uint8)
    told = []
    for score in sorted(rng.uniform(0.3, 1, 6), reverse=True):
        left, top = (4 * rng.integers(0, 6, 2)).tolist()
        told.append(((left, top, left + 8, top + 8), float(score), int(rng.integers(0, 3))))

    seen = seen_on(objects(*told), regions)

    taken = np.zeros((32, 32), int)
    for one in seen.objects:
        assert one.outline is not None
        mask = Runs.from_json(one.outline).mask(32, 32)
        taken += mask
        assert (seen.regions[mask] == CLASSES.index(one.label)).all()
        assert one.label != "sky"
        assert one.confidence >= 0.5
    assert taken.max(initial=0) <= 1
    assert (seen.regions[regions == 0] == 0).all()  # what is only there stays what it is
    assert sum(seen.areas.values()) == 1


def test_the_more_certain_object_is_in_front_and_what_it_hides_is_gone() -> None:
    regions = np.ones((32, 32), np.uint8)
    told = objects(((0, 0, 16, 16), 0.9, 1), ((0, 0, 16, 12), 0.8, 2), ((4, 0, 20, 16), 0.7, 2))

    seen = seen_on(told, regions)

    assert [(one.label, round(one.confidence, 1)) for one in seen.objects] == [("car", 0.9)]
    seen = seen_on(objects(((0, 0, 16, 16), 0.9, 1), ((12, 0, 28, 16), 0.7, 2)), regions)
    assert [one.label for one in seen.objects] == ["car", "person"]
    assert seen.objects[1].outline is not None
    assert Runs.from_json(seen.objects[1].outline).mask(32, 32)[:16, 16:28].mean() > 0.95


def test_without_objects_there_are_areas_and_a_list_without_entries() -> None:
    told = seen_on(objects(((0, 0, 8, 8), 0.1, 1)), np.zeros((32, 32), np.uint8)).as_json()

    assert told["objects"] == []
    assert told["areas"]["sky"] == 1
