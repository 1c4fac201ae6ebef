"""The catalogue of bad inputs, rows 54 to 73: conversations with a server, byte by byte."""

import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bad_inputs import CATALOGUE, Talk
from bad_inputs.http import PICTURE, TOKEN, request
from bad_inputs.made import encoded, photo
from bad_inputs.multipart import BOUNDARY, form
from live import PATIENCE, Server, read_reply, running, wait_for

TALKS = [row.number for row in CATALOGUE.values() if row.talks]
NO_ANSWER = 0


@pytest.fixture(scope="module")
def server(bundle: Path) -> Iterator[Server]:
    with running([f"colors={bundle}"], workers=1) as shared:
        yield shared


def hold(server: Server, talk: Talk, good: bytes, *, fields: tuple[str, ...] = ()) -> None:
    reply = server.say(*talk.sent())

    assert reply.status in talk.statuses, f"{talk.name}: {reply}"
    if reply.status >= 400 and reply.body:
        document = reply.json
        assert reply.headers["content-type"] == "application/problem+json", talk.name
        assert document["status"] == reply.status
        assert talk.code in (None, document["code"]), f"{talk.name}: {document}"
        assert "Traceback" not in reply.body.decode()
    assert server.say(request(PICTURE, *fields)).body == good, f"after {talk.name}"


@pytest.mark.parametrize("number", TALKS)
def test_a_request_is_answered_or_refused_and_the_next_as_ever(number: int, server: Server) -> None:
    good = server.say(request(PICTURE))
    assert good.status == 200
    talks = CATALOGUE[number].talks
    assert talks is not None
    for talk in talks():
        hold(server, talk, good.body)


def test_without_the_token_nothing_is_decoded_at_any_address(bundle: Path, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    known = f"Authorization: Bearer {TOKEN}"
    talks = CATALOGUE[68].guarded
    assert talks is not None
    with running([f"colors={bundle}"], token_file=file, workers=1) as server:
        good = server.say(request(PICTURE, known))
        assert good.status == 200
        assert server.say(request(PICTURE, f"authorization: bearer {TOKEN}")).body == good.body
        for talk in talks():
            hold(server, talk, good.body, fields=(known,))
        refused = server.say(request(b"no picture"))
        assert refused.json["code"] == "no_token", "who is nobody does not learn what is wrong with a picture"


def test_who_never_finishes_is_let_go_and_others_do_not_wait(bundle: Path) -> None:
    talks = CATALOGUE[57].slowly
    assert talks is not None
    with running([bundle], workers=1, head_timeout=0.5, body_timeout=0.5, keep_alive=1) as server:
        good = server.say(request(PICTURE))
        held = []
        for talk in talks():
            for _ in range(20):
                connection = socket.create_connection(server.address, PATIENCE)
                connection.sendall(b"".join(talk.sent()))
                held.append((talk, connection))
        assert server.say(request(PICTURE)).body == good.body, "while sixty clients hold a connection"
        for talk, connection in held:
            with connection:
                reply = read_reply(connection)
                assert reply.status in talk.statuses, f"{talk.name}: {reply}"
                if talk.code and reply.status:
                    assert reply.json["code"] == talk.code


def open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def test_who_leaves_takes_nothing_along(server: Server) -> None:
    good = server.say(request(PICTURE))
    [worker] = server.workers()
    before, threads = open_files(worker), len(list(Path(f"/proc/{worker}/task").iterdir()))
    whole = request(PICTURE)
    for end in (10, len(whole) // 2, len(whole) - 1, len(whole)):
        for reset in (False, True):
            for _ in range(10):
                with socket.create_connection(server.address, PATIENCE) as talk:
                    talk.sendall(whole[:end])
                    if reset:
                        talk.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    wait_for(lambda: open_files(worker) <= before)  # else connections of clients that left are kept
    assert len(list(Path(f"/proc/{worker}/task").iterdir())) <= threads + 1
    assert server.say(whole).body == good.body


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_bodies_that_are_too_long_take_no_memory(server: Server) -> None:
    [worker] = server.workers()
    start = request(b"", "Transfer-Encoding: chunked")
    pieces = [start, *[b"6\r\nabcdef\r\n" * 10_000] * 300]
    assert server.say(*pieces).status == 413
    before = resident_bytes(worker)
    for _ in range(5):
        assert server.say(*pieces).status == 413

    assert resident_bytes(worker) - before < 32 * 2**20


def test_one_bad_picture_among_many_leaves_the_others_alone(server: Server) -> None:
    [alone] = server.say(request(PICTURE)).json["predictions"]
    fields = [("image", PICTURE)] * 31
    fields.insert(17, ("image", PICTURE[:200]))
    reply = server.say(request(form(*fields), f"Content-Type: multipart/form-data; boundary={BOUNDARY}"))

    assert reply.status == 200
    said = reply.json["predictions"]
    assert [one["source"] for one in said] == [f"#{place}" for place in range(32)]
    assert said[17]["error"]["code"] == "truncated"
    assert all(one["scores"] == alone["scores"] for place, one in enumerate(said) if place != 17)


def test_a_flood_is_answered_or_refused(bundle: Path) -> None:
    large = encoded(photo(1500, 1500), "JPEG")
    with running([bundle], workers=1, queue=2, max_wait=0.02) as server:
        good = server.say(request(PICTURE))
        replies = []

        def ask() -> None:
            replies.extend(server.say(request(large)) for _ in range(5))

        threads = [threading.Thread(target=ask) for _ in range(24)]
        for thread in threads:
            thread.start()
        assert server.say(request(method="GET", path="/v2/health/live")).status == 200
        for thread in threads:
            thread.join()

        assert len(replies) == 120
        assert {reply.status for reply in replies} == {200, 503}
        for reply in replies:
            if reply.status == 503:
                assert int(reply.headers["retry-after"]) >= 1
        assert len({reply.body for reply in replies if reply.status == 200}) == 1
        assert server.say(request(PICTURE)).body == good.body


def test_an_answer_that_is_no_number_is_an_error_in_json(
    nonsense: Path,
) -> None:
    black = encoded(np.zeros((16, 16, 3), np.uint8))
    with running([nonsense], workers=1) as server:
        good = server.say(request(PICTURE))
        assert good.status == 200
        reply = server.say(request(black))

        assert reply.status == 500
        document = json.loads(reply.body, parse_constant=pytest.fail)
        assert document["code"] == "model_output_invalid"
        assert server.say(request(PICTURE)).body == good.body


def test_what_was_begun_is_answered_while_the_server_ends(bundle: Path) -> None:
    whole = request(PICTURE)
    with (
        running([bundle], workers=1) as server,
        socket.create_connection(server.address, PATIENCE) as idle,
        socket.create_connection(server.address, PATIENCE) as begun,
    ):
        begun.sendall(whole[:-10])
        idle.sendall(whole)
        good = read_reply(idle)
        assert good.status == 200
        server.stop()
        assert idle.recv(1) == b"", "who asks nothing is let go"
        begun.sendall(whole[-10:])
        assert read_reply(begun).body == good.body
