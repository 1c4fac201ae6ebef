"""What goes wrong around a server: killed workers, signals, slow clients, overload, a changed model."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import pytest

from live import PATIENCE, read_reply


class Load:
    """Clients that ask one after the other until they are told to stop, and count what they get."""

    def __init__(self, server, picture, *, clients: int) -> None:
        self.got: Counter[object] = Counter()
        self.wrong: list[bytes] = []
        self._server, self._picture, self._stop = server, picture, threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        connection = self._server.connect()
        while not self._stop.is_set():
            try:
                answer = self._server.ask_on(connection, "/v1/predict", self._picture)
                label = answer.json["predictions"][0]["label"] if answer.status == 200 else None
            except ConnectionRefusedError:
                return
            except OSError:  # http.client's RemoteDisconnected is one
                self.got["broken"] += 1
                connection.close()
                continue
            except Exception as error:
                self.got[type(error).__name__] += 1
                connection.close()
                continue
            self.got[answer.status] += 1
            if answer.status == 200 and label != "red":
                self.wrong.append(answer.body)
            if answer.headers.get("connection") == "close":
                connection.close()
        connection.close()


def test_a_killed_worker_costs_its_own_requests_once_and_is_replaced(serve, until, colored) -> None:
    server = serve("--workers", "2")
    with Load(server, colored(), clients=6) as load:
        until(lambda: load.got[200] > 100)
        before = server.workers()
        victim = before[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(server.workers()) == 2 and victim not in server.workers())
        until(server.ready)
        answered = load.got[200]
        until(lambda: load.got[200] > answered + 100)

    assert load.wrong == []
    # A worker may die within the head of an answer, or before its body: that request is lost, and seen to be.
    assert set(load.got) <= {200, "broken", "IncompleteRead", "JSONDecodeError"}
    assert load.got.total() - load.got[200] <= 6, "each client lost one request at most"
    assert server.metric("foveal_worker_restarts_total") == 1
    assert any('"worker_died"' in line for line in server.lines)


def test_a_worker_that_keeps_dying_is_not_started_in_a_storm_and_ready_says_so(serve, until) -> None:
    server = serve("--workers", "2")
    victim, killed = server.workers()[1], set()
    end = time.monotonic() + 3
    while time.monotonic() < end:
        for pid in server.workers()[1:]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed.add(pid)
        time.sleep(0.005)

    assert victim not in server.workers()
    assert 3 <= len(killed) <= 12, "0, 0.1, 0.2, 0.4, 0.8 s lie between"
    reasons = until(lambda: _reason(server))
    assert "worker 1 is dead" in reasons or "worker 1 is starting" in reasons
    until(server.ready)


def _reason(server) -> str:
    answer = server.ask("/v2/health/ready")
    return answer.json["detail"] if answer.status == 503 else ""


def test_connections_that_one_worker_took_alone_are_shared_again(serve, until, colored) -> None:
    server = serve("--workers", "2")
    stopped = server.workers()[0]
    os.kill(stopped, signal.SIGSTOP)  # the other one accepts all
    with ExitStack() as stack:
        kept = [stack.enter_context(closing(server.connect())) for _ in range(8)]
        try:
            for connection in kept:
                assert server.ask_on(connection, "/v1/predict", colored()).status == 200
        finally:
            os.kill(stopped, signal.SIGCONT)

        def shared() -> bool:
            for connection in kept:  # one that was closed with its answer is opened again
                answer = server.ask_on(connection, "/v1/predict", colored())
                assert answer.status == 200
            return all(3 <= connections(pid) <= 5 for pid in server.workers())

        until(shared)
        for _ in range(10):
            assert shared(), "they stay so"


def test_a_worker_that_was_replaced_gets_its_share_of_few(serve, until, colored) -> None:
    server = serve("--workers", "4")
    with ExitStack() as stack:
        kept = [stack.enter_context(closing(server.connect())) for _ in range(6)]
        for connection in kept:
            assert server.ask_on(connection, "/v1/predict", colored()).status == 200
        victim = max(server.workers(), key=connections)
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in server.workers() and server.ready())

        def shared() -> bool:
            for connection in kept:
                with suppress(ConnectionError):  # those of the victim
                    server.ask_on(connection, "/v2/health/live")
            return all(1 <= connections(pid) <= 2 for pid in server.workers())

        until(shared)


def connections(pid: int) -> int:
    """Return how many sockets a worker has that are connections of clients."""
    mine = set()
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed a moment ago
            mine.add(str(handle.readlink()))
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(row[3] == "01" and f"socket:[{row[9]}]" in mine for row in rows)


def test_a_worker_that_hangs_makes_the_others_say_not_ready(serve, until) -> None:
    server = serve("--workers", "2")
    stopped = server.workers()[0]
    os.kill(stopped, signal.SIGSTOP)
    try:
        # Connections that the stopped worker took answer nothing; the other one is there for new ones.
        reason = until(lambda: _reason(server))
    finally:
        os.kill(stopped, signal.SIGCONT)
    assert "silent" in reason
    until(server.ready)
    assert stopped in server.workers(), "it was not replaced: it only slept"


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigterm_under_load_answers_everything_that_was_let_in(serve, until, colored, workers) -> None:
    server = serve("--workers", workers)
    with Load(server, colored(), clients=8) as load:
        until(lambda: load.got[200] > 200)
        code = server.end()

    assert code == 143
    assert load.wrong == []
    # A connection that is closed while idle may meet a request on its way: nothing was let in.
    assert set(load.got) <= {200, 503, "broken"}
    assert load.got["broken"] <= 8


def test_a_request_in_work_is_answered_after_sigterm_and_ready_is_false(
    serve_tampered, until, colored
) -> None:
    server, _ = serve_tampered("--workers", "1", said="slow 1")
    answers = []
    thread = threading.Thread(target=lambda: answers.append(server.ask("/v1/predict", colored())))
    thread.start()
    until(lambda: server.metric("foveal_queue_depth") == 1)
    health = server.connect()
    assert server.ask_on(health, "/v2/health/ready").status == 200

    server.stop()
    draining = until(lambda: _refused(server, health))
    thread.join()

    assert draining["code"] == "draining"
    assert answers[0].status == 200
    assert server.end() == 143


def _refused(server, connection) -> dict[str, object] | None:
    answer = server.ask_on(connection, "/v2/health/ready")
    return answer.json if answer.status == 503 else None


def test_a_second_signal_ends_at_once(serve_tampered, until, colored) -> None:
    server, _ = serve_tampered("--workers", "1", "--drain", "60s", said="slow 1000")
    connection = server.connect()
    connection.request("POST", "/v1/predict", colored(), {"content-type": "image/png"})
    until(lambda: server.metric("foveal_queue_depth") == 1)
    workers = server.workers()
    server.stop()
    time.sleep(0.3)
    server.stop()
    assert server.end() == 143
    connection.close()
    assert not any(Path(f"/proc/{pid}/fd/0").exists() for pid in workers)


def test_workers_end_when_the_supervisor_is_killed(serve, until) -> None:
    server = serve("--workers", "2")
    workers = server.workers()
    assert len(workers) == 2
    server.stop(signal.SIGKILL)
    assert server.end() == -signal.SIGKILL
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))
    with pytest.raises(OSError, match="refused"):
        server.ask("/v2/health/live")


def test_a_full_queue_refuses_at_once_and_health_answers_meanwhile(serve_tampered, until, colored) -> None:
    server, control = serve_tampered("--workers", "1", "--queue", "2", said="slow 0.3")
    got: list[object] = []

    def ask() -> None:
        start = time.monotonic()
        answer = server.ask("/v1/predict", colored())
        got.append((answer.status, time.monotonic() - start, answer))

    threads = [threading.Thread(target=ask) for _ in range(12)]
    for thread in threads:
        thread.start()
    slowest = 0.0
    while any(thread.is_alive() for thread in threads):
        start = time.monotonic()
        assert server.ask("/v2/health/live").status == 200
        assert server.ask("/metrics").status == 200
        slowest = max(slowest, time.monotonic() - start)
    control.write_text("")

    refused = [answer for status, _, answer in got if status == 503]
    assert Counter(status for status, _, _ in got) == {200: 2, 503: 10}
    assert {answer.json["code"] for answer in refused} == {"overloaded"}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert server.ask("/v1/predict", colored()).status == 200


def test_what_waits_too_long_by_estimate_is_refused_though_there_is_room(serve_tampered, colored) -> None:
    server, _ = serve_tampered("--workers", "1", "--max-wait", "200ms", said="slow 0.15")
    server.ask("/v1/predict", colored())  # the estimate is made of what was measured
    got: Counter[int] = Counter()
    threads = [
        threading.Thread(target=lambda: got.update([server.ask("/v1/predict", colored()).status]))
        for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert got[200] + got[503] == 10
    assert 1 <= got[200] <= 4


def test_who_is_let_in_waits_a_bounded_time_however_many_ask(serve_tampered, until, colored) -> None:
    server, _ = serve_tampered("--workers", "1", "--max-wait", "200ms", said="slow 0.03")
    server.ask("/v1/predict", colored())
    with Load(server, colored(), clients=24) as load:
        until(lambda: load.got[200] > 100)
        until(lambda: load.got[503] > 1000)

    waits = "foveal_queue_wait_seconds"
    assert set(load.got) == {200, 503}
    assert server.metric(f'{waits}_count{{model="colors"}}') > 100
    within = server.metric(f'{waits}_bucket{{le="0.5",model="colors"}}')
    assert within == server.metric(f'{waits}_count{{model="colors"}}')


def test_a_client_that_left_costs_no_computing(serve_tampered, until, colored) -> None:
    server, _ = serve_tampered("--workers", "1", said="slow 1")
    stays = threading.Thread(target=server.ask, args=("/v1/predict", colored()))
    stays.start()
    until(lambda: server.metric("foveal_queue_depth") == 1)
    leaves = server.connect()
    leaves.request("POST", "/v1/predict", colored(), {"content-type": "image/png"})
    until(lambda: server.metric("foveal_queue_depth") == 2)
    leaves.close()
    stays.join()
    until(lambda: server.metric("foveal_queue_depth") == 0)

    assert server.metric('foveal_requests_total{model="colors",outcome="client_gone"}') == 1
    assert server.metric('foveal_batch_size_count{model="colors"}') == 1


def test_a_request_whose_time_is_up_is_told_so_and_costs_no_computing(serve_tampered, until, colored) -> None:
    server, _ = serve_tampered("--workers", "1", "--timeout", "1s", said="slow 2")
    got: Counter[str] = Counter()
    threads = [
        threading.Thread(target=lambda: got.update([server.ask("/v1/predict", colored()).json["code"]]))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: server.metric("foveal_queue_depth") == 0)

    assert got == {"timed_out": 2}
    assert server.metric('foveal_batch_size_count{model="colors"}') == 1, "only the first was computed"


def test_half_open_and_slow_clients_are_shut_out_and_starve_nobody(serve, colored) -> None:
    server = serve("--workers", "1", "--body-timeout", "1s")
    slow = []
    for number in range(60):
        client = socket.create_connection(("127.0.0.1", server.port))
        head = b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
        client.sendall(head if number % 2 else head + b"Content-Length: 1000\r\n\r\nx")
        slow.append(client)

    for _ in range(20):
        assert server.ask("/v1/predict", colored()).status == 200
    for client in slow:
        client.settimeout(60)
        answer = b""
        while not answer.endswith(b"}") and (part := client.recv(65536)):
            answer += part
        assert answer.startswith(b"HTTP/1.1 408"), answer
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] in ("slow_head", "slow_body")
        client.close()


def test_idle_connections_give_way_to_those_that_ask(serve, until, colored) -> None:
    server = serve("--workers", "1", "--connections", "8")
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]

    for _ in range(5):
        assert server.ask("/v1/predict", colored()).status == 200
    idle[0].settimeout(60)
    assert idle[0].recv(1000) == b"", "the first one was idle for longest"
    for client in idle:
        client.close()


def test_those_that_come_together_are_all_answered_where_there_is_just_room(serve, colored) -> None:
    """Each counts once while it arrives, and none is taken for idle that came a moment ago."""
    server = serve("--workers", "1", "--connections", "3")
    [worker] = server.workers()
    picture = colored()
    head = f"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(picture)}\r\n\r\n"
    for count in (3, 6):
        os.kill(worker, signal.SIGSTOP)
        try:
            talks = [socket.create_connection(server.address, PATIENCE) for _ in range(count)]
            for talk in talks:
                talk.sendall(head.encode() + picture)
        finally:
            os.kill(worker, signal.SIGCONT)
        assert [read_reply(talk).status for talk in talks] == [200] * count
        for talk in talks:
            talk.close()


def test_a_model_that_no_longer_computes_what_was_sealed_is_not_ready(serve_tampered, until, colored) -> None:
    server, control = serve_tampered("--workers", "2", golden_every=0.2)
    assert server.ready()

    control.write_text("swapped")
    until(lambda: "no longer computes what was measured at sealing" in _reason(server))
    until(lambda: server.ask("/v1/predict", colored()).status == 503)
    control.write_text("")
    until(server.ready)

    assert server.ask("/v1/predict", colored()).json["predictions"][0]["label"] == "red"


def test_an_answer_that_is_no_probability_is_an_alarm_not_an_answer(serve_tampered, colored) -> None:
    server, control = serve_tampered("--workers", "1", said="invalid")

    answer = server.ask("/v1/predict", colored())
    control.write_text("")

    assert (answer.status, answer.json["code"]) == (500, "model_output_invalid")
    assert server.metric('foveal_model_output_invalid_total{model="colors"}') == 1


def test_a_port_that_is_taken_fails_at_once(serve, bundle) -> None:
    server = serve("--workers", "1")
    command = [sys.executable, "-m", "foveal", "serve", str(bundle), "--port", str(server.port)]
    other = subprocess.run(command, capture_output=True, text=True, check=False)

    assert other.returncode == 75
    assert f"port {server.port} of 127.0.0.1 is taken" in other.stderr
    assert server.ready()
