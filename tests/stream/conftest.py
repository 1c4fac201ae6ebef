"""What the tests of a stream share: films made here, a camera that sends JPEGs, and runs in this process."""

import io
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cameras import Camera
from foveal.bundle.predictor import Predictor
from foveal.stream.options import SourceOptions
from foveal.stream.plan import Plan
from foveal.stream.run import run
from told import stopper

COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


def colored(name: str, size: tuple[int, int] = (64, 48)) -> np.ndarray:
    return np.full((size[1], size[0], 3), COLORS[name], np.uint8)


@pytest.fixture(scope="session")
def color():
    return colored


@pytest.fixture(scope="session")
def predictor(bundle):
    return Predictor.open(bundle, threads=1)


@pytest.fixture
def film(tmp_path):
    """Make a film: `film("a.mp4", ["red"] * 5, rate=30, codec="mpeg4", times=[…ms])`; return its path."""
    av = pytest.importorskip("av")

    def make(
        name,
        pictures,
        *,
        rate=30,
        codec="mpeg4",
        pixels="yuv420p",
        options=None,
        times=None,
        mux=None,
        **context,
    ):
        path = tmp_path / name
        with av.open(str(path), "w", options=mux or {}) as container:
            stream = container.add_stream(codec, rate=rate, options=options or {})
            arrays = [colored(p) if isinstance(p, str) else p for p in pictures]
            stream.height, stream.width = arrays[0].shape[:2] if arrays else (48, 64)
            stream.pix_fmt = pixels
            stream.codec_context.bit_rate = 4_000_000
            for key, value in context.items():
                setattr(stream.codec_context, key, value)
            if times is not None:
                stream.codec_context.time_base = Fraction(1, 1000)
            container.start_encoding()  # also a film of no frames has a head
            for index, array in enumerate(arrays):
                frame = av.VideoFrame.from_ndarray(array, format="rgb24")
                if times is not None:
                    frame.pts, frame.time_base = times[index], Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def mixed(film):
    """A film that begins and ends with what the recognizer declines."""
    grey = np.full((48, 64, 3), 128, np.uint8)
    return film("mixed.mkv", [grey] * 4 + ["red"] * 10 + [grey] * 7, codec="ffv1", pixels="bgr0")


@pytest.fixture
def watch(predictor):
    """Run a stream in this thread; return its summary and what it told."""

    def call(place, *, stop=None, say=None, tell=None, predictor=predictor, **wishes):
        names = ("live", "loop", "existing", "timeout_s", "give_up_s")
        options = SourceOptions(str(place), **{name: wishes.pop(name) for name in names if name in wishes})
        told = []

        def take(item):
            told.append(item)
            if tell is not None:
                tell(item)

        summary = run(
            predictor,
            Plan(options, **wishes),
            tell=take,
            say=say or (lambda line: None),
            stop=stop or threading.Event(),
        )
        return summary, told

    return call


def jpeg(name: str) -> bytes:
    target = io.BytesIO()
    Image.fromarray(colored(name)).save(target, "JPEG", quality=95)
    return target.getvalue()


@pytest.fixture(scope="session")
def as_jpeg():
    return jpeg


@pytest.fixture
def camera():
    made = Camera()
    yield made
    made.off()


@pytest.fixture
def photos(tmp_path) -> Path:
    """An empty folder."""
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def few(watch):
    """Watch until so many frames were told."""

    def call(place, count, **wishes):
        stop = threading.Event()
        return watch(place, stop=stop, tell=stopper(count, stop), **wishes)

    return call
