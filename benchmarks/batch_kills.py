"""Kill `foveal batch` at random moments, run the same line again, and let an independent checker look.

    python benchmarks/batch_kills.py BUNDLE PICTURES [--kills 1000] [--seed 0] [--nodes]

One job after the other is begun over the same pictures. At a random moment of its life a victim drawn by
chance is killed (SIGKILL): the driver alone, one of the workers alone, or all processes at once. With --nodes
the job runs on a Ray cluster of this machine, a head and two nodes, and the driver or a node is killed. The
checker looks at what is left after each kill; where the driver is gone the same line is run again, until the
job says that it is finished; then the checker compares every row with an undisturbed job. A violation ends it
with the history.
"""

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from batch_checker import violations

FOVEAL = [sys.executable, "-c", "from foveal.cli import main; main()"]
KINDS = ("driver", "worker", "all")
LOCAL_RAY = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # it listens on this machine only
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


class Nodes:
    """A Ray cluster on this machine: a head without processors, and two nodes of one each."""

    def __init__(self) -> None:
        os.environ.update(LOCAL_RAY)
        from ray.cluster_utils import Cluster  # only now: Ray reads these when it is imported

        self._size = {"object_store_memory": 80 << 20, "include_dashboard": False}
        self._cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **self._size})
        self._nodes = [self._cluster.add_node(num_cpus=1, **self._size) for _ in range(2)]
        self.address = self._cluster.address

    def kill(self, draw: random.Random) -> None:
        """Kill the processes of a node."""
        self._cluster.remove_node(self._nodes.pop(draw.randrange(len(self._nodes))), False)

    def mend(self) -> None:
        """Put a new node in the place of a dead one."""
        while len(self._nodes) < 2:
            self._nodes.append(self._cluster.add_node(num_cpus=1, **self._size))

    def close(self) -> None:
        """End all of it."""
        self._cluster.shutdown()


class Job:
    """One job folder, driven by the same line again and again."""

    def __init__(self, launcher: list[str], line: list[str], out: Path) -> None:
        self.out = out
        self._command = [*launcher, "batch", *line, "--out", str(out), "--json", "-q"]

    def start(self) -> "subprocess.Popen[str]":
        """Run the line."""
        return subprocess.Popen(
            self._command, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def finish(self) -> float:
        """Run the line to its end; return the seconds it took."""
        began = time.monotonic()
        process = self.start()
        told, said = process.communicate()
        if process.returncode:
            raise SystemExit(f"{self._command} ended with {process.returncode}: {told} {said}")
        return time.monotonic() - began


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def kill(process: "subprocess.Popen[str]", kind: str, draw: random.Random) -> str:
    """Kill a victim; return what was killed, or `none` where it was gone already."""
    workers = children(process.pid)
    victims = {"driver": [process.pid], "worker": draw.sample(workers, 1) if workers else []}
    chosen = victims.get(kind, [*workers, process.pid])
    hit = False
    for pid in chosen:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            hit = True
    if kind != "worker":
        hit = process.wait() < 0  # it may have ended by itself a moment before
    return kind if hit else "none"


def disturb(
    job: Job, usual: float, draw: random.Random, like: Path, nodes: Nodes | None
) -> tuple[list[str], float]:
    """Run a job with kills until it is finished; return the history, and how long a job usually takes now."""
    history: list[str] = []
    worker_killed = False
    while True:
        if nodes is not None:
            nodes.mend()
        process, began = job.start(), time.monotonic()
        moment = draw.uniform(0, 1.2 * usual)
        known = KINDS if nodes is None else ("driver", "node")
        kind = draw.choice([kind for kind in known if kind in ("driver", "all") or not worker_killed])
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moment)
        if process.poll() is not None:
            done = "none"
            usual = usual if history else time.monotonic() - began  # the machine may be busier than before
        elif kind == "node" and nodes is not None:
            nodes.kill(draw)
            done = kind
        else:
            done = kill(process, kind, draw)
        worker_killed |= done in ("worker", "node")  # a picture that two workers die of is set aside, rightly
        history.append(f"{moment:.3f} s {kind} {done}")
        told, said = process.communicate()
        finished = process.returncode == 0
        if process.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"ended with {process.returncode} after {history}: {told} {said}")
        if job.out.exists() and (found := violations(job.out, finished=finished, like=like)):
            raise SystemExit(f"after {history}:\n" + "\n".join(found[:20]))
        if finished:
            document = json.loads(told)
            assert document["done"] + document["failed"] == document["images"], document
            return history, usual


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--shard-size", type=int, default=16)
    parser.add_argument("--nodes", action="store_true", help="on a Ray cluster, whose nodes die, too")
    given = parser.parse_args()
    line = [
        str(given.bundle),
        *map(str, given.pictures),
        "--shard-size",
        str(given.shard_size),
        "--workers",
        "2",
    ]
    draw, hits, jobs = random.Random(given.seed), Counter[str](), 0
    nodes = Nodes() if given.nodes else None
    line += [] if nodes is None else ["--backend", "ray", "--ray-address", nodes.address]
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(tempfile.TemporaryDirectory())
        if nodes is not None:
            stack.callback(nodes.close)
        undisturbed = Job(FOVEAL, line, Path(temporary) / "undisturbed")
        usual = undisturbed.finish()
        if found := violations(undisturbed.out, finished=True):
            raise SystemExit("\n".join(found))
        while hits.total() < given.kills:
            job = Job(FOVEAL, line, Path(temporary) / f"job-{jobs}")
            history, usual = disturb(job, usual, draw, undisturbed.out, nodes)
            for entry in history:
                if not entry.endswith("none"):
                    hits[entry.rpartition(" ")[2]] += 1
            subprocess.run(["rm", "-r", str(job.out)], check=True)
            jobs += 1
            if jobs % 10 == 0:
                print(f"{jobs} jobs, kills {dict(hits)}, {time.monotonic() - began:.0f} s", flush=True)
    print(
        f"seed {given.seed}: {jobs} jobs, kills {dict(hits)}: nothing lost, doubled, phantom, torn or changed"
    )


if __name__ == "__main__":
    main()
