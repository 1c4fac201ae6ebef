"""Token buckets that several processes share."""

import contextlib
import os

import pytest

from foveal.serve.problems import HttpError
from foveal.serve.rate import Rate


def taken(rate: Rate, client: int, tries: int) -> int:
    count = 0
    for _ in range(tries):
        with contextlib.suppress(HttpError):
            rate.take(client)
            count += 1
    return count


@pytest.mark.parametrize("per_second", [1.0, 5.0, 0.01])
def test_a_seconds_worth_may_come_at_once_and_no_more(per_second: float) -> None:
    rate = Rate(per_second)

    assert taken(rate, 7, 100) == max(1, int(per_second))
    assert taken(rate, 8, 1) == 1, "another client has a bucket of its own"
    with pytest.raises(HttpError, match="more requests than one client may make") as caught:
        rate.take(7)
    assert int(caught.value.headers["retry-after"]) >= 1


def test_no_two_clients_share_a_bucket_whatever_their_numbers() -> None:
    rate = Rate(0.01)
    clients = [*range(0, 64 * 256, 256), *range(2**64 - 64, 2**64)]

    assert [taken(rate, client, 3) for client in clients] == [1] * 128
    assert [taken(rate, client, 3) for client in reversed(clients)] == [0] * 128


def test_the_places_of_clients_that_no_longer_ask_go_to_others() -> None:
    rate = Rate(0.01)
    assert [taken(rate, client, 1) for client in range(256)] == [1] * 256
    assert taken(rate, 256, 1) == 0, "all are taken"

    quick = Rate(1e6)
    assert [taken(quick, client, 1) for client in range(1000)] == [1] * 1000


def test_processes_share_a_bucket() -> None:
    rate = Rate(50.0)
    children = []
    for _ in range(3):
        pid = os.fork()
        if pid == 0:
            os._exit(taken(rate, 1, 100))
        children.append(pid)

    counts = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]

    assert 50 <= sum(counts) <= 60, "some come in while time passes"


def test_a_server_refuses_what_is_above_the_rate(serve, colored) -> None:
    server = serve("--workers", "2", "--rate", "3")

    statuses = [server.ask("/v1/predict", colored()).status for _ in range(30)]

    assert statuses[:3] == [200] * 3
    assert statuses.count(429) > 20
    assert server.ready()
