"""A station's recognizer, parts to judge, and the checker that shares no code with what it checks."""

import importlib.util
import io
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from cameras import Camera
from foveal.station.record import Decision

COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "dark": (4, 4, 4)}
COUNT = 12
RULE = {
    "accept_below": 0.3,
    "reject_from": 0.7,
    "chosen": ["accept_below", "reject_from"],
    "good": ["green"],
    "quality": {"light_from": 20},
}


@pytest.fixture(scope="session")
def station_bundle(make_bundle, tmp_path_factory):
    """The colour classifier with a rule: green parts are good, dark pictures are not judged."""
    return make_bundle(tmp_path_factory.mktemp("station") / "colors.foveal", inspection=RULE)


@pytest.fixture
def parts(tmp_path):
    """Twelve pictures of parts, red and green in turns; one is dark, one cut off, one is text."""
    folder = tmp_path / "parts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(COUNT):
        color = "dark" if number == 7 else ("red", "green")[number % 2]
        pixels = np.full((24, 32, 3), COLORS[color]) + rng.integers(0, 4, (24, 32, 3))
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number:02}.png")
    whole = (folder / "04.png").read_bytes()
    (folder / "04.png").write_bytes(whole[: len(whole) // 2])
    (folder / "10.png").write_text("no picture")
    return folder


@pytest.fixture(scope="session")
def checker(project) -> ModuleType:
    path = project / "benchmarks" / "line_checker.py"
    spec = importlib.util.spec_from_file_location("line_checker", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def decision():
    """Make a decision; keyword arguments replace entries."""

    def make(number=0, **changes):
        entries = {
            "source": f"/parts/{number}.png",
            "content": f"{number:064x}",
            "verdict": ("accept", "reject", "review")[number % 3],
            "bundle": "b" * 64,
            "score": number / 7,
            "reasons": ("unsure",) if number % 3 == 2 else (),
            "kinds": ("short", "ünsafe")[: number % 3],
            "accept_below": 0.3,
            "reject_from": 0.7,
        }
        return Decision(**{**entries, **changes})

    return make


@pytest.fixture
def camera():
    made = Camera()
    yield made
    made.off()


@pytest.fixture(scope="session")
def as_jpeg():
    """Return the content of a JPEG of one color."""

    def make(color):
        target = io.BytesIO()
        Image.fromarray(np.full((24, 32, 3), COLORS[color], np.uint8)).save(target, "JPEG", quality=95)
        return target.getvalue()

    return make
