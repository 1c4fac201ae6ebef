"""The local backend: its processes end with whoever started them, and hear no Ctrl-C."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foveal.backends.local import local
from foveal.core.errors import TemporaryError, UsageError
from foveal.core.work import Task

_BOUND_S = 60.0


def until(condition) -> None:
    """Wait until something is so."""
    end = time.monotonic() + _BOUND_S
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def waiting(tmp_path) -> Task:
    return Task(
        "w", "chores:wait_for", {"here": str(tmp_path / "here"), "until": str(tmp_path / "never-there")}
    )


def pid_in(path: Path) -> int:
    until(lambda: path.exists() and path.read_text())
    return int(path.read_text())


def test_workers_that_never_begin_are_not_started_for_ever():
    init = Task("init", "chores:begin", {"dies": True})

    with pytest.raises(TemporaryError, match="3 worker processes in a row died") as caught:
        list(local().map([Task("t", "chores:echo", {})], init=init, workers=1))

    assert caught.value.code == "no_worker"


def test_a_reader_that_stops_leaves_no_process_behind(tmp_path):
    receipts = local().map(
        [Task("a", "chores:note", {"log": os.devnull, "name": ""}), waiting(tmp_path)], workers=1
    )
    receipt = next(receipts)
    busy = pid_in(tmp_path / "here")

    receipts.close()

    assert receipt.detail["pid"] == busy
    assert not is_alive(busy)


def test_close_ends_what_runs(tmp_path):
    backend = local()
    receipts = backend.map([Task("a", "chores:echo", {}), waiting(tmp_path)], workers=1)
    next(receipts)
    busy = pid_in(tmp_path / "here")

    backend.close()

    assert not is_alive(busy)


DRIVER = """
import signal, sys
from foveal.backends.local import local
from foveal.core.work import Task
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
task = Task("w", "chores:wait_for", {"here": sys.argv[1], "until": sys.argv[2]})
for receipt in local().map([task], workers=1):
    print(receipt.outcome, receipt.attempt, len(interrupts))
"""


def driver(tmp_path) -> subprocess.Popen[str]:
    arguments = [str(tmp_path / "here"), str(tmp_path / "until")]
    return subprocess.Popen(
        [sys.executable, "-c", DRIVER, *arguments], stdout=subprocess.PIPE, text=True, process_group=0
    )


def test_workers_end_with_a_parent_that_was_killed(tmp_path):
    with driver(tmp_path) as parent:
        busy = pid_in(tmp_path / "here")
        assert is_alive(busy)
        parent.kill()

    until(lambda: not is_alive(busy))
    assert not (tmp_path / "until").exists(), "it did not end because its work was done"


def test_ctrl_c_on_the_terminal_does_not_reach_workers(tmp_path):
    with driver(tmp_path) as parent:
        busy = pid_in(tmp_path / "here")
        os.killpg(parent.pid, signal.SIGINT)
        (tmp_path / "until").touch()
        assert parent.stdout.read().split() == ["done", "1", "1"]

    until(lambda: not is_alive(busy))


@pytest.mark.parametrize("dies", [False, True])
def test_a_rank_that_says_why_late_is_waited_for(tmp_path, dies):
    log = tmp_path / "log"

    spec = {"log": str(log), "dies": dies, "knows": True}
    receipt = local().group("chores:rank_says_why_last", spec, world=2)

    assert (receipt.outcome, receipt.detail["message"]) == ("failed", "this is why")
    assert sorted(log.read_text()) == ["0", "1"]  # and no other attempt was made


@pytest.mark.parametrize(("dies", "outcome"), [(False, "failed"), (True, "lost")])
def test_who_only_misses_a_rank_that_died_does_not_stand_for_it(tmp_path, dies, outcome):
    spec = {"log": str(tmp_path / "log"), "dies": dies, "knows": False}

    receipt = local().group("chores:rank_says_why_last", spec, world=2, max_restarts=0)

    assert receipt.outcome == outcome


def test_nonsense_is_refused():
    with pytest.raises(UsageError, match="workers is at least 1"):
        local().map([], workers=0)
    with pytest.raises(UsageError, match="world is at least 1"):
        local().group("chores:rank", {}, world=0)
