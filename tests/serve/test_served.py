"""What models are called, and how many pictures run together."""

import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Outputs
from foveal.core.errors import NotFoundError, UsageError
from foveal.serve import served as module
from foveal.serve.served import served


@dataclass
class Timed:
    """A session that takes as long as it is told for a run and for each picture in it."""

    inner: object
    run_seconds: float
    picture_seconds: float
    depends: bool = False
    runs: int = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def run(self, images: np.ndarray) -> Outputs:
        self.runs += 1
        time.sleep(self.run_seconds + self.picture_seconds * len(images))
        answer = np.tile(np.array([[0.25, 0.5, 0.25]], np.float32), (len(images), 1))
        if self.depends:
            answer[:, 0] += np.float32(1e-6) * len(images)
        return Outputs(answer, answer)


@pytest.fixture
def timed(bundle: Path, monkeypatch: pytest.MonkeyPatch):
    """Return how many pictures run together by default for a model of given speed, and how often it ran."""
    predictor = Predictor.open(bundle, threads=1)

    def batch(**speed: object) -> tuple[int, int]:
        session = Timed(predictor.session, **speed)  # type: ignore[arg-type]
        slow = replace(predictor, session=session)
        monkeypatch.setattr(module.Predictor, "open", lambda *_, **__: slow)
        [model] = served([str(bundle)])
        return model.batch, session.runs

    return batch


def test_pictures_run_together_only_where_that_is_clearly_faster_and_changes_no_bit(timed) -> None:
    assert timed(run_seconds=0.002, picture_seconds=0.0)[0] == 8
    assert timed(run_seconds=0.002, picture_seconds=0.0, depends=True)[0] == 1
    assert timed(run_seconds=0.0, picture_seconds=0.002)[0] == 1


def test_trying_takes_no_longer_than_a_start_allows(timed) -> None:
    assert timed(run_seconds=0.05, picture_seconds=0.0) == (1, 2)


def test_a_name_is_the_stem_or_what_is_said(bundle: Path, tmp_path: Path) -> None:
    equals = tmp_path / "a=b.foveal"
    shutil.copy(bundle, equals)

    assert [model.name for model in served([str(bundle), f"x.1={bundle}"])] == ["colors", "x.1"]
    assert [model.index for model in served([str(bundle), f"x={bundle}"])] == [0, 1]
    with pytest.raises(UsageError) as caught:
        served([str(equals)])
    assert caught.value.code == "bad_name", "a file that is there is a file, not a name"
    with pytest.raises(NotFoundError):
        served([f"x={tmp_path / 'no.foveal'}"])
    for bad in ("-x", "../x", "a b", "x" * 65):
        with pytest.raises((UsageError, NotFoundError)):
            served([f"{bad}={bundle}"])
