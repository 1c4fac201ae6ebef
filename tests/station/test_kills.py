"""Whatever kills a line, and wherever: no decision is lost or made twice, or told without being logged."""

import json
import signal
import subprocess
import sys

import pytest

PLACES = [
    "log.create:kill@1",
    "log.write:kill@1",
    "log.write:kill@3",
    "log.write:torn@1",
    "log.write:torn@3",
    "log.sync:kill@2",
    "log.synced:kill@2",
    "log.write:full@2",
    "line.told:kill@1",
    "line.told:kill@5",
    "signal.told:kill@1",
    "signal.told:kill@4",
    "jsonl:torn@3",
]


# Starts no thread itself, and so may fork: each run is a process of its own that has imported already.
STARTER = """
import json, os, sys
import onnxruntime
from foveal.core import failpoints
from foveal.flows import inspect_run
from foveal.cli import main
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        told = os.open(asked["stdout"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(told, 1)
        sys.argv[1:] = asked["line"]
        failpoints._here.__init__(asked["failpoints"])
        exec(asked["build"])
        main()
    _, status = os.waitpid(child, 0)
    print(os.waitstatus_to_exitcode(status), flush=True)
"""


@pytest.fixture(scope="module")
def starter():
    """A process that starts others at once, as importing takes far longer than a line of twelve parts."""
    process = subprocess.Popen(
        [sys.executable, "-c", STARTER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process
    process.stdin.close()
    process.wait()
    process.stdout.close()


@pytest.fixture
def line(starter, station_bundle, parts, tmp_path):
    """Run the command in a process of its own; what it tells on stdout goes to the end of a file."""

    def run(failpoints="", build=""):
        # One at a time: what comes together is written in one go, and a fault has to find a third write.
        command = ["inspect", "run", station_bundle, parts, "--log", tmp_path / "log", "--jsonl", "-q"]
        command += ["--workers", 1]
        command += ["--sink", f"jsonl:{tmp_path / 'sink'}"]
        stdout = tmp_path / "stdout"
        asked = {
            "line": [*map(str, command)],
            "stdout": str(stdout),
            "failpoints": failpoints,
            "build": build,
        }
        starter.stdin.write(json.dumps(asked) + "\n")
        starter.stdin.flush()
        code = int(starter.stdout.readline())
        with stdout.open("a") as told:
            told.write("\n")  # as a reader sees the end of what a process that is gone has told
        return code

    return run


@pytest.fixture
def violations(checker, parts, tmp_path):
    def look(*, finished):
        signals = [path for path in (tmp_path / "stdout", tmp_path / "sink") if path.exists()]
        return checker.violations(tmp_path / "log", parts, signals, finished=finished)

    return look


@pytest.mark.parametrize("place", PLACES)
def test_a_fault_at_any_place_costs_no_decision(line, violations, place) -> None:
    hit = line(place)
    left = violations(finished=False)
    again = line()

    assert hit == (73 if "full" in place else -signal.SIGKILL)
    assert left == []
    assert again == 0
    assert violations(finished=True) == []


def test_a_kill_while_the_torn_end_is_cut_costs_nothing_either(line, violations) -> None:
    codes = [line(place) for place in ("log.write:torn@3", "log.cut:kill@1", "")]

    assert codes == [-9, -9, 0]
    assert violations(finished=True) == []


@pytest.mark.slow
def test_killed_at_every_place_it_ever_comes_to(line, violations) -> None:
    kills = 0
    while line("*:kill@4") != 0:  # each run comes three places further
        kills += 1
        assert violations(finished=False) == []
    assert violations(finished=True) == []
    assert kills > 5


# Builds that break one promise each; the checker has to notice.
BROKEN = {
    "told before it is logged": """
from foveal.station.line import Line
def decide(self, parts, late, cursor, _d=Line._decide):
    for part in parts:
        self._tell({"n": self._log.n + 5, "hash": "", "verdict": "accept"})
    _d(self, parts, late, cursor)
Line._decide = decide
""",
    "nobody is told again": """
from foveal.station.line import Line
Line._catch_up = lambda self, cursor: cursor.to(self._log.n)
""",
    "decided again": """
from foveal.station import line
line.Known.add = lambda self, given: True
""",
    "forgotten": """
from foveal.station.part import Parts
Parts.add = lambda self, part, _a=Parts.add: None if "03" in part.given.source else _a(self, part)
""",
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_checker_notices_a_broken_build(line, violations, name) -> None:
    if "again" in name:
        line("log.synced:kill@1")
    line(build=BROKEN[name])

    assert violations(finished=True) != []
