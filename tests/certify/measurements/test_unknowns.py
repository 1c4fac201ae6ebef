"""What is said of unknown things: known pictures are answered once, every number is that of the scores."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from foveal.bundle.predictor import Predictor
from foveal.certify.measurements.unknowns import unknowns
from foveal.certify.subject import Subject
from foveal.core import catalog
from foveal.perturb import unknowns as folder
from foveal.tasks.classify.decode import Unknown

from .conftest import colours

Make = Callable[..., Subject]


@pytest.fixture
def strangers() -> np.ndarray:
    """Grey noise: no colour is strongest."""
    return np.random.default_rng(3).integers(0, 256, (40, 16, 16, 3), dtype=np.uint8)


def test_each_kind_has_the_areas_of_its_own_scores(subject: Make, strangers: np.ndarray) -> None:
    one = subject(unknown=strangers)
    section = unknowns.measure(one)
    rows = {row["kind"]: row for row in section.figures["unknowns"]["rows"]}

    assert set(rows) == {*catalog.names(folder), "given"}
    known = 1 - one.test.probabilities.max(axis=1)[np.linspace(0, 299, 100).astype(int)]
    right = one.test.right[np.linspace(0, 299, 100).astype(int)]
    strange = 1 - one.predictor.run(strangers).probabilities.max(axis=1)
    truth = np.r_[np.ones(len(strange)), np.zeros(len(known))]
    gap = strange[None] - known[:, None]
    pairs = ((gap > 0) + 0.5 * (gap == 0)) * right[:, None]
    assert rows["given"]["aupr"] == pytest.approx(average_precision_score(truth, np.r_[strange, known]))
    assert rows["given"]["oscr"] == pytest.approx(pairs.mean())
    assert rows["given"]["oscr"] <= min(right.mean(), rows["given"]["auroc"]["value"])


def test_the_numbers_stand_beside_the_area_that_they_belong_to(subject: Make, strangers: np.ndarray) -> None:
    section = unknowns.measure(subject(unknown=strangers))
    rows = {row["kind"]: row for row in section.figures["unknowns"]["rows"]}

    for statement in section.statements[:3]:
        row = rows[statement.details["kind"]]
        assert statement.value.as_json() == row["auroc"]
        for name in ("fpr_at_95_tpr", "aupr", "oscr"):
            assert statement.details[name] == row[name]


def test_known_pictures_are_not_asked_again(subject: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one, asked = subject(), []
    run = Predictor.run

    def record(self: Predictor, images: np.ndarray) -> object:
        asked.extend(image.tobytes() for image in images)
        return run(self, images)

    monkeypatch.setattr(Predictor, "run", record)
    unknowns.measure(one)

    assert len(asked) == 100 * len(catalog.names(folder))
    assert not {image.tobytes() for image in colours(300)[0]} & set(asked)


def test_known_pictures_are_rejected_by_the_scores_of_their_answers(subject: Make) -> None:
    one, scores = subject(), np.linspace(0, 1, 300, dtype=np.float32)
    rule = Unknown(score="msp", threshold=0.9, alpha=0.05, n=500)
    predictor = SimpleNamespace(
        run=one.predictor.run,
        classes=one.predictor.classes,
        decision=one.predictor.decision.model_copy(update={"unknown": rule}),
    )
    one = replace(one, predictor=predictor, test=replace(one.test, unknown=scores))
    rejected = unknowns.measure(one).statements[-1]

    assert (rejected.value.value, rejected.value.n) == ((scores > 0.9).mean(), 300)
