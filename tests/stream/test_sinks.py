"""Where results go: files that are whole, services that may be away, answers that wait for none of them."""

import json
import math
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from PIL import Image

from foveal.core.errors import UsageError, WriteError
from foveal.stream import outbox
from foveal.stream.events import Event
from foveal.stream.options import SinkOptions
from foveal.stream.outbox import Outbox
from foveal.stream.shown import Shown
from foveal.stream.sinks.rejects import rejects
from told import frames

av = pytest.importorskip("av")

ENTER = Event("enter", "red", 3, 0.1, None, None, 0.9)


def test_a_film_with_answers_has_every_frame_at_its_time(watch, mixed, tmp_path) -> None:
    _, told = watch(mixed, sinks=(f"video:{tmp_path}/out.mp4", f"video:{tmp_path}/out.mkv"))

    for name in ("out.mp4", "out.mkv"):
        with av.open(str(tmp_path / name)) as container:
            written = list(container.decode(video=0))
        assert (written[0].width, written[0].height) == (64, 48)
        times = [frame.time for frame in written]
        assert times == pytest.approx([item.time_s for item in frames(told)], abs=0.002)
        below = written[8].to_ndarray(format="rgb24")[36:].reshape(-1, 3).mean(axis=0)
        assert np.abs(below - (220, 30, 30)).max() < 12  # the picture itself, below what is drawn on it
        above = written[8].to_ndarray(format="rgb24")[:24].astype(int)
        dark = above[above.max(axis=2) < 100]  # words stand on what is darkened, and still seen
        assert len(dark) > 50
        assert np.abs(np.median(dark, axis=0) - 0.35 * np.array([220, 30, 30])).max() < 15


def test_a_film_takes_pictures_of_other_sizes_and_odd_ones(watch, photos, tmp_path, color) -> None:
    for name, size in (("a", (61, 33)), ("b", (40, 90))):
        Image.fromarray(color("red", size)).save(photos / f"{name}.png")
    stop, told = threading.Event(), []

    def tell(item) -> None:
        told.append(item)
        if len(frames(told)) == 2:
            stop.set()

    summary, _ = watch(photos, existing=True, stop=stop, tell=tell, sinks=(f"video:{tmp_path}/out.mp4",))

    with av.open(str(tmp_path / "out.mp4")) as container:
        assert [(f.width, f.height) for f in container.decode(video=0)] == [(60, 32)] * 2
    assert summary.sinks[0].written == 2


def test_a_film_does_not_count_what_is_no_picture(watch, photos, tmp_path) -> None:
    (photos / "a.png").write_bytes(b"<html>")
    stop = threading.Event()

    summary, _ = watch(
        photos, existing=True, stop=stop, tell=lambda _: stop.set(), sinks=(f"video:{tmp_path}/a.mp4",)
    )

    assert (summary.unreadable, summary.sinks[0].written) == (1, 0)


def test_a_film_that_is_there_is_not_replaced_unless_that_is_said(watch, mixed, tmp_path) -> None:
    path = tmp_path / "out.mp4"
    path.write_bytes(b"precious")

    with pytest.raises(WriteError, match="is there already"):
        watch(mixed, sinks=(f"video:{path}",))
    assert path.read_bytes() == b"precious"

    watch(mixed, sinks=(f"video:{path}",), sink_options=SinkOptions(force=True))
    assert path.stat().st_size > 500


def test_what_is_declined_is_kept_as_it_was_seen(watch, mixed, tmp_path, predictor) -> None:
    summary, told = watch(mixed, sinks=(f"rejects:{tmp_path}/rejects",))

    declined = [item for item in frames(told) if item.refused]
    kept = sorted((tmp_path / "rejects").glob("*.png"))
    assert len(kept) == len(declined) == summary.sinks[0].written == 11
    for path, item in zip(kept, declined, strict=True):
        assert np.array_equal(np.asarray(Image.open(path)), item.picture)
        about = json.loads(path.with_suffix(".json").read_text())
        assert about["digest"] == predictor.digest
        assert {**item.as_json(scores=True), "digest": predictor.digest} == about


def test_less_sure_answers_are_kept_on_demand_and_never_more_than_were_allowed(watch, film, tmp_path) -> None:
    path, folder = film("red.mp4", ["red"] * 12), tmp_path / "rejects"
    sinks = (f"rejects:{folder}",)

    watch(path, sinks=sinks)
    assert list(folder.iterdir()) == []
    summary, _ = watch(path, sinks=sinks, sink_options=SinkOptions(reject_below=1.0, most_rejects=5))
    assert len(list(folder.glob("*.png"))) == 5
    [sink] = summary.sinks
    assert (sink.written, sink.over_limit, sink.lost) == (5, 7, 0)
    assert sink.as_json()["over_limit"] == 7
    assert "5 written, 7 beyond --max-rejects" in summary.words()[-1]
    watch(path, sinks=sinks, sink_options=SinkOptions(reject_below=1.0, most_rejects=7))
    assert len(list(folder.glob("*.png"))) == len(list(folder.glob("*.json"))) == 7


def test_what_another_stream_is_writing_is_not_taken_for_left_over(tmp_path) -> None:
    """A JSON whose picture is not there yet, and a file under its temporary name."""
    on_its_way = [tmp_path / "0123abcd-000000003.json", tmp_path / f".a.png.{'0' * 16}.tmp"]
    first = rejects(str(tmp_path), SinkOptions())
    for path in on_its_way:
        path.touch()

    second = rejects(str(tmp_path), SinkOptions())
    assert all(path.exists() for path in on_its_way)

    first.close()
    second.close()
    rejects(str(tmp_path), SinkOptions()).close()
    assert not list(tmp_path.iterdir())


def test_a_full_disk_stops_one_sink_and_nothing_else(watch, mixed, tmp_path) -> None:
    said = []

    summary, told = watch(mixed, sinks=("jsonl:/dev/full", f"jsonl:{tmp_path}/good.jsonl"), say=said.append)

    full, good = summary.sinks
    assert (full.written, full.failed) == (0, len(told))
    assert isinstance(full.error, WriteError)
    assert (good.written, good.lost, good.error) == (len(told), 0, None)
    assert summary.frames == 21
    assert sum("No space left" in line and "fails" in line for line in said) == 1


@pytest.mark.parametrize("sink", ["jsonl:/none/a.jsonl", "video:/none/a.mp4", "rejects:/dev/null/a"])
def test_what_cannot_be_written_is_told_before_the_first_frame(watch, mixed, sink) -> None:
    told = []

    with pytest.raises(WriteError):
        watch(mixed, sinks=(sink,), tell=told.append)
    assert told == []


@pytest.mark.parametrize(
    "sink",
    [
        *("rejects:{photos}", "rejects:{photos}/rejects", "rejects:{link}", "rejects:{photos}/.."),
        *("jsonl:{photos}/lines.jsonl", "jsonl:{link}/lines.jsonl", "video:{photos}/out.mp4"),
    ],
)
def test_no_sink_writes_where_pictures_are_only_read(watch, photos, color, tmp_path, sink) -> None:
    """Rejects in the folder that is watched would be taken for new pictures, and rejected again."""
    Image.fromarray(color("red")).save(photos / "a.png")
    (tmp_path / "link").symlink_to(photos)
    before = sorted(tmp_path.rglob("*"))

    with pytest.raises(WriteError, match="only read") as caught:
        watch(
            photos,
            existing=True,
            time_s=5,
            sinks=(f"jsonl:{tmp_path}/first.jsonl", sink.format(photos=photos, link=tmp_path / "link")),
        )

    assert caught.value.code == "inside_data"
    assert f"--sink {sink.partition(':')[0]}:" in caught.value.hint
    assert "--out" not in caught.value.hint
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("kind", ["jsonl", "video"])
def test_no_sink_replaces_the_film_that_is_read(watch, film, kind) -> None:
    path = film("a.mp4", ["red"] * 3)
    before = path.read_bytes()

    with pytest.raises(WriteError, match="only read"):
        watch(path, sinks=(f"{kind}:{path}",), sink_options=SinkOptions(force=True))
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("sink", "match"),
    [
        ("video:a.gif", "no name of a film"),
        ("webhook:http://10.0.0.7/x", "another machine"),
        ("webhook:http://example.org/x", "another machine"),
        ("webhook:http://127.0.0.1@example.org/x", "another machine"),
        ("webhook:ftp://127.0.0.1/x", "http"),
        ("mqtt://10.0.0.7/topic", "another machine"),
        ("mqtt://127.0.0.1/", "no topic"),
        ("mqtt://127.0.0.1/a/+", "no topic"),
        ("mqtt://127.0.0.1/a/%23", "no topic"),
    ],
)
def test_sinks_that_cannot_be_are_refused(watch, mixed, sink, match) -> None:
    if sink.startswith("mqtt"):
        pytest.importorskip("paho")
    with pytest.raises(UsageError, match=match):
        watch(mixed, sinks=(sink,))


class Hook:
    """A service that is told of events, answers what it is told to, and may be slow."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.bodies: list[dict] = []
        self.hold = threading.Event()
        self.hold.set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hook.hold.wait(60)
                status = hook.statuses.pop(0) if hook.statuses else 200
                if status == 200:
                    hook.bodies.append(body)
                self.send_response(status)
                self.end_headers()

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def hook():
    made = Hook()
    yield made
    made.hold.set()
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def quick(monkeypatch):
    """Attempts that follow each other quickly."""
    monkeypatch.setattr(outbox, "_FIRST_S", 0.001)


def test_a_webhook_is_told_of_events_alone(watch, mixed, hook, predictor) -> None:
    summary, told = watch(mixed, sinks=(f"webhook:{hook.url}",))

    events = [item.as_json() for item in told if isinstance(item, Event)]
    assert [body["event"] for body in hook.bodies] == events
    assert hook.bodies[0]["digest"] == predictor.digest
    assert [event["what"] for event in events] == ["enter", "leave"]
    assert summary.sinks[0].written == 2


def test_a_webhook_that_is_busy_is_asked_again(watch, mixed, hook, quick) -> None:
    hook.statuses = [503, 429, 500]

    summary, _ = watch(mixed, sinks=(f"webhook:{hook.url}",))

    assert len(hook.bodies) == 2
    assert (summary.sinks[0].written, summary.sinks[0].lost) == (2, 0)


def test_a_webhook_that_refuses_is_not_asked_again_and_that_is_counted(watch, mixed, hook) -> None:
    hook.statuses = [400]

    summary, _ = watch(mixed, sinks=(f"webhook:{hook.url}",))

    assert (summary.sinks[0].written, summary.sinks[0].failed) == (1, 1)
    assert "answers 400" in summary.sinks[0].error.message


def test_a_webhook_that_hangs_keeps_no_frame_waiting(watch, film, hook) -> None:
    """The film is over while the service has not answered once."""
    hook.hold.clear()
    frames_told = []

    def tell(item) -> None:
        if isinstance(item, Shown):
            frames_told.append(item)
            if len(frames_told) == 60:
                hook.hold.set()  # reached although nothing was answered before

    summary, _ = watch(
        film("a.mp4", ["red", "green"] * 30), hold=1, tell=tell, sinks=(f"webhook:{hook.url}",)
    )

    assert summary.frames == 60
    sink = summary.sinks[0]
    assert sink.written + sink.lost == summary.events


def test_what_a_sink_has_no_room_for_is_counted(hook) -> None:
    hold, written = threading.Event(), []

    class Narrow:
        room, patient, complete, limit = 3, False, True, math.inf

        def wanted(self, item):
            return item

        def write(self, item):
            hold.wait(60)
            written.append(item)

        def close(self):
            pass

    box = Outbox(Narrow(), "narrow", lossless=True, say=print)
    for _ in range(20):
        box.put(ENTER)
    hold.set()
    delivered = box.close()

    assert delivered.written == len(written) in (3, 4)
    assert delivered.written + delivered.dropped == 20
    assert delivered.error.exit_code == 75
    assert f"{delivered.dropped} of 20" in delivered.error.message


def test_what_may_be_missing_is_counted_and_is_no_error() -> None:
    hold = threading.Event()

    class Pictures:
        room, patient, complete, limit = 3, True, False, math.inf

        def wanted(self, item):
            return item

        def write(self, item):
            hold.wait(60)

        def close(self):
            pass

    box = Outbox(Pictures(), "pictures", lossless=False, say=print)
    for _ in range(20):
        box.put(ENTER)
    hold.set()
    delivered = box.close()

    assert delivered.written + delivered.dropped == 20
    assert delivered.dropped > 10
    assert delivered.error is None


def test_what_failed_takes_no_place_of_those_that_are_allowed() -> None:
    class Two:
        room, patient, complete, limit = 1, True, False, 2

        def __init__(self):
            self.calls = 0

        def wanted(self, item):
            return item

        def write(self, item):
            self.calls += 1
            if self.calls == 1:
                raise WriteError("no space")

        def close(self):
            pass

    box = Outbox(Two(), "two", lossless=True, say=lambda line: None)
    for _ in range(6):
        box.put(ENTER)
    delivered = box.close()

    assert (delivered.failed, delivered.written, delivered.over_limit) == (1, 2, 3)


def test_what_is_still_on_its_way_at_the_end_counts_as_lost(monkeypatch) -> None:
    monkeypatch.setattr(outbox, "_CLOSING_S", 0.2)
    begun, hold = threading.Event(), threading.Event()

    class Endless:
        room, patient, complete, limit = 10, False, True, math.inf

        def wanted(self, item):
            return item

        def write(self, item):
            begun.set()
            hold.wait(60)

        def close(self):
            pass

    box = Outbox(Endless(), "endless", lossless=False, say=print)
    for _ in range(3):
        box.put(ENTER)
    assert begun.wait(60)
    delivered = box.close()
    hold.set()

    assert (delivered.written, delivered.dropped, delivered.error.exit_code) == (0, 3, 75)


def test_a_bug_in_a_sink_is_told_and_stops_nothing_else() -> None:
    said = []

    class Wrong:
        room, patient, complete, limit = 100, True, True, math.inf

        def wanted(self, item):
            return item

        def write(self, item):
            raise ZeroDivisionError("oops")

        def close(self):
            pass

    box = Outbox(Wrong(), "wrong", lossless=True, say=said.append)
    for _ in range(5):
        box.put(ENTER)
    delivered = box.close()

    assert delivered.failed == 5
    assert delivered.error.exit_code == 1
    assert said == ["sink wrong fails, the rest goes on: ZeroDivisionError: oops"]


class Broker:
    """The few words of MQTT 3.1.1 that a publisher needs: CONNECT, PUBLISH with QoS 1, DISCONNECT."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict]] = []
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            with client, client.makefile("rb") as stream:
                while head := stream.read(1):
                    length, shift = 0, 0
                    while True:
                        byte = stream.read(1)[0]
                        length |= (byte & 127) << shift
                        shift += 7
                        if byte < 128:
                            break
                    body = stream.read(length)
                    if head[0] >> 4 == 1:
                        client.sendall(b"\x20\x02\x00\x00")
                    elif head[0] >> 4 == 3:
                        size = struct.unpack(">H", body[:2])[0]
                        topic, number = body[2 : 2 + size].decode(), body[2 + size : 4 + size]
                        self.published.append((topic, json.loads(body[4 + size :])))
                        client.sendall(b"\x40\x02" + number)
                    elif head[0] >> 4 == 14:
                        break


def test_a_broker_is_told_of_events(watch, mixed) -> None:
    pytest.importorskip("paho")
    broker = Broker()

    summary, told = watch(mixed, sinks=(f"mqtt://127.0.0.1:{broker.port}/line/pr%C3%BCfung",))
    broker.server.close()

    events = [item.as_json() for item in told if isinstance(item, Event)]
    assert [(topic, body["event"]) for topic, body in broker.published] == [
        ("line/prüfung", event) for event in events
    ]
    assert summary.sinks[0].written == 2


def test_a_broker_that_is_away_is_told_and_stops_nothing(watch, mixed, quick) -> None:
    pytest.importorskip("paho")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    summary, _ = watch(mixed, sinks=(f"mqtt://ann:secret@127.0.0.1:{port}/parts",))

    assert summary.frames == 21
    assert summary.sinks[0].failed == 2
    assert summary.sinks[0].error.exit_code == 75
    assert "secret" not in json.dumps(summary.as_json())
