"""optimize.screening: found once, kept in the folder, and the same after a kill."""

import json

import numpy as np
import pytest

from foveal.core.progress import silent
from foveal.core.steps import Steps
from foveal.optimize import screening as step
from foveal.optimize.budget import Budget
from foveal.optimize.candidate import Candidate
from foveal.optimize.labels import Pictures
from foveal.optimize.screening import screened
from foveal.optimize.workshop import Roles
from foveal.tasks.recognizer import Recognizer


class Shop:
    """As much of a workshop as the step needs."""

    def __init__(self, folder, images, labels) -> None:
        self.folder, self.budget, self.progress = folder, Budget(seconds=600), silent
        self.roles = Roles(images, Pictures.of(labels, labelled=True), showing=images)
        self.steps, self.predicted_latency = Steps(folder, "steps.json"), {}

    def reading_seconds(self, sizes) -> None:
        return None

    def roles_at(self, size) -> Roles:
        assert size == 16
        return self.roles

    def carry_out(self, name, of, work) -> None:
        self.steps.carry_out(name, of, work)


@pytest.fixture
def original(nano):
    arguments = {"channels": 3, "classes": 6, "size": 16, "widths": [8, 16, 16]}
    return Recognizer(nano.network, "nano", arguments, nano.preprocess, nano.classes)


@pytest.fixture
def shop(tmp_path, test_set, original, monkeypatch):
    """Three candidates: the original itself, called smaller; one that forgot everything; a large one."""

    def made(name, network_of, macs, score=True):
        return Candidate(
            name, (name,), lambda: network_of, macs, 900, rate_share=0.3, kind="nano", inherits=score
        )

    blank = original.with_weights({k: v * 0 for k, v in original.network.state_dict().items()})
    found = [made("large", original, 10**9), made("same", original, 300_000), made("blank", blank, 200_000)]
    monkeypatch.setattr(step, "found", lambda _: (found, {"slimmer": "it is built in one size"}))
    foreseen = {"fp32": 2e-3, "int8": 1e-3}
    monkeypatch.setattr(step, "yardsticks_of", lambda _: {})
    monkeypatch.setattr(
        step,
        "foresee",
        lambda _, every, __, seconds: [step.replace(one, predicted=foreseen) for one in every],
    )
    return Shop(tmp_path, *test_set)


def rows(shop):
    return {row["name"]: row for row in json.loads((shop.folder / "candidates/candidates.json").read_text())}


def test_what_remembers_is_taken_and_for_the_others_it_says_why_not(shop, original, test_set) -> None:
    [taken] = screened(shop, original, most=3)

    told = rows(shop)
    images, labels = test_set
    assert taken.name == "same"
    assert taken.score == pytest.approx((original.logits(images).argmax(1) == labels).mean())
    assert {name: row["left_out"] for name, row in told.items()} == {
        "large": "saves_little",
        "same": None,
        "blank": "forgot",
    }
    left = sorted(path.name for path in (shop.folder / "candidates").iterdir())
    assert left == ["candidates.json", "families.json", "same"]


def test_a_family_that_has_none_for_this_network_is_told_with_its_reason(shop, original) -> None:
    assert step.without_candidates(shop) == {}, "nothing was looked for"

    screened(shop, original, most=3)

    assert step.without_candidates(shop) == {"slimmer": "it is built in one size"}


def test_what_was_foreseen_is_told_to_the_workshop(shop, original) -> None:
    screened(shop, original, most=3)

    assert shop.predicted_latency == {"same": {"fp32": 2e-3, "int8": 1e-3}}


def test_the_second_time_nothing_is_looked_for(shop, original, test_set, monkeypatch) -> None:
    [before] = screened(shop, original, most=3)

    def never(_):
        raise AssertionError("candidates were looked for again")

    monkeypatch.setattr(step, "found", never)
    again = Shop(shop.folder, *test_set)
    [after] = screened(again, original, most=3)

    images = test_set[0][:8]
    np.testing.assert_array_equal(after.make().logits(images), original.logits(images))
    assert again.predicted_latency == shop.predicted_latency
    assert (after.name, after.steps, after.macs, after.score) == (
        before.name,
        before.steps,
        before.macs,
        before.score,
    )
