"""How old are results of a 30 fps film that plays for minutes, and does age or memory grow?

    python benchmarks/stream_age.py BUNDLE FILM [--minutes 10] [--threads 1]

FILM is encoded again, 30 frames a second at 768×432 (H.264 where PyAV has it), and played over and over at
its own speed by `foveal stream --live --loop --json`, a process of its own. Printed are the ages of the first
and of the last minute, what was dropped, and the slope of the resident memory in the second half of the run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from foveal.core.machine import cpu_name, usable_cpus

WIDTH, HEIGHT, RATE = 768, 432, 30


def clip(source: Path, target: Path, frames: int = 20 * RATE) -> None:
    """Write the first frames of a film again, 30 a second."""
    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, frame in enumerate(read.decode(video=0)):
            if index == frames:
                break
            plain = frame.reformat(width=WIDTH, height=HEIGHT, format="yuv420p")
            plain.pts, plain.time_base = index, Fraction(1, RATE)
            write.mux(stream.encode(plain))
        write.mux(stream.encode())


def resident_mb(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1000


def watched(process: subprocess.Popen[str]) -> list[tuple[float, float]]:
    """Return seconds and resident megabytes, once a second, until the process ends."""
    found, start = [], time.monotonic()
    while process.poll() is None:
        try:
            found.append((time.monotonic() - start, resident_mb(process.pid)))
        except (OSError, IndexError):
            break
        time.sleep(1)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("film", type=Path)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        film = Path(work, "clip.mp4")
        clip(given.film, film)
        command = [sys.executable, "-c", "from foveal.cli import main; main()", "stream", str(given.bundle)]
        command += [str(film), "--live", "--loop", "--json", "--threads", str(given.threads)]
        command += ["--time", f"{given.minutes * 60:.0f}s"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        memory = watched(process)
        out, _ = process.communicate()
    told = json.loads(out)
    if not told["ok"]:
        raise SystemExit(out)
    late = np.array(memory[len(memory) // 2 :])
    slope = np.polyfit(late[:, 0], late[:, 1], 1)[0] * 60 if len(late) > 2 else float("nan")
    print(f"{cpu_name()}, {usable_cpus()} processors, {told['engine']} in {told['precision']}")
    print(
        f"{told['seconds']:.0f} s, {told['captured']} frames captured, {told['frames']} answered, "
        f"{told['dropped']} dropped"
    )
    for name in ("first_minute", "last_minute"):
        age = told["age_ms"][name]
        words = name.replace("_", " ")
        print(f"{words}: age p50 {age['p50']:.1f} ms, p99 {age['p99']:.1f} ms, largest {age['max']:.1f} ms")
    print(f"memory: {late[:, 1].mean():.1f} MB resident, {slope:+.2f} MB a minute over the second half")


if __name__ == "__main__":
    main()
