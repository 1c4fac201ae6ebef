"""What the tests of the server share: real servers in processes of their own, and pictures to ask about."""

import io
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from live import Server, started, wait_for

# Runs the command line with a model that a file can slow down or corrupt: no such thing is in the product.
LAUNCHER = """
import sys, time
from dataclasses import dataclass, replace
from pathlib import Path
from foveal.bundle.predictor import Predictor
from foveal.bundle.session import Outputs
from foveal.serve.settings import Settings

control, every = Path(sys.argv.pop(1)), float(sys.argv.pop(1))
opened = Predictor.open.__func__

@dataclass
class Tampered:
    inner: object

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def run(self, images):
        said = control.read_text().split() if control.exists() else []
        if said and said[0] == "slow":
            time.sleep(float(said[1]))
        answers = Outputs(*self.inner.run(images))
        if said and said[0] == "swapped":
            answers = Outputs(answers.probabilities[:, ::-1].copy(), answers.logits)
        if said and said[0] == "invalid":
            from foveal.core.errors import BundleError
            raise BundleError("no probability", code="model_output_invalid")
        return answers

def open_(cls, *arguments, **named):
    predictor = opened(cls, *arguments, **named)
    return replace(predictor, session=Tampered(predictor.session))

Predictor.open = classmethod(open_)
made = Settings.__init__
Settings.__init__ = lambda self, *given, **named: made(self, *given, **{"golden_every": every, **named})
from foveal.cli import main
main()
"""


@pytest.fixture
def serve(bundle: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of the colour classifier; options as on the command line."""
    with ExitStack() as stack:

        def start(*options: str, model: object = bundle, env: dict[str, str] | None = None) -> Server:
            command = ("-m", "foveal", "serve", str(model), "--port", "0", *options)
            return stack.enter_context(started(*command, env=env))

        yield start


@pytest.fixture
def serve_tampered(bundle: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Path]]]:
    """Start servers whose model does what a file says: `slow SECONDS`, `swapped`, `invalid`."""
    with ExitStack() as stack:

        def start(*options: str, said: str = "", golden_every: float = 60.0) -> tuple[Server, Path]:
            control = tmp_path / "control"
            launch = ("-c", LAUNCHER, str(control), str(golden_every))
            command = (*launch, "serve", str(bundle), "--port", "0", *options)
            server = stack.enter_context(started(*command))
            if said:
                control.write_text(said)
            return server, control

        yield start


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Server]:
    """One server with two workers, for tests that leave it as it was."""
    command = ("-m", "foveal", "serve", str(bundle), "--port", "0", "--workers", "2")
    with started(*command) as shared:
        yield shared


@pytest.fixture(scope="session")
def until() -> Callable[[Callable[[], Any]], Any]:
    """Wait for a condition."""
    return wait_for


@pytest.fixture(scope="session")
def colored() -> Callable[..., bytes]:
    """Make a picture file of one colour."""

    def make(color: tuple[int, int, int] = (220, 30, 30), kind: str = "PNG") -> bytes:
        file = io.BytesIO()
        Image.new("RGB", (40, 30), color).save(file, kind)
        return file.getvalue()

    return make
