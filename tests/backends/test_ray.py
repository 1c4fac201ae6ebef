"""What is special about workers on a Ray cluster: real nodes on this machine, one of which dies."""

import os
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from foveal.backends import _ray_address, _ray_pool
from foveal.backends.ray import _fit, ray
from foveal.core.errors import TemporaryError, UsageError
from foveal.core.work import Resources, Task

pytestmark = pytest.mark.ray
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture
def backend(cluster):
    made = ray(cluster.address)
    yield made
    made.close()


def test_its_nodes_tell_their_versions(backend):
    nodes = backend.describe()

    assert sorted(node.cpus for node in nodes) == [0, 1, 1]
    assert all(node.versions.keys() == {"python", "foveal", "ray"} for node in nodes)
    assert len({tuple(node.versions.values()) for node in nodes}) == 1


def test_a_node_dies_and_every_task_is_done_once(backend, cluster, tmp_path):
    doomed = cluster.add_node(num_cpus=1, resources={"doomed": 1}, **NODE)
    tasks = [Task(str(i), "chores:slowly", {"log": str(tmp_path / "log"), "name": str(i)}) for i in range(40)]
    receipts, killer = [], None
    for receipt in backend.map(tasks, workers=3):
        receipts.append(receipt)
        if len(receipts) == 10:
            killer = threading.Thread(target=cluster.remove_node, args=(doomed, False))
            killer.start()
    killer.join()

    assert Counter(receipt.key for receipt in receipts) == Counter(task.key for task in tasks)
    assert {receipt.outcome for receipt in receipts} == {"done"}
    assert max(receipt.attempt for receipt in receipts) >= 2
    begun = Counter((tmp_path / "log").read_text().split())
    assert sum(begun.values()) - len(tasks) <= 2  # of what the dead node had, only that is done again


def test_a_node_that_comes_is_used(backend, cluster, tmp_path):
    def asked():
        yield Task("0", "chores:echo", {})
        nodes.append(cluster.add_node(num_cpus=1, **NODE))
        for number in range(1, 60):
            yield Task(str(number), "chores:slowly", {"log": str(tmp_path / "log"), "name": str(number)})

    nodes = []
    receipts = list(backend.map(asked(), workers=3))
    cluster.remove_node(nodes[0], False)

    assert len(receipts) == 60
    assert len({receipt.node for receipt in receipts}) == 3


def test_more_processors_than_any_node_has_are_refused_within_seconds(backend):
    began = time.monotonic()

    with pytest.raises(TemporaryError, match="no room for 1 worker of 3 processors") as caught:
        list(backend.map([Task("a", "chores:echo", {})], workers=1, resources=Resources(cpus=3)))

    assert (caught.value.code, caught.value.exit_code) == ("no_worker", 75)
    assert time.monotonic() - began < 60


def test_a_group_that_never_fits_is_refused(backend, tmp_path):
    with pytest.raises(TemporaryError, match="no room for 9 workers of 1 processors each: its nodes have"):
        backend.group("chores:rank", {"folder": str(tmp_path)}, world=9)


def test_ray_may_end_the_thread_that_waits_for_it_without_an_error_of_that_thread():
    class Ended:
        def fit(self):
            raise SystemExit(0)  # as Ray does where the cluster is closed, at once or minutes later

    errors = []
    _fit(Ended(), errors)

    assert [type(error) for error in errors] == [SystemExit]


def test_it_listens_on_this_machine_only(cluster):
    port = int(cluster.address.rpartition(":")[2])
    lines = [
        line.split()[1]
        for file in ("tcp", "tcp6")
        for line in Path("/proc/net", file).read_text().splitlines()[1:]
        if line.split()[3] == "0A"  # listening
    ]
    found = [one.rpartition(":")[0] for one in lines if int(one.rpartition(":")[2], 16) == port]

    assert found
    assert all(address.endswith("0100007F") for address in found)


def test_other_versions_are_refused_by_name():
    own = _ray_pool.versions()

    _ray_pool.check_versions({"a": own})
    with pytest.raises(UsageError, match=r"b has foveal 0\.0\.1; here it is python") as caught:
        _ray_pool.check_versions({"a": own, "b": {**own, "foveal": "0.0.1"}})
    assert caught.value.code == "other_versions"


def test_a_second_connection_of_one_process_is_refused(backend, cluster):
    with pytest.raises(UsageError, match="connected to a Ray cluster already"):
        ray(cluster.address)


@pytest.mark.parametrize("mode", [None, "disabled", "token"])
def test_a_cluster_elsewhere_needs_a_token(monkeypatch, tmp_path, mode):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
    if mode:
        monkeypatch.setenv("RAY_AUTH_MODE", mode)

    with pytest.raises(UsageError, match="not on this machine, and no token is used") as caught:
        _ray_address.chosen("192.0.2.77:6379")

    assert caught.value.code == "no_token"
    assert "RAY_AUTH_MODE=token" in caught.value.hint


def test_an_address_where_nobody_answers_is_told_within_seconds():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(TemporaryError, match=f"no Ray cluster answers at 127.0.0.1:{port}"):
        _ray_address.chosen(f"127.0.0.1:{port}")
    with pytest.raises(UsageError, match="no address of a Ray cluster"):
        _ray_address.chosen("nowhere")


def test_the_address_may_come_from_the_environment(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    assert _ray_address.chosen(None) is None
    monkeypatch.setenv("RAY_ADDRESS", "nowhere")
    with pytest.raises(UsageError, match="nowhere"):
        _ray_address.chosen(None)


def test_nobody_is_told_of_its_use(monkeypatch):
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")

    _ray_address.prepare(own=True)

    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert len(os.environ["RAY_AUTH_TOKEN"]) == 64
