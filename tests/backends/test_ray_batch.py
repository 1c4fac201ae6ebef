"""`foveal batch --backend ray` on real nodes of this machine, one of which dies."""

import importlib.util
import json
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.ray
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}
SHARDS, EACH = 40, 4


@pytest.fixture
def pictures(tmp_path):
    """160 pictures that take long to decode."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "000.png")
    for number in range(1, SHARDS * EACH):
        shutil.copy(folder / "000.png", folder / f"{number:03}.png")
    return folder


def finished(job: Path) -> int:
    """Return how many shards are done."""
    try:
        with closing(sqlite3.connect(f"file:{job / 'ledger.sqlite'}?mode=ro", uri=True)) as ledger:
            return ledger.execute("SELECT count(*) FROM shards WHERE state = 'done'").fetchone()[0]
    except sqlite3.Error:  # not there yet, or just written
        return 0


def test_a_node_dies_and_every_picture_has_its_row(cluster, bundle, pictures, project, tmp_path) -> None:
    command = [sys.executable, "-m", "foveal", "batch", str(bundle), str(pictures), "--json", "-q"]
    command += ["--shard-size", str(EACH), "--out"]
    alone = subprocess.run([*command, str(tmp_path / "local")], check=True, capture_output=True, text=True)
    doomed = cluster.add_node(num_cpus=1, resources={"doomed": 1}, **NODE)
    job = tmp_path / "ray"
    ray = ["--backend", "ray", "--ray-address", cluster.address, "--workers", "3"]

    with subprocess.Popen([*command, str(job), *ray], stdout=subprocess.PIPE, text=True) as running:
        while finished(job) < SHARDS // 4:
            assert running.poll() is None
            time.sleep(0.02)
        cluster.remove_node(doomed, False)
        said = running.communicate()[0]

    assert running.returncode == 0
    told = json.loads(said)  # nothing else: what Ray has to say of the node is no answer
    assert (told["images"], told["done"]) == (SHARDS * EACH, SHARDS * EACH)
    assert json.loads(alone.stdout)["done"] == told["done"]
    spec = importlib.util.spec_from_file_location("checker", project / "benchmarks" / "batch_checker.py")
    checker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checker)
    assert checker.violations(job, finished=True, like=tmp_path / "local") == []
    with closing(sqlite3.connect(job / "ledger.sqlite")) as ledger:
        [(attempts, nodes)] = ledger.execute("SELECT max(attempt), count(DISTINCT node) FROM shards")
    assert attempts >= 2
    assert nodes == 3
