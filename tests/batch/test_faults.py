"""Whatever kills a batch, and wherever: the same line again ends where an undisturbed job ends."""

import json
import os
import signal
import subprocess
import sys

import pytest

WRITES = ["job", "manifest", "part"]
PLACES = [
    *(
        f"batch.{what}.{step}:{how}"
        for what in WRITES
        for step in ("write", "sync")
        for how in ("kill", "full")
    ),
    *(f"batch.{what}.write:torn" for what in WRITES),
    *(f"batch.{what}.publish:kill" for what in ("job", "manifest")),
    *(f"batch.ledger.{what}:{how}" for what in ("open", "add", "finish") for how in ("kill", "broken")),
    *(f"batch.publish.{step}:{how}" for step in ("rename", "sync") for how in ("kill", "broken")),
    "batch.receipt:kill",
]


@pytest.fixture
def undisturbed(batch, collection, tmp_path):
    assert batch(collection, "--out", tmp_path / "undisturbed", "--shard-size", 6).returncode == 0
    return tmp_path / "undisturbed"


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("place", PLACES)
def test_a_fault_at_any_write_costs_nothing(
    batch, collection, undisturbed, checker, tmp_path, place, at
) -> None:
    line = (collection, "--out", tmp_path / "job", "--shard-size", 6, "--workers", 1)

    hit = batch(*line, failpoints=f"{place}@{at}")
    left = checker.violations(tmp_path / "job", finished=hit.returncode == 0, like=undisturbed)
    again = batch(*line)

    assert left == []
    assert hit.returncode in (0, 73, 75, -signal.SIGKILL), hit.stdout + hit.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    assert checker.violations(tmp_path / "job", finished=True, like=undisturbed) == []
    assert [*(tmp_path / "job" / "staging").iterdir()] == []


@pytest.mark.slow
def test_killed_at_every_place_it_ever_comes_to(batch, collection, undisturbed, checker, tmp_path) -> None:
    number, ended = 0, None
    while ended != 0:
        number += 1
        job = tmp_path / f"job-{number}"
        line = (collection, "--out", job, "--shard-size", 6, "--workers", 1)
        ended = batch(*line, failpoints=f"*:kill@{number}").returncode
        assert batch(*line).returncode == 0
        assert checker.violations(job, finished=True, like=undisturbed) == []
    assert number > 10


# A build whose workers die, or hang, over one picture, as a decoder with a hole in it would.
_DEADLY = """
import os, sys, time
from foveal.batch import reading

def content(item, *rest, _read=reading.content, **kind):
    if item.source.endswith("07.jpg"):
        {how}
    return _read(item, *rest, **kind)

reading.content = content
"""


@pytest.mark.parametrize("how", ["os.kill(os.getpid(), 11)", "time.sleep(1000)"])
def test_a_picture_that_workers_die_of_is_set_aside(bundle, collection, tmp_path, how) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(_DEADLY.format(how=how))
    command = [sys.executable, "-m", "foveal", "batch", str(bundle), str(collection)]
    result = subprocess.run(
        [*command, "--out", str(tmp_path / "job"), "--shard-size", "6", "--item-timeout", "2s", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": f"{tmp_path / 'site'}:{os.environ.get('PYTHONPATH', '')}"},
    )

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["failures"]["worker_killed"] == 1
    assert (document["done"], document["failed"]) == (21, 3)


# Builds that break one promise each; the checker has to notice.
_BROKEN = {
    "published before it is committed": """
from foveal.batch import run
from foveal.batch.ledger import Ledger
Ledger.finish = lambda self, shard, part, receipt, **_: None
""",
    "rows of another picture": """
from foveal.batch.shard import _Answering
_Answering._about = lambda self, index, content, _a=_Answering._about: {**_a(self, index, content),
    "occurrence": 0, "source": self._items[index].source[:-6] + "00.jpg"}
""",
    "a shard is dropped": """
from foveal.batch import run
run.Running._publish = lambda self, shard, receipt, _p=run.Running._publish: (
    self.ledger.finish(shard.number, "part-000009.jsonl", receipt.detail, attempt=1, node="x")
    if shard.number == 1 else _p(self, shard, receipt))
""",
    "torn after it was hashed": """
from foveal.batch import durable
durable.move = lambda source, target, place, _m=durable.move: (
    source.write_bytes(source.read_bytes()[:-200]) if place == "batch.publish" else None,
    _m(source, target, place))
""",
}


@pytest.mark.parametrize("name", _BROKEN)
def test_the_checker_notices_a_broken_build(bundle, collection, undisturbed, checker, tmp_path, name) -> None:
    code = f"{_BROKEN[name]}\nfrom foveal.cli import main\nmain()"
    line = ["batch", str(bundle), str(collection), "--out", str(tmp_path / "job"), "--shard-size", "6", "-q"]
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_BROKEN[name])
    subprocess.run(
        [sys.executable, "-c", code, *line],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": f"{site}:{os.environ.get('PYTHONPATH', '')}"},
    )

    assert checker.violations(tmp_path / "job", finished=True, like=undisturbed) != []
