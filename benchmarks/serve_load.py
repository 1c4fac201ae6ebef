"""Requests a second and latencies of `foveal serve` beside LitServe and plain FastAPI with torch.

    python benchmarks/serve_load.py RUN BUNDLE PICTURES --peer-python PYTHON [--rounds 5] [--seconds 10]

RUN is a finished training, BUNDLE what ships of it (an optimized one, too), PICTURES a folder of JPEG files,
PYTHON one that has litserve and torch. Every server runs alone on this machine's processors with the same
client beside it, which sends pictures in multipart forms on keep-alive connections; the servers take turns,
and medians over the rounds are compared. The parts:

- `peers`: a closed loop of --connections, each server with one worker a processor;
- `overhead`: one connection, beside the bare engine in this process on the same bytes;
- `overload`: one, two and four times the rate of the closed loop, offered in an open loop;
- `soak`: --requests requests, and what they leave in memory;
- `start`: from the command to the first answer.
"""

import argparse
import contextlib
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from load import Result, closed, median, opened, request

from foveal.bundle.predictor import Predictor
from foveal.core.machine import cpu_name, usable_cpus

PEERS = Path(__file__).parent / "peers"
FOVEAL = [sys.executable, "-c", "from foveal.cli import main; main()"]


@dataclass(frozen=True)
class Contestant:
    """A server: its command with {port} in it, and the path that takes pictures."""

    command: list[str]
    path: str


def contestants(given: argparse.Namespace) -> dict[str, Contestant]:
    """Return all servers by name."""
    workers = str(usable_cpus())
    serve = [*FOVEAL, "serve", str(given.bundle), "--port", "{port}", "--workers", workers, *given.serve]
    found = {"foveal serve": Contestant(serve, "/v1/predict")}
    if given.peer_python:
        lit = [
            given.peer_python,
            str(PEERS / "lit_server.py"),
            str(given.run),
            str(given.bundle),
            "{port}",
            workers,
        ]
        plain = [given.peer_python, str(PEERS / "fastapi_torch.py"), str(given.run), "{port}", workers]
        found["LitServe, the same file"] = Contestant([*lit, "onnx"], "/predict")
        found["LitServe, torch"] = Contestant([*lit, "torch"], "/predict")
        found["FastAPI, torch"] = Contestant(plain, "/predict")
    return found


@contextlib.contextmanager
def running(contestant: Contestant, picture: bytes) -> Iterator[tuple[int, subprocess.Popen[bytes], float]]:
    """Start a server on a free port, wait for its first good answer, and end it with all its children."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    command = [part.format(port=port) for part in contestant.command]
    began = time.perf_counter()
    nowhere = subprocess.DEVNULL
    process = subprocess.Popen(command, start_new_session=True, stdout=nowhere, stderr=nowhere)
    try:
        first = request(contestant.path, picture)
        while not _answers(port, first):
            if process.poll() is not None or time.perf_counter() - began > 120:
                raise SystemExit(f"{command} does not answer")
            time.sleep(0.01)
        yield port, process, time.perf_counter() - began
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(port: int, data: bytes) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(data)
            return connection.recv(12)[9:12] == b"200"
    except OSError:
        return False


def peers(given: argparse.Namespace, pictures: list[bytes]) -> float:
    """Compare all servers in a closed loop; return the rate of foveal."""
    found = contestants(given)
    results: dict[str, list[Result]] = {name: [] for name in found}
    for number in range(given.rounds):
        for name, contestant in found.items():
            with running(contestant, pictures[0]) as (port, _, _):
                requests = [request(contestant.path, picture) for picture in pictures]
                closed(port, requests, connections=given.connections, seconds=2)
                results[name].append(
                    closed(port, requests, connections=given.connections, seconds=given.seconds)
                )
            print(f"round {number + 1} {name:<24} {results[name][-1]}", flush=True)
    ours = results["foveal serve"]
    for name, theirs in results.items():
        ratios = [a.rate / b.rate for a, b in zip(ours, theirs, strict=True)]
        print(
            f"{name:<24} {median(theirs):7.1f}/s, p50 {median(theirs, 50):6.1f} ms, "
            f"p99 {median(theirs, 99):6.1f} ms; "
            f"foveal {statistics.median(ratios):.2f}x ({min(ratios):.2f} to {max(ratios):.2f})"
        )
    return median(ours)


def overhead(given: argparse.Namespace, pictures: list[bytes]) -> None:
    """Compare one connection with the bare engine on the same bytes, in turns."""
    contestant = contestants(given)["foveal serve"]
    predictor = Predictor.open(given.bundle, threads=1)
    bare: list[float] = []
    served: list[float] = []
    with running(contestant, pictures[0]) as (port, _, _):
        requests = [request(contestant.path, picture) for picture in pictures]
        for _ in range(given.rounds):
            alone = []
            for picture in pictures[:300]:
                began = time.perf_counter()
                predictor.predict(picture)
                alone.append(time.perf_counter() - began)
            bare.append(1e3 * statistics.median(alone))
            served.append(closed(port, requests, connections=1, seconds=2).at(50))
    over = [a - b for a, b in zip(served, bare, strict=True)]
    print(
        f"one connection p50 {statistics.median(served):.2f} ms, bare {statistics.median(bare):.2f} ms: "
        f"{statistics.median(over):.2f} ms more ({min(over):.2f} to {max(over):.2f})"
    )


def overload(given: argparse.Namespace, pictures: list[bytes]) -> None:
    """Offer more than the server can do, each time after what it can do: the machine's speed wanders."""
    contestant = contestants(given)["foveal serve"]
    shares: dict[float, list[float]] = {1.0: [], 2.0: [], 4.0: []}
    others: Counter[int] = Counter()
    late: list[float] = []
    slow: dict[float, list[float]] = {factor: [] for factor in shares}
    with running(contestant, pictures[0]) as (port, _, _):
        requests = [request(contestant.path, picture) for picture in pictures]
        for number in range(given.rounds):
            for factor, found in shares.items():
                peak = closed(port, requests, connections=given.connections, seconds=given.seconds)
                rate = factor * peak.rate
                result = opened(port, requests, rate=rate, connections=512, seconds=given.seconds)
                print(f"round {number + 1} {factor:.0f}x: {result} of {peak.rate:.1f}", flush=True)
                found.append(result.rate / peak.rate)
                others.update(result.statuses)
                late += result.refused
                slow[factor].append(result.at(99))
    for factor, found in shares.items():
        print(
            f"{factor:.0f}x: goodput {statistics.median(found):.0%} of the peak ({min(found):.0%} to "
            f"{max(found):.0%}), p99 of the answered {statistics.median(slow[factor]):.0f} ms"
        )
    print(f"answers {dict(others)}")
    if late:
        print(f"refused after p99 {1e3 * sorted(late)[int(0.99 * (len(late) - 1))]:.1f} ms")


def soak(given: argparse.Namespace, pictures: list[bytes]) -> None:
    """Send many requests and see what stays in memory."""
    contestant = contestants(given)["foveal serve"]
    with running(contestant, pictures[0]) as (port, process, _):
        requests = [request(contestant.path, picture) for picture in pictures]
        closed(port, requests, connections=given.connections, seconds=10)
        points, count = [(0, resident(process.pid))], 0
        while count < given.requests:
            count += closed(port, requests, connections=given.connections, seconds=5).statuses[200]
            points.append((count, resident(process.pid)))
    mean = [statistics.fmean(values) for values in zip(*points, strict=True)]
    above = sum((x - mean[0]) * (y - mean[1]) for x, y in points)
    slope = above / sum((x - mean[0]) ** 2 for x, _ in points)
    print(
        f"{count} requests: {points[0][1] / 1e6:.1f} MB before, {points[-1][1] / 1e6:.1f} MB after, "
        f"slope {slope:.0f} bytes a request"
    )


def resident(pid: int) -> int:
    """Return the memory of a process and of all below it, bytes; what they share counts once (Pss)."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, IndexError):
            if os.getsid(int(folder.name)) == pid:
                rows = (folder / "smaps_rollup").read_text().splitlines()
                total += next(int(row.split()[1]) for row in rows if row.startswith("Pss:")) * 1024
    return total


def start(given: argparse.Namespace, pictures: list[bytes]) -> None:
    """Time the way from the command to the first answer."""
    for name, contestant in contestants(given).items():
        found = []
        for _ in range(given.rounds):
            with running(contestant, pictures[0]) as (_, _, seconds):
                found.append(seconds)
        print(f"{name:<24} {statistics.median(found):.2f} s ({min(found):.2f} to {max(found):.2f})")


PARTS = {"peers": peers, "overhead": overhead, "overload": overload, "soak": soak, "start": start}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--peer-python")
    parser.add_argument("--part", action="append", choices=PARTS, help="default: all")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--serve", type=json.loads, default=[], help="options of foveal serve, a JSON list")
    given = parser.parse_args()
    pictures = [file.read_bytes() for file in sorted(given.pictures.rglob("*.jpg"))[:500]]
    print(f"{cpu_name()}, {usable_cpus()} processors, {len(pictures)} pictures, {given.bundle.name}")
    for part in given.part or PARTS:
        print(f"-- {part}")
        PARTS[part](given, pictures)


if __name__ == "__main__":
    main()
