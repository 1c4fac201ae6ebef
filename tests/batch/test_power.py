"""The power goes: what was not yet on the disk is lost, and names just given may be the old ones."""

import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import pytest

# Runs inside of the command: notes what has reached the disk. What it notes survives a SIGKILL.
_WATCH = """
import json, os, stat

_log = os.open(os.environ["POWER_LOG"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
_fsync, _replace, _link = os.fsync, os.replace, os.link

def _say(**event):
    os.write(_log, json.dumps(event).encode() + b"\\n")

def fsync(handle):
    status = os.fstat(handle)
    if os.environ.get("POWER_CARELESS") and stat.S_ISREG(status.st_mode):
        return
    _fsync(handle)
    kind = "folder" if stat.S_ISDIR(status.st_mode) else "file"
    _say(kind=kind, path=os.readlink(f"/proc/self/fd/{handle}"), inode=status.st_ino)

def replace(source, target):
    _replace(source, target)
    _say(kind="move", source=os.path.abspath(source), path=os.path.abspath(target))

def link(source, target):
    _link(source, target)
    _say(kind="link", path=os.path.abspath(target))

os.fsync, os.replace, os.link = fsync, replace, link
"""


def lose(job: Path, log: Path, draw: random.Random) -> None:
    """Do to a job what a loss of power may do: tear what was not synced, take back names that were not."""
    events = [json.loads(line) for line in log.read_text().splitlines()]
    on_disk = {event["inode"] for event in events if event["kind"] == "file"}
    pending: list[dict[str, str]] = []
    for event in events:
        if event["kind"] == "folder":
            pending = [one for one in pending if os.path.dirname(one["path"]) != event["path"]]  # noqa: PTH120
        elif event["kind"] in ("move", "link"):
            pending.append(event)
    for event in reversed(pending):
        if draw.random() < 0.5 and Path(event["path"]).exists():
            if event["kind"] == "link":
                Path(event["path"]).unlink()
            else:
                Path(event["path"]).rename(event["source"])
    for file in job.rglob("*"):
        status = file.stat()
        ours = stat.S_ISREG(status.st_mode) and not file.name.startswith("ledger")  # SQLite sees to its own
        if ours and status.st_ino not in on_disk:
            os.truncate(file, status.st_size // 2)


@pytest.fixture
def powered(bundle, collection, tmp_path):
    """Run the command with its writes watched, let it be killed at a failpoint, and lose what can be lost."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_WATCH)
    path = f"{site}:{os.environ.get('PYTHONPATH', '')}"

    def run(job: Path, *, failpoints: str = "", seed: int = 0, careless: str = "") -> int:
        log = tmp_path / "power.log"
        log.unlink(missing_ok=True)
        line = [
            "batch",
            str(bundle),
            str(collection),
            "--out",
            str(job),
            "--shard-size",
            "4",
            "--workers",
            "1",
        ]
        more = {"PYTHONPATH": path, "POWER_LOG": str(log), "POWER_CARELESS": careless}
        code = subprocess.run(
            [sys.executable, "-m", "foveal", *line, "-q"],
            check=False,
            capture_output=True,
            env={**os.environ, **more, "FOVEAL_FAILPOINTS": failpoints},
        ).returncode
        if code != 0:
            lose(job, log, random.Random(seed))
        return code

    return run


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    "place",
    [
        *(f"batch.{what}.publish" for what in ("job", "manifest")),
        *(f"batch.ledger.{what}" for what in ("add", "finish")),
        *(f"batch.publish.{step}" for step in ("rename", "sync")),
    ],
)
def test_nothing_that_was_committed_is_lost_with_the_power(powered, checker, tmp_path, place, seed) -> None:
    at = 3 if "finish" in place or "batch.publish" in place else 1

    killed = powered(tmp_path / "job", failpoints=f"{place}:kill@{at}", seed=seed)
    left = checker.violations(tmp_path / "job", finished=False)
    ended = powered(tmp_path / "job")

    assert (killed, ended) == (-9, 0)
    assert left == []
    powered(tmp_path / "undisturbed")
    assert checker.violations(tmp_path / "job", finished=True, like=tmp_path / "undisturbed") == []


def test_a_build_that_does_not_wait_for_the_disk_is_noticed(powered, checker, tmp_path) -> None:
    killed = powered(tmp_path / "job", failpoints="batch.publish.rename:kill@3", careless="yes")

    assert killed == -9
    assert any(text.startswith("torn") for text in checker.violations(tmp_path / "job", finished=False))


def test_clocks_that_jump_change_nothing(bundle, collection, checker, tmp_path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    jump = "time.time = lambda: _now() + random.choice([-86400, 0, 86400])"
    (site / "sitecustomize.py").write_text(f"import random, time\n_now = time.time\n{jump}\n")
    for name, path in (("jumping", f"{site}:"), ("steady", "")):
        subprocess.run(
            [
                sys.executable,
                "-m",
                "foveal",
                "batch",
                str(bundle),
                str(collection),
                "--out",
                tmp_path / name,
                "-q",
            ],
            check=True,
            env={**os.environ, "PYTHONPATH": path + os.environ.get("PYTHONPATH", ""), "TZ": "Pacific/Apia"},
        )

    assert checker.violations(tmp_path / "jumping", finished=True, like=tmp_path / "steady") == []
