"""foveal certify, stopped for real: its exit code, and nothing half-written."""

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from foveal.flows import certify

LINE = [sys.executable, "-c", "from foveal.cli import main; main()", "certify"]


def begun(process: subprocess.Popen, folder: Path) -> None:
    """Wait until it measures: before that nothing could be half-written."""
    while not (folder / certify.REQUEST).exists() and process.poll() is None:
        pass


def started(bundle: Path, data: Path, out: Path, errors: int) -> subprocess.Popen:
    line = [*LINE, str(bundle), str(data), "--level", "full", "--attach", "--threads", "2", "--out", str(out)]
    return subprocess.Popen(line, stderr=errors, stdout=subprocess.DEVNULL)


@pytest.fixture
def copied(bundle: Path, tmp_path: Path) -> Path:
    path = tmp_path / "colors.foveal"
    path.write_bytes(bundle.read_bytes())
    return path


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stopped_it_leaves_the_bundle_and_no_certificate(copied, colors, tmp_path, number, code):
    before, out = copied.read_bytes(), tmp_path / "out"
    process = started(copied, colors, out, subprocess.PIPE)
    begun(process, out)
    process.send_signal(number)
    _, talk = process.communicate()

    assert process.returncode == code
    assert "begins anew" in talk.decode()
    assert "Traceback" not in talk.decode()
    assert copied.read_bytes() == before
    assert {path.name for path in out.iterdir()} <= {certify.REQUEST, ".lock"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["colors.foveal", "out"]


def test_stopped_the_bar_ends_with_its_line_and_the_cursor_is_back(copied, colors, tmp_path):
    ours, theirs = pty.openpty()
    process = started(copied, colors, tmp_path / "out", theirs)
    os.close(theirs)
    seen, sent = b"", False
    try:
        while part := os.read(ours, 4096):
            seen += part
            if b"certifying" in seen and not sent:
                process.send_signal(signal.SIGINT)
                sent = True
    except OSError:  # the other end is closed: it has ended
        pass
    os.close(ours)

    assert process.wait() == 130
    bar, message = seen.split(b"error: interrupted")
    assert b"certifying" in bar
    assert bar.endswith(b"\n") or bar.rpartition(b"\n")[2].startswith(b"\x1b[?25h")
    assert bar.rfind(b"\x1b[?25h") > bar.rfind(b"\x1b[?25l")
    assert message.endswith(b"\n")
