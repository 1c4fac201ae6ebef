"""What the tests of all backends share: functions to run, and a backend to run them."""

import importlib
import os
import textwrap

import pytest

from foveal import backends
from foveal.core import catalog

CHORES = '''
import os, signal, sys, time
from pathlib import Path
from foveal.core.errors import DataError, TemporaryError

def begin(spec):
    print("init speaks")
    if spec.get("fails"):
        raise DataError("this bundle is bad", code="tampered", hint="get it again", path="b.foveal")
    if spec.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    with open(spec["log"], "a") as log:
        log.write(f"{os.getpid()}\\n")
    return {"offset": spec.get("offset", 0)}

def add(spec, state):
    print("a task speaks")  # must not spoil what the worker answers
    return {"sum": spec["a"] + spec["b"] + state["offset"], "pid": os.getpid()}

def echo(spec):
    return spec

def note(spec):
    with open(spec["log"], "a") as log:
        log.write(spec["name"] + "\\n")
    return {"pid": os.getpid()}

def slowly(spec):
    time.sleep(0.2)
    return note(spec)

def raise_ours(spec):
    raise DataError("no such picture", code="odd", hint="look", path="x.jpg")

def raise_other(spec):
    return {"x": [][1]}

def return_nonsense(spec):
    return {"x": object()}

def die_at_first(spec):
    """Die the first `times` times."""
    mark = Path(spec["mark"])
    seen = mark.read_text() if mark.exists() else ""
    mark.write_text(seen + "x")
    if len(seen) < spec["times"]:
        os.kill(os.getpid(), signal.SIGKILL)
    return {"tries": len(seen) + 1}

def wait_for(spec):
    Path(spec["here"]).write_text(str(os.getpid()))
    while not Path(spec["until"]).exists():
        time.sleep(0.01)
    return {}

def rank(spec):
    keys = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    told = {key: os.environ[key] for key in keys}
    Path(spec["folder"], f"rank-{told['RANK']}").write_text(" ".join(told.values()))
    return {"rank": told["RANK"]}

def rank_dies_at_first(spec):
    mark = Path(spec["folder"], "died")
    if os.environ["RANK"] == "1" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if not mark.exists() or os.environ["RANK"] == "1":
        return {}
    mark.with_name("again").open("a").write("x")
    return {"rank": os.environ["RANK"]}

def rank_always_dies(spec):
    if os.environ["RANK"] == "0":
        with open(spec["log"], "a") as log:
            log.write("x")
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(600)

def rank_raises(spec):
    if os.environ["RANK"] == "1":
        with open(spec["log"], "a") as log:
            log.write("x")
        raise (DataError if spec["ours"] else RuntimeError)("no")
    time.sleep(600)

def rank_says_why_last(spec):
    with open(spec["log"], "a") as log:
        log.write(os.environ["RANK"])
    if os.environ["RANK"] == "1":
        if spec["dies"]:
            os.kill(os.getpid(), signal.SIGKILL)
        raise TemporaryError("another rank was lost")
    time.sleep(1)  # as long as leaving the others may take
    raise (DataError if spec["knows"] else TemporaryError)("this is why")
'''

RAY = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # it listens on this machine only
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": "0123456789abcdef" * 4,
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}


@pytest.fixture(autouse=True)
def chores(tmp_path, monkeypatch):
    """Put the functions where worker processes find them."""
    folder = tmp_path / "modules"
    folder.mkdir()
    (folder / "chores.py").write_text(textwrap.dedent(CHORES))
    source = os.path.dirname(os.path.dirname(importlib.import_module("foveal").__file__))  # noqa: PTH120
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), source]))


@pytest.fixture(params=["local", pytest.param("ray", marks=pytest.mark.ray)])
def backend(request):
    """Each backend in turn."""
    yield from opened(request)


@pytest.fixture(params=["local", pytest.param("ray", marks=[pytest.mark.ray, pytest.mark.slow])])
def grouping(request):
    """Each backend in turn; a group on Ray takes 20 seconds, so of its tests one alone runs each time."""
    yield from opened(request)


def opened(request):
    where = [request.getfixturevalue("cluster").address] if request.param == "ray" else []
    made = catalog.find(backends, request.param)(*where)
    yield made
    made.close()


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """Three nodes of a Ray cluster on this machine: a head without processors, and two with one each."""
    modules = tmp_path_factory.mktemp("modules")
    (modules / "chores.py").write_text(textwrap.dedent(CHORES))
    source = os.path.dirname(os.path.dirname(importlib.import_module("foveal").__file__))  # noqa: PTH120
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(modules), source]))
        for name, value in RAY.items():
            patch.setenv(name, value)
        # Only now: Ray reads these when it is imported.
        pytest.importorskip("ray", reason="ray is not installed: pip install 'foveal[ray]'")
        from ray.cluster_utils import Cluster

        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **NODE})
        for _ in range(2):
            made.add_node(num_cpus=1, **NODE)
        yield made
        made.shutdown()
