"""`foveal evaluate --backend ray` on real nodes of this machine, one of which dies."""

import threading

import numpy as np
import pytest
from PIL import Image

from foveal.flows._where import Where
from foveal.flows.evaluate import Terms, evaluate

pytestmark = pytest.mark.ray
NODE = {"object_store_memory": 80 << 20, "include_dashboard": False}
MACHINE = ("seconds", "images_per_second", "threads", "cpu", "backend")


@pytest.fixture
def pictures(tmp_path):
    """330 pictures, some of them hard, that take long to decode; one cannot be read."""
    rng = np.random.default_rng(0)
    for channel, name in enumerate(("red", "green", "blue")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(110):
            pixels = rng.integers(0, 240, (400, 400, 3), dtype=np.uint8)
            pixels[..., channel] += rng.integers(-6, 15, dtype=np.int8).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "data" / name / f"{number:03}.png", compress_level=1)
    (tmp_path / "data" / "red" / "007.png").write_bytes(b"no picture")
    return tmp_path / "data"


def numbers(report):
    document = report.as_json()
    facts = {name: value for name, value in document["provenance"].items() if name not in MACHINE}
    return {**document, "provenance": facts}


def test_a_node_dies_and_no_number_is_another(cluster, bundle, pictures):
    doomed = cluster.add_node(num_cpus=1, resources={"doomed": 1}, **NODE)
    killers = []

    def kill(stage, done, total, note=""):
        if stage == "measuring" and done >= total // 4 and not killers:
            killers.append(threading.Thread(target=cluster.remove_node, args=(doomed, False)))
            killers[0].start()

    terms = Terms(where=Where("ray", 3, cluster.address))
    found = evaluate(bundle, pictures, terms=terms, progress=kill).report
    killers[0].join()

    assert found.provenance["backend"] == "ray"
    assert numbers(found) == numbers(evaluate(bundle, pictures).report)
    assert found.metrics.accuracy.value < 1
    assert [source for source, _ in found.unreadable] == ["red/007.png"]
