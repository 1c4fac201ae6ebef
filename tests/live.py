"""Real servers in processes of their own, and conversations with them: by http.client, or byte by byte."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PATIENCE = 60.0  # seconds for anything to happen; only a test that fails takes as long

_PROGRAM = """
import json, sys
from pathlib import Path
from foveal.serve.serving import Door, serving
from foveal.serve.settings import Settings
asked = json.loads(sys.argv[1])
token = asked["token_file"] and Path(asked["token_file"])
tell = lambda event: print(json.dumps(event), file=sys.stderr, flush=True)
door = Door("127.0.0.1", 0, token)
settings = Settings(**asked["settings"])
sys.exit(serving(asked["bundles"], door=door, settings=settings, tell=tell, indexes=asked["indexes"]))
"""


@dataclass(frozen=True)
class Reply:
    """What a server wrote; status 0: it closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The document."""
        return json.loads(self.body)


@dataclass
class Server:
    """A running one, and what it wrote to stderr."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""
    stopped_by: int | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        return host, int(port)

    @property
    def port(self) -> int:
        """Of 127.0.0.1."""
        return self.address[1]

    def connect(self, timeout: float = PATIENCE) -> http.client.HTTPConnection:
        """Return a connection, to be closed by the caller."""
        return http.client.HTTPConnection(*self.address, timeout=timeout)

    def ask(self, path: str, body: bytes | None = None, method: str | None = None, **headers: str) -> Reply:
        """Return the answer to a request on a connection of its own."""
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
    ) -> Reply:
        """Return the answer to a request on a connection that stays open."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            sent.setdefault("content-type", "application/octet-stream")
        connection.request(method or ("GET" if body is None else "POST"), path, body, sent)
        response = connection.getresponse()
        return Reply(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())

    def say(self, *pieces: bytes, then_close: bool = False) -> Reply:
        """Write pieces to a connection of its own and return the first answer."""
        with socket.create_connection(self.address, PATIENCE) as talk:
            try:
                for piece in pieces:
                    talk.sendall(piece)
                if then_close:
                    talk.shutdown(socket.SHUT_WR)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it had enough; what it says is read
            return read_reply(talk, empty=pieces[0].startswith(b"HEAD "))

    def ready(self) -> bool:
        """Return whether it says so."""
        return self.ask("/v2/health/ready").status == 200

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def metric(self, name: str) -> float:
        """Return the value of a series as it is written, such as `a_total{model="x"}`; 0 where it is not."""
        for line in self.ask("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Send a signal that ends it."""
        self.stopped_by = number
        self.process.send_signal(number)

    def end(self) -> int:
        """Tell it to end, unless it was told already, and return its exit code."""
        if self.stopped_by is None:
            self.stop()
        return self.process.wait(PATIENCE)


def wait_for(condition: Callable[[], Any]) -> Any:
    """Return what a condition gives once that is true."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.01)
    return found


@contextmanager
def started(*arguments: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Start Python with arguments that make it a server; leaving the block ends it, as it should."""
    process = subprocess.Popen(
        [sys.executable, *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**{k: v for k, v in os.environ.items() if k != "FOVEAL_TOKEN"}, **(env or {})},
        start_new_session=True,  # workers are in its group, and no signal to ours reaches it
    )
    server = Server(process)
    assert process.stderr is not None
    pipe = process.stderr

    def read() -> None:
        for line in pipe:
            server.lines.append(line.rstrip("\n"))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        told = wait_for(
            lambda: process.poll() is not None or [line for line in server.lines if '"ready"' in line]
        )
        if told is True:
            reader.join(PATIENCE)
        assert told is not True, "\n".join(server.lines)
        server.url = json.loads(told[0])["url"]
        yield server
        code = server.end()
    finally:
        with suppress(ProcessLookupError):  # as it should be: nobody is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        reader.join(PATIENCE)
        pipe.close()
    said = "\n".join(server.lines)
    wanted = -signal.SIGKILL if server.stopped_by == signal.SIGKILL else 128 + (server.stopped_by or 0)
    assert code == wanted, f"the server ended with {code}: {said}"
    assert "Traceback" not in said, said


@contextmanager
def running(
    bundles: Sequence[Path | str],
    *,
    token_file: Path | None = None,
    indexes: Sequence[Path | str] = (),
    **settings: Any,
) -> Iterator[Server]:
    """Serve bundles, with settings that the command line has no options for; every warning is an error."""
    token = None if token_file is None else str(token_file)
    asked = {
        "bundles": [str(b) for b in bundles],
        "token_file": token,
        "settings": settings,
        "indexes": [str(one) for one in indexes],
    }
    with started("-W", "error", "-c", _PROGRAM, json.dumps(asked)) as server:
        yield server


def read_reply(talk: socket.socket, *, empty: bool = False) -> Reply:
    """Return one answer from a connection, of the length that it states, unless that is of an empty one."""
    received = b""
    try:
        while b"\r\n\r\n" not in received:
            more = talk.recv(1 << 16)
            if not more:
                break
            received += more
        head, _, body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        while not empty and len(body) < int(headers.get("content-length", "0")):
            more = talk.recv(1 << 16)
            if not more:
                break
            body += more
    except ConnectionResetError:
        return Reply(0, {}, b"reset")
    return Reply(int(first.split()[1]) if first else 0, headers, body)
