"""How old are results of a film or a camera that runs for minutes, and does age or memory grow?

    python benchmarks/stream_age.py BUNDLE FILM [--minutes 10] [--threads 1]
    python benchmarks/stream_age.py BUNDLE FOLDER --rate 60 --max-latency 50ms

FILM is encoded again, 30 frames a second at 768×432 (H.264 where PyAV has it), and played over and over at
its own speed by `foveal stream --live --loop --json`, a process of its own. The JPEG files of FOLDER are sent
by a camera (MJPEG over HTTP, in this process), so many a second, over and over. Printed are the ages of the
first and of the last minute, what was dropped or too old for --max-latency, and the slope of the resident
memory in the second half of the run.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


@contextlib.contextmanager
def camera(folder: Path, rate: float) -> Iterator[str]:
    """Yield the address of a camera that sends pictures when each is due, however late the last one was."""
    pictures = [path.read_bytes() for path in sorted(folder.glob("*.jpg"))]

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
            self.end_headers()
            start, sent = time.monotonic(), 0
            with contextlib.suppress(ConnectionError):
                while True:
                    time.sleep(max(0.0, start + sent / rate - time.monotonic()))
                    picture = pictures[sent % len(pictures)]
                    head = f"--next\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
                    self.wfile.write(head.encode() + picture + b"\r\n")
                    sent += 1

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


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
    parser.add_argument("source", type=Path, help="a film, or a folder of JPEG files")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=60, help="pictures a second of the camera")
    parser.add_argument("--max-latency", help="of foveal stream")
    given = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if given.source.is_dir():
            source = [stack.enter_context(camera(given.source, given.rate))]
        else:
            film = Path(stack.enter_context(tempfile.TemporaryDirectory()), "clip.mp4")
            clip(given.source, film)
            source = [str(film), "--live", "--loop"]
        command = [sys.executable, "-c", "from foveal.cli import main; main()", "stream", str(given.bundle)]
        command += [*source, "--json", "--threads", str(given.threads)]
        command += ["--time", f"{given.minutes * 60:.0f}s"]
        command += ["--max-latency", given.max_latency] if given.max_latency else []
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
        f"{told['dropped']} dropped, {told['too_old']} too old"
    )
    for name in ("first_minute", "last_minute"):
        age = told["age_ms"][name]
        words = name.replace("_", " ")
        print(f"{words}: age p50 {age['p50']:.1f} ms, p99 {age['p99']:.1f} ms, largest {age['max']:.1f} ms")
    print(f"memory: {late[:, 1].mean():.1f} MB resident, {slope:+.2f} MB a minute over the second half")


if __name__ == "__main__":
    main()
