"""A real server in a process of its own, and raw conversations with it."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

PATIENCE = 60.0  # seconds for anything to happen

_PROGRAM = """
import json, sys
from pathlib import Path
from foveal.serve.serving import Door, serving
from foveal.serve.settings import Settings
asked = json.loads(sys.argv[1])
token = asked["token_file"] and Path(asked["token_file"])
tell = lambda event: print(json.dumps(event), file=sys.stderr, flush=True)
door = Door("127.0.0.1", 0, token)
sys.exit(serving(asked["bundles"], door=door, settings=Settings(**asked["settings"]), tell=tell))
"""


class Reply(NamedTuple):
    """What a server wrote; status 0: it closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the document."""
        return json.loads(self.body)


class Live:
    """A server; leaving the `with` block ends it, and it has to end well."""

    def __init__(
        self, bundles: Sequence[Path | str], *, token_file: Path | None = None, **settings: Any
    ) -> None:
        token = None if token_file is None else str(token_file)
        asked = {"bundles": [str(b) for b in bundles], "token_file": token, "settings": settings}
        environment = {k: v for k, v in os.environ.items() if k != "FOVEAL_TOKEN"}
        command = [sys.executable, "-W", "error", "-c", _PROGRAM, json.dumps(asked)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
        stderr = self.process.stderr
        if stderr is None:
            raise RuntimeError("no stderr")
        said = stderr.readline()
        if '"ready"' not in said:
            raise RuntimeError(said + stderr.read())
        self.ending = False
        self.url: str = json.loads(said)["url"]
        host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.address = (host, int(port))

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

    def end(self) -> None:
        """Tell it to end."""
        self.ending = True
        self.process.send_signal(signal.SIGTERM)

    def workers(self) -> list[int]:
        """Return the process ids of the workers."""
        tasks = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in tasks.read_text().split()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None and not self.ending:
            self.end()
        code = self.process.wait(PATIENCE)
        rest = self.process.stderr.read() if self.process.stderr else ""
        if self.process.stderr:
            self.process.stderr.close()
        if code != 143 or "Traceback" in rest:
            raise RuntimeError(f"the server ended with {code}: {rest}")


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
