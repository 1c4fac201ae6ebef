"""foveal stream: lines, documents, codes, and every way to end."""

import json
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.cli._main import run

av = pytest.importorskip("av")

FOVEAL = [sys.executable, "-W", "error", "-c", "from foveal.cli import main; main()"]
COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220), "grey": (128, 128, 128)}


@pytest.fixture
def film(tmp_path):
    """Make a film of single-coloured frames, 20 a second."""

    def make(name, colors, rate=20):
        path = tmp_path / name
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=rate)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for color in colors:
                array = np.full((48, 64, 3), COLORS[color], np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
            container.mux(stream.encode())
        return path

    return make


@pytest.fixture
def stream(bundle, capsys):
    """Run the command; return exit code, stdout and stderr."""

    def call(*arguments: object, model: object = bundle) -> tuple[int, str, str]:
        capsys.readouterr()
        return run(["stream", str(model), *map(str, arguments)]), *capsys.readouterr()

    return call


@pytest.fixture
def started(bundle):
    """Start the command as a process of its own."""
    processes = []

    def begin(*arguments: object, failpoints: str = "", stdout=subprocess.PIPE) -> subprocess.Popen[str]:
        environment = {**os.environ, "FOVEAL_FAILPOINTS": failpoints}
        command = [*FOVEAL, "stream", str(bundle), *map(str, arguments)]
        process = subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_line_for_each_frame_and_event(stream, film) -> None:
    code, out, err = stream(film("a.mp4", ["red"] * 6 + ["grey"] * 6), "--hold", "2")

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    shown = [line for line in lines if "frame" in line]
    assert [list(line) for line in shown] == [["frame", "time_s", "age_ms", "result", "dropped"]] * 12
    assert list(shown[0]["result"]) == ["label", "confidence", "abstain", "set", "unknown"]
    assert [line["event"]["what"] for line in lines if "event" in line] == ["enter", "leave"]
    assert "12 frames, 2 events" in err
    assert "age p50" in err


def test_scores_on_demand(stream, film) -> None:
    _, out, _ = stream(film("a.mp4", ["red"]), "--scores")

    assert set(json.loads(out.splitlines()[0])["result"]["scores"]) == {"red", "green", "blue"}


def test_json_is_one_document_of_the_contract(stream, film, bundle, tmp_path) -> None:
    path = film("a.mp4", ["red"] * 12)

    code, out, _ = stream(path, "--json", "--sink", f"jsonl:{tmp_path}/lines.jsonl")

    document = json.loads(out)
    assert code == 0
    assert list(document) == [
        *("schema", "ok", "source", "bundle", "digest", "engine", "precision", "ended"),
        *("frames", "dropped", "too_old", "captured", "damaged", "unreadable", "fps", "age_ms"),
        *("events", "reconnects", "seconds", "sinks", "notes"),
    ]
    assert document["schema"] == "foveal.stream/1"
    assert (document["ok"], document["ended"], document["frames"]) == (True, "end", 12)
    assert set(document["age_ms"]) == {"p50", "p99", "max", "first_minute", "last_minute"}
    assert document["source"] == str(path)
    assert document["sinks"] == [
        {
            "sink": f"jsonl:{tmp_path}/lines.jsonl",
            "written": 14,
            "dropped": 0,
            "failed": 0,
            "over_limit": 0,
            "error": None,
        }
    ]


def test_quiet_says_nothing(stream, film) -> None:
    assert stream(film("a.mp4", ["red"]), "-q")[2] == ""


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("gone.mp4",), 66, "not_found"),
        (("{long}",), 66, "not_found"),
        (("{film}", "--sink", "video:{long}.mp4"), 73, "cannot_write"),
        (("{text}",), 65, "not_a_video"),
        (("{film}", "--max-latency", "5"), 2, "usage"),
        (("{film}", "--max-latency", "5ms"), 2, "usage"),
        (("{film}", "--watch", "rde"), 2, "unknown_name"),
        (("{film}", "--sink", "pigeon:x"), 2, "unknown_name"),
        (("{film}", "--sink", "webhook:http://10.0.0.1/"), 2, "remote_sink"),
        (("{film}", "--sink", "video:{film}"), 73, "inside_data"),
        (("{film}", "--sink", "video:{text}"), 73, "cannot_write"),
        (("{film}", "--sink", "jsonl:{text}"), 73, "would_overwrite"),
        (("{film}", "--monitor"), 2, "no_reference"),
        (("{film}", "--jsonl"), 2, "usage"),
        (("camera:987",), 69, "no_device"),
        (("http://127.0.0.1:9/",), 75, "no_connection"),
        (("rtsp://127.0.0.1:9/",), 75, "no_connection"),
    ],
)
def test_errors_have_the_contracts_document_and_code(stream, film, tmp_path, arguments, code, error) -> None:
    (tmp_path / "text.mp4").write_text("no film")
    names = {"film": film("a.mp4", ["red"]), "text": tmp_path / "text.mp4", "long": "a" * 300}

    found, out, _ = stream(*(argument.format(**names) for argument in arguments), "--json")

    document = json.loads(out)
    assert (found, document["error"]["code"]) == (code, error), document
    assert document["schema"] == "foveal.error/1"


def test_without_the_extra_it_says_so_before_anything_else(stream, monkeypatch) -> None:
    monkeypatch.setattr("foveal.core.extras.missing", lambda extra: ["av"])

    code, _, err = stream("gone.mp4", model="gone.foveal")

    assert code == 69
    assert 'pip install "foveal[video]"' in err


def test_a_full_disk_is_said_and_is_the_exit_code_though_all_was_answered(stream, film) -> None:
    code, out, err = stream(film("a.mp4", ["red"] * 9), "--sink", "jsonl:/dev/full")

    assert code == 73
    assert len([line for line in out.splitlines() if '"frame"' in line.split(",")[0]]) == 9
    assert "No space left" in err


def test_a_slow_service_that_loses_events_is_said_and_is_the_exit_code(stream, film, monkeypatch) -> None:
    monkeypatch.setattr("foveal.stream.outbox._CLOSING_S", 0.2)
    path = film("a.mp4", ["red", "green"] * 150)
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:  # takes all, and answers nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/hook"
        code, out, err = stream(path, "--hold", "1", "--sink", f"webhook:{address}", "--json")

    document = json.loads(out)
    [sink] = document["sinks"]
    assert (code, document["ok"], document["frames"]) == (75, False, 300)
    assert sink["dropped"] == document["events"] == 600
    assert (sink["written"], sink["error"]["code"]) == (0, "too_slow")
    assert "600 of 600 were lost" in err


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_ends_it_with_all_that_was_told_saved(started, film, tmp_path, number, code, word) -> None:
    path, lines = film("a.mp4", ["red", "green"] * 20), tmp_path / "lines.jsonl"
    process = started(
        path, "--live", "--loop", "--json", "--sink", f"jsonl:{lines}", "--sink", f"video:{tmp_path}/out.mp4"
    )
    while not lines.exists() or lines.stat().st_size < 3000:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == code
    document = json.loads(out)
    assert document["ended"] == word
    assert document["frames"] + document["dropped"] + document["too_old"] == document["captured"]
    told = [json.loads(line) for line in lines.read_text().splitlines()]
    assert sum("frame" in line for line in told) == document["frames"]
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == document["frames"]
    assert "Traceback" not in err


def test_an_interruption_that_is_to_be_ignored_stays_ignored(started, film, tmp_path) -> None:
    """As in the background of a shell."""
    lines = tmp_path / "lines.jsonl"

    def wait_for(size: int) -> None:
        while not lines.exists() or lines.stat().st_size < size:
            assert process.poll() is None, process.communicate()
            time.sleep(0.02)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # whom we start inherits it
    try:
        process = started(
            film("a.mp4", ["red"] * 40), "--loop", "--live", "--json", "--sink", f"jsonl:{lines}"
        )
    finally:
        signal.signal(signal.SIGINT, before)
    wait_for(1000)
    process.send_signal(signal.SIGINT)
    wait_for(lines.stat().st_size + 5000)
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=60)

    assert (process.returncode, json.loads(out)["ended"]) == (143, "terminated")


def test_a_signal_reaches_it_also_while_nobody_reads_its_lines(started, film) -> None:
    process = started(film("a.mp4", ["red"] * 400), "--loop")
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(0.5)  # until the pipe is full; a little later is as good

    process.send_signal(signal.SIGTERM)
    time.sleep(0.3)  # whether the first one was heard by now does not matter
    process.send_signal(signal.SIGINT)
    process.wait(60)

    assert process.returncode in (130, 143)


def test_killed_it_leaves_whole_lines_whole_rejects_and_a_film_that_plays(started, film, tmp_path) -> None:
    path, folder, lines = film("a.mp4", ["grey"] * 200), tmp_path / "rejects", tmp_path / "lines.jsonl"
    process = started(
        *(path, "--loop", "--sink", f"rejects:{folder}", "--sink", f"jsonl:{lines}"),
        *("--sink", f"video:{tmp_path}/out.mp4"),
        stdout=subprocess.DEVNULL,
    )
    while not folder.exists() or len(list(folder.glob("*.png"))) < 100:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)

    process.kill()
    process.wait(60)

    for picture in folder.glob("*.png"):
        with Image.open(picture) as image:
            image.load()
        assert json.loads(picture.with_suffix(".json").read_text())["result"]["abstain"] is True
    *whole, last = lines.read_text().split("\n")
    assert [json.loads(line)["frame"] for line in whole if "frame" in line] == list(range(len(whole)))
    assert last == ""
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) >= 10


@pytest.mark.parametrize("failpoints", ["rejects:kill@3", "jsonl:torn@5"])
def test_killed_in_the_middle_of_a_write_the_next_run_begins_clean(
    started, stream, film, tmp_path, failpoints
) -> None:
    path, folder, lines = film("a.mp4", ["grey"] * 8), tmp_path / "rejects", tmp_path / "lines.jsonl"
    sinks = ("--sink", f"rejects:{folder}", "--sink", f"jsonl:{lines}")
    process = started(path, *sinks, failpoints=failpoints)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL

    assert stream(path, *sinks)[0] == 0

    numbers = [json.loads(line)["frame"] for line in lines.read_text().splitlines()]
    assert numbers[-8:] == list(range(8))
    for picture in folder.glob("*.png"):
        json.loads(picture.with_suffix(".json").read_text())
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*.png")))
    assert not list(folder.glob(".*"))


def test_a_reader_that_has_seen_enough_ends_it(bundle, film) -> None:
    command = " ".join(
        f"'{word}'" for word in [*FOVEAL, "stream", str(bundle), str(film("a.mp4", ["red"] * 9))]
    )

    result = subprocess.run(
        ["bash", "-c", f"{command} --loop | head -1; exit ${{PIPESTATUS[0]}}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.returncode == 141, result.stderr
    assert json.loads(result.stdout)["frame"] == 0


def test_on_a_terminal_a_line_is_printed_when_the_answer_changes(bundle, film) -> None:
    path = film("a.mp4", ["red"] * 5 + ["green"] * 5 + ["grey"] * 5)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*FOVEAL, "stream", str(bundle), str(path)], stdout=theirs, stderr=subprocess.PIPE, text=True
    )
    _, err = process.communicate(timeout=60)
    os.close(theirs)
    lines = os.read(ours, 10_000).decode().splitlines()
    os.close(ours)

    assert process.returncode == 0, err
    assert [line.split()[2] for line in lines][:2] == ["red", "green"]
    assert lines[2].split()[2].endswith("?")
    assert len(lines) == 3


def test_it_imports_no_extra_for_a_folder_and_for_help(bundle, tmp_path) -> None:
    (tmp_path / "photos").mkdir()
    code = (
        "import sys; from foveal.cli._main import run\n"
        f"code = run(['stream', {str(bundle)!r}, {str(tmp_path / 'photos')!r}, '--time', '0.3s', '-q'])\n"
        "assert code == 0, code\n"
        "assert run(['stream', '--help']) == 0\n"
        "assert not {'av', 'paho', 'torch', 'fastapi', 'uvicorn', 'rich.console'} & set(sys.modules)\n"
    )

    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert result.returncode == 0, result.stderr


def test_pictures_that_appear_in_a_folder_are_answered(started, tmp_path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    process = started(folder, "--existing")
    assert process.stdout is not None
    Image.new("RGB", (40, 30), COLORS["blue"]).save(folder / "a.png")

    line = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert line["result"]["label"] == "blue"
    assert Path(line["source"]) == folder / "a.png"
    assert process.returncode == 130
