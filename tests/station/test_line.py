"""A line: one decision for each picture, whatever it shows and however long it takes; then it is told."""

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from foveal.bundle.predictor import Predictor
from foveal.core.errors import DataError
from foveal.flows.inspect_run import Wishes, inspect_run
from foveal.station.log import AuditLog
from foveal.station.reading import Reading, files_of
from foveal.station.verifying import verify
from foveal.stream.options import SinkOptions


def logged(folder):
    return list(Reading(folder).records())


@pytest.fixture
def run(station_bundle, tmp_path):
    """Run a line in this process; return its document and what it told."""

    def call(source, *, stop=None, tell=None, say=None, **wishes):
        told = []
        document, _ = inspect_run(
            station_bundle,
            str(source),
            Wishes(wishes.pop("log", tmp_path / "log"), **{"workers": 1, **wishes}),
            tell=tell or told.append,
            say=say or (lambda line: None),
            stop=stop or threading.Event(),
        )
        return document, told

    return call


def test_each_picture_of_a_folder_gets_one_decision_and_no_doubtful_one_is_accepted(
    run, parts, checker, tmp_path
) -> None:
    document, told = run(parts, lot="7")

    assert document["ok"]
    assert document["verdicts"] == {"accept": 5, "reject": 4, "review": 3}
    assert document["reasons"] == {"defective": 4, "truncated": 1, "too_dark": 1, "not_image": 1}
    reviews = {one["source"][-6:]: one["reasons"] for one in told if one["verdict"] == "review"}
    assert reviews == {"04.png": ["truncated"], "07.png": ["too_dark"], "10.png": ["not_image"]}
    assert {one["lot"] for one in told} == {"7"}
    records = logged(tmp_path / "log")
    assert [(one["n"], one["hash"]) for one in told] == [(one["n"], one["hash"]) for one in records]
    assert {one["thresholds"]["accept_below"] for one in records} == {0.3}
    assert checker.violations(tmp_path / "log", parts, [], finished=True) == []
    assert verify(tmp_path / "log", head=document["log"]["head"]).head_at == 12


def test_what_is_decided_is_not_decided_again_but_another_content_is(run, parts, tmp_path) -> None:
    run(parts)
    shutil.copy(parts / "00.png", parts / "01.png")
    shutil.copy(parts / "02.png", parts / "12.png")

    document, told = run(parts)

    assert document["skipped"] == 11
    assert [(one["source"][-6:], one["verdict"]) for one in told] == [
        ("01.png", "reject"),
        ("12.png", "reject"),
    ]
    assert verify(tmp_path / "log").records == 14


def test_nobody_is_told_before_the_disk_has_it(run, parts, tmp_path, monkeypatch) -> None:
    import os

    synced, sync, told = {}, os.fsync, []

    def fsync(handle):
        sync(handle)
        synced[os.fstat(handle).st_ino] = os.fstat(handle).st_size

    def tell(signal):
        [path] = files_of(tmp_path / "log")
        safe = path.read_bytes()[: synced[path.stat().st_ino]]
        told.append(signal["hash"].encode() in safe)

    monkeypatch.setattr(os, "fsync", fsync)
    run(parts, tell=tell)

    assert told == [True] * 12


class Held:
    """A recognizer that keeps green pictures for as long as a test wants."""

    def __init__(self, predictor) -> None:
        self._predictor = predictor
        self.let_go = threading.Event()

    def __getattr__(self, name):
        return getattr(self._predictor, name)

    def ask(self, images):
        if images[..., 1].mean() > images[..., 0].mean() + 50:
            self.let_go.wait(20)
        return self._predictor.ask(images)


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_not_answered_in_time_goes_to_a_person_when_it_is_due(
    run, parts, tmp_path, monkeypatch, station_bundle, workers
) -> None:
    """One that hangs holds up those behind it where nobody else looks, and else nobody."""
    for path in sorted(parts.iterdir())[3:]:
        path.unlink()
    held, told = Held(Predictor.open(station_bundle, threads=1)), []  # of red, green, red
    monkeypatch.setattr(Predictor, "open", lambda *_, **__: held)

    def tell(signal):
        told.append((signal["verdict"], signal["reasons"]))
        if len(told) == 3:
            held.let_go.set()

    document, _ = run(parts, tell=tell, max_latency_s=1.5, workers=workers)

    red, late = ("reject", ["defective"]), ("review", ["too_late"])
    assert told == [red, late, late if workers == 1 else red]
    assert (document["ok"], document["late_answers"]) == (True, 1)
    assert document["too_late"] == told.count(late)
    assert document["latency_ms"]["max"] >= 1490
    *decided, noted = logged(tmp_path / "log")
    assert (noted["what"], noted["late_of"], noted["verdict"]) == ("late_answer", 2, "accept")
    assert noted["source"] == decided[1]["source"]


def test_a_watched_folder_is_judged_as_pictures_come_until_it_is_told_to_stop(run, parts, tmp_path) -> None:
    stop, seen = threading.Event(), []
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("09.png", "11.png"):
        shutil.move(parts / name, kept / name)

    def tell(signal):
        seen.append(signal["source"][-6:])
        if len(seen) == 10:
            for path in kept.iterdir():
                path.rename(parts / path.name)
        if len(seen) == 12:
            stop.set()

    document, _ = run(parts, watch=True, stop=stop, tell=tell)

    assert document["pictures"] == 12
    assert sorted(seen[10:]) == ["09.png", "11.png"]


def test_an_end_that_was_wished_for_leaves_the_rest_to_the_next_run(run, parts, checker, tmp_path) -> None:
    stop = threading.Event()
    first, _ = run(parts, stop=stop, tell=lambda signal: stop.set())
    second, _ = run(parts)

    assert 1 <= first["pictures"] < 12
    assert first["pictures"] + second["pictures"] == 12
    assert checker.violations(tmp_path / "log", parts, [], finished=True) == []


class Service:
    """A webhook that answers with a status that can be changed, and notes what it was told."""

    def __init__(self) -> None:
        self.status, self.told = 200, []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if service.status == 200:
                    service.told.append(body["event"])
                self.send_response(service.status)
                self.end_headers()

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/parts"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def service():
    made = Service()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.mark.parametrize("status", [503, 404])
def test_what_a_service_did_not_take_it_is_told_at_the_next_start(
    run, parts, service, tmp_path, monkeypatch, status
) -> None:
    monkeypatch.setattr("foveal.station.sender._CLOSING_S", 0.3)
    sinks = (f"webhook:{service.url}", f"jsonl:{tmp_path / 'told.jsonl'}")
    service.status, said = status, []
    first, told = run(parts, sinks=sinks, say=said.append)
    service.status = 200
    second, again = run(parts, sinks=sinks)
    third, _ = run(parts, sinks=sinks)

    assert not first["ok"]
    assert first["sinks"][0]["waiting"] == first["pictures"] == 12
    assert first["sinks"][1] == {"sink": sinks[1], "told": 12, "waiting": 0, "error": None}
    assert sum("the line goes on" in line for line in said) == 1
    assert second["ok"]
    assert service.told == told
    assert again == []
    assert third["sinks"][0]["told"] == 0
    lines = [json.loads(line)["event"] for line in (tmp_path / "told.jsonl").read_text().splitlines()]
    assert lines == told


def test_a_log_that_was_changed_is_not_gone_on_with(run, parts, tmp_path) -> None:
    run(parts)
    [path] = files_of(tmp_path / "log")
    path.write_bytes(path.read_bytes().replace(b'"verdict":"reject"', b'"verdict":"accept"', 1))

    with pytest.raises(DataError) as caught:
        run(parts)

    assert caught.value.code == "log_broken"


def test_a_line_of_live_pictures_gives_each_one_its_decision(run, camera, as_jpeg) -> None:
    """A camera that sends faster than its pictures are answered: none is passed over."""
    stop, seen = threading.Event(), []
    camera.pause = 0.002
    camera.pictures = [as_jpeg(color) for color in ("red", "green")] * 50

    def tell(signal):
        seen.append(signal)
        if len(seen) == 60:
            stop.set()

    document, _ = run(camera.url, tell=tell, stop=stop, sink_options=SinkOptions())

    assert document["max_latency_ms"] == 1000
    assert [one["source"].rpartition("#")[2] for one in seen] == [str(number) for number in range(len(seen))]
    in_time = [one for one in seen if one["reasons"] != ["too_late"]]
    assert in_time
    assert all(
        one["verdict"] == ("reject", "accept")[int(one["source"].rpartition("#")[2]) % 2] for one in in_time
    )


def test_two_lines_do_not_share_a_log(run, parts, tmp_path) -> None:
    with AuditLog(tmp_path / "log"), pytest.raises(Exception, match="another line"):
        run(parts)
