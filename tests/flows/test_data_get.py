"""flows.data_get: what is downloaded is verified, from a real server of our own; nothing half-done stays."""

import contextlib
import gzip
import hashlib
import socketserver
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from foveal import data
from foveal.core.errors import DataError, TemporaryError, UnknownNameError
from foveal.flows import _sample_sets, data_get
from foveal.flows.data_get import CONTENTS, get, offered


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str]]:
    """A server on this machine with a made-up Fashion-MNIST of 30 and 10 pictures, and its address."""
    monkeypatch.setattr(_sample_sets, "FASHION_MNIST", tmp_path / "nowhere")
    folder = tmp_path / "served"
    folder.mkdir()
    hashes = {}
    for part in CONTENTS:
        count = 30 if part.startswith("train") else 10
        if "images" in part:
            plain = bytes((0, 0, 8, 3)) + np.array([count, 28, 28], ">i4").tobytes() + bytes(count * 784)
        else:
            plain = (
                bytes((0, 0, 8, 1)) + np.array([count], ">i4").tobytes() + bytes(range(10)) * (count // 10)
            )
        (folder / part).write_bytes(gzip.compress(plain))
        hashes[part] = hashlib.sha256(plain).hexdigest()
    monkeypatch.setattr(data_get, "CONTENTS", hashes)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_is_downloaded_is_read_as_it_is(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served

    document = get("fashion-mnist", tmp_path / "out", source=address)

    dataset = data.open(tmp_path / "out")
    assert (document["out"], len(dataset)) == (str(tmp_path / "out"), 40)
    assert dataset.classes[9] == "ankle boot"
    for file in folder.iterdir():
        file.unlink()
    assert get("fashion-mnist", tmp_path / "out", source=address)["ok"], "it is not fetched twice"


PACKED = gzip.compress(bytes(range(256)) * 9, mtime=0)
DAMAGED = PACKED[:10] + b"\xff" * 20 + PACKED[30:]  # behind the header


@pytest.mark.parametrize(
    "bad",
    [gzip.compress(b"something else", mtime=0), b"no gzip at all", b"", DAMAGED, PACKED[:-20]],
)
def test_what_is_something_else_is_refused_and_nothing_stays(
    served: tuple[Path, str], tmp_path: Path, bad: bytes
) -> None:
    folder, address = served
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(bad)

    with pytest.raises(DataError, match="not what was expected") as caught:
        get("fashion-mnist", tmp_path / "out", source=address)

    assert caught.value.code == "download_mismatch"
    assert not (tmp_path / "out").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_server_that_is_not_there_is_a_matter_of_time(served: tuple[Path, str], tmp_path: Path) -> None:
    folder, address = served
    (folder / "train-images-idx3-ubyte.gz").unlink()

    with pytest.raises(TemporaryError, match=r"cannot download .*404"):
        get("fashion-mnist", tmp_path / "out", source=address)
    with pytest.raises(TemporaryError, match="cannot download"):
        get("fashion-mnist", tmp_path / "out", source="http://127.0.0.1:9/")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], str]]:
    """Return a function that starts a server of one raw answer, and gives its address."""
    with contextlib.ExitStack() as stack:

        def start(answer: bytes) -> str:
            class Raw(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    while self.rfile.readline().strip():  # the request, to its empty line
                        pass
                    self.wfile.write(answer)

            server = stack.enter_context(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Raw))
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            stack.callback(thread.join)
            stack.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_address[1]}/"

        yield start


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b"", "closed"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n8\r\nabc", "IncompleteRead"),
        (OK + b"Content-Length: 100\r\n\r\n\x1f\x8b\x08", "ended after 3 of 100 bytes"),
        (OK + b"Content-Length: many\r\n\r\n", "many"),
    ],
)
def test_an_answer_that_breaks_off_is_a_matter_of_time(
    answering: Callable[[bytes], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: bytes,
    said: str,
) -> None:
    monkeypatch.setattr(_sample_sets, "FASHION_MNIST", tmp_path / "nowhere")

    with pytest.raises(TemporaryError, match=f"cannot download .*{said}"):
        get("fashion-mnist", tmp_path / "out", source=answering(answer))

    assert list(tmp_path.iterdir()) == []


def test_digits_need_no_network_and_other_names_are_refused(tmp_path: Path) -> None:
    assert len(data.open(get("digits", tmp_path / "d")["out"])) == 1797
    with pytest.raises(UnknownNameError, match="data has no 'digit'"):
        get("digit", tmp_path / "x")
    assert [row["name"] for row in offered()] == ["digits", "fashion-mnist"]


def test_installed_files_have_the_pinned_content() -> None:
    if not _sample_sets.has_fashion_mnist():
        pytest.skip("Fashion-MNIST is not installed here")

    for part, expected in CONTENTS.items():
        plain = gzip.decompress((_sample_sets.FASHION_MNIST / part).read_bytes())
        assert hashlib.sha256(plain).hexdigest() == expected
