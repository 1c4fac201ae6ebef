"""bundle.bench: engines are compared by the objects and pixels that they show."""

import numpy as np
import pytest

from foveal.bundle.bench import Wish, bench
from scene_graphs import DARK, LIGHT, picture

# Right for one picture a call, as when it is opened; of more it finds everything where it is not.
ELSEWHERE = """found = self.inner.answer(images)
        moved = found['boxes'] + np.float32(5) if len(images) > 1 else found['boxes']
        return {**found, 'boxes': moved}"""
DARKER = """found = self.inner.answer(images)
        return {'regions': found['regions'] % 2} if len(images) > 1 else found"""
SLOW = "return [self.inner.answer(images) for _ in range(50)][-1]"


def wish(*names: str) -> Wish:
    return Wish(("onnxruntime", *names), (1,), (1, 4), 0.3)


@pytest.fixture(scope="module")
def images():
    cells = [((k % 4, k // 4, DARK), ((k + 2) % 4, 3, LIGHT)) for k in range(12)]
    return np.stack([picture(*one) for one in cells])


def test_objects_in_another_place_are_other_decisions(plug_in, finder, images) -> None:
    found = bench(finder, wish(plug_in("elsewhere", answer=ELSEWHERE)), images)

    shares = {(row.candidate.way.engine, row.candidate.batch): row.flips.share.value for row in found.rows}
    assert shares == {("onnxruntime", 1): 0, ("onnxruntime", 4): 0, ("elsewhere", 1): 0, ("elsewhere", 4): 1}
    wrong = found.rows[-1]
    assert wrong.flips.unit == "objects"
    assert wrong.why_not == "it decides otherwise for 100.0% of the objects; 2.0% may"
    assert [choice.row.candidate.way.engine for choice in found.choices if choice.batch == 4] == [
        "onnxruntime"
    ]


def test_pixels_of_another_class_are_other_decisions(plug_in, shader, images) -> None:
    found = bench(shader, wish(plug_in("darker", answer=DARKER)), images)

    light = (images[..., 0] == LIGHT).mean()
    assert found.rows[-1].flips.share.value == pytest.approx(light)
    assert "of the pixels" in found.rows[-1].why_not
    assert found.rows[2].why_not is None


def test_outlines_and_areas_together_are_judged_by_what_agrees_least(plug_in, divider, images) -> None:
    found = bench(divider, wish(plug_in("elsewhere", answer=ELSEWHERE)), images)

    assert [row.why_not is None for row in found.rows] == [True, True, True, False]
    assert found.rows[-1].flips.unit == "objects"


def test_what_takes_longer_is_told_apart(plug_in, finder, images) -> None:
    found = bench(finder, wish(plug_in("slow", answer=SLOW)), images)

    one, _, slow, _ = found.rows
    assert slow.times.p50().value > 5 * one.times.p50().value
    assert one.footprint.peak_bytes > 20_000_000
    assert found.compared == 12
