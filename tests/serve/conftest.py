"""What the tests of the server share: real servers in processes of their own, and pictures to ask about."""

import http.client
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

PATIENCE = 60.0  # seconds; only a test that fails takes as long

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


@dataclass
class Answer:
    """Of a server."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A running one."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    port: int = 0

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Answer:
        connection = self.connect()
        try:
            return self.ask_on(connection, path, body, method, **headers)
        finally:
            connection.close()

    @staticmethod
    def ask_on(
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | None = None,
        method: str | None = None,
        **headers: str,
    ) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/octet-stream")
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        response = connection.getresponse()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def ready(self) -> bool:
        return self.ask("/v2/health/ready").status == 200

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def metric(self, name: str) -> float:
        """Return the value of a series as it is written, such as `a_total{model="x"}`; 0 where it is not."""
        for line in self.ask("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return found


@contextmanager
def running(*arguments: str, env: dict[str, str]) -> Iterator[Server]:
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **env},
        start_new_session=True,  # no signal to the group of the tests is meant for it
    )
    server = Server(process)
    assert process.stderr is not None
    pipe = process.stderr

    def read() -> None:
        for line in pipe:
            server.lines.append(line.rstrip("\n"))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        told = wait_for(
            lambda: process.poll() is not None or [line for line in server.lines if '"ready"' in line]
        )
        assert told is not True, "\n".join(server.lines)
        server.port = int(json.loads(told[0])["url"].rpartition(":")[2])
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        reader.join()
        pipe.close()


@pytest.fixture
def serve(bundle: Path) -> Iterator[Callable[..., Server]]:
    """Start servers of the colour classifier; options as on the command line."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*options: str, model: object = bundle, env: dict[str, str] | None = None) -> Server:
            command = ("-m", "foveal", "serve", str(model), "--port", "0", *options)
            return stack.enter_context(running(*command, env=env or {}))

        yield start


@pytest.fixture
def serve_tampered(bundle: Path, tmp_path: Path) -> Iterator[Callable[..., tuple[Server, Path]]]:
    """Start servers whose model does what a file says: `slow SECONDS`, `swapped`, `invalid`."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(*options: str, said: str = "", golden_every: float = 60.0) -> tuple[Server, Path]:
            control = tmp_path / "control"
            launch = ("-c", LAUNCHER, str(control), str(golden_every))
            command = (*launch, "serve", str(bundle), "--port", "0", *options)
            server = stack.enter_context(running(*command, env={}))
            if said:
                control.write_text(said)
            return server, control

        yield start


@pytest.fixture(scope="session")
def server(bundle: Path) -> Iterator[Server]:
    """One server with two workers, for tests that leave it as it was."""
    command = ("-m", "foveal", "serve", str(bundle), "--port", "0", "--workers", "2")
    with running(*command, env={}) as started:
        yield started


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
