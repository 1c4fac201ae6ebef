"""bundle.inspecting: every input comes back with a verdict, also one that cannot be read."""

import io

import numpy as np
import pytest
from PIL import Image

from foveal.bundle import archive
from foveal.bundle.inspecting import inspect, inspect_each, rule_of
from foveal.bundle.predictor import load
from foveal.core.errors import UsageError
from foveal.tasks.judging import Inspection, Promise, Quality
from scene_graphs import DARK, picture

RULE = Inspection(
    accept_below=0.3,
    reject_from=0.7,
    miss=Promise(rate=0.05, delta=0.05, n=100, events=1),
    false_call=Promise(rate=0.05, delta=0.05, n=100, events=1),
    quality=Quality(light_from=30),
)


def sealed_with(source, path, **changes):
    members = archive.read(source)
    draft = members.manifest.draft(**changes)
    archive.seal(path, draft, model=members.model, golden=members.vectors, force=True)
    return path


@pytest.fixture(scope="module")
def station(finder, tmp_path_factory):
    """A detector that was sealed with a rule."""
    path = tmp_path_factory.mktemp("station") / "station.foveal"
    return load(sealed_with(finder, path, inspection=RULE), threads=1)


def file_of(pixels) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_rule_is_part_of_the_bundle_and_of_its_digest(station, finder) -> None:
    before = load(finder, threads=1)

    assert rule_of(station) == RULE
    assert station.digest != before.digest
    assert "inspection" not in before.manifest.as_json()
    with pytest.raises(UsageError) as caught:
        rule_of(before)
    assert caught.value.code == "no_inspection"


@pytest.mark.parametrize(
    ("pixels", "verdict", "reasons"),
    [
        (picture(), "accept", ()),
        (picture((1, 1, DARK)), "reject", ("defective",)),
        (picture((1, 1, 69)), "review", ("unsure",)),  # one level below what is dark: a score of 0.53
        (np.zeros((32, 32, 3), np.uint8), "review", ("too_dark",)),
    ],
)
def test_verdict_follows_from_the_surest_answer_and_the_light(station, pixels, verdict, reasons) -> None:
    found = inspect(station, file_of(pixels), "part", rule=RULE)

    assert (found.judgement.verdict, found.judgement.reasons) == (verdict, reasons)
    assert found.seen == inspect(station, pixels, "part", rule=RULE).seen
    told = found.as_json()
    assert told["source"] == "part"
    assert {"objects", "verdict", "score", "reasons"} <= set(told)


def test_what_cannot_be_read_is_reviewed_with_the_reason_and_never_lost(station, tmp_path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(file_of(picture())[:60])
    inputs = [picture(), b"", broken, tmp_path / "gone.png", np.zeros((4, 4), np.float32), picture()]
    found = list(inspect_each(station, inputs, rule=RULE, workers=2))

    assert [one.judgement.verdict for one in found] == ["accept", *["review"] * 4, "accept"]
    assert [one.error is None for one in found] == [True, *[False] * 4, True]
    for one in found[1:5]:
        assert one.judgement.reasons == (one.error.code,)
        assert one.as_json()["score"] is None
        assert one.as_json()["error"]["code"] == one.error.code
    assert [one.source for one in found] == ["#0", "#1", str(broken), str(tmp_path / "gone.png"), "#4", "#5"]


def test_a_recognizer_that_answers_nonsense_loses_no_part(station) -> None:
    nonsense = picture()
    nonsense[:] = 1  # the test graph answers with a label that is no class
    found = inspect(station, nonsense, rule=RULE)

    assert (found.judgement.verdict, found.judgement.reasons) == ("review", ("model_output_invalid",))


def test_a_classifier_accepts_what_shows_its_good_class(bundle, tmp_path) -> None:
    rule = RULE.model_copy(update={"good": ("green",), "quality": Quality()})
    predictor = load(sealed_with(bundle, tmp_path / "c.foveal", inspection=rule), threads=1)
    green, red = (np.full((16, 16, 3), color, np.uint8) for color in ((0, 255, 0), (255, 0, 0)))

    found = list(inspect_each(predictor, [green, red], rule=rule_of(predictor)))
    assert [one.judgement.verdict for one in found] == ["accept", "reject"]
    assert found[0].judgement.score == pytest.approx(1 - found[0].seen.scores["green"], abs=1e-5)


def test_what_gives_no_score_is_refused(shader) -> None:
    with pytest.raises(UsageError) as caught:
        inspect(load(shader, threads=1), picture(), rule=RULE)

    assert caught.value.code == "other_task"
