"""What is counted, and how Prometheus reads it."""

import re
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

import foveal.serve
from foveal.serve.board import Board
from foveal.serve.exposition import exposition
from foveal.serve.metrics import FAMILIES, Metrics, Plan
from foveal.serve.problems import GONE, STATUS
from foveal.serve.served import served
from foveal.serve.service import Service, plan
from foveal.serve.settings import Settings


def test_no_two_numbers_share_a_place() -> None:
    made = Plan(["a", "b"])
    taken: set[int] = set()
    for key, family in FAMILIES.items():
        for at in made.places[key].values():
            room = set(range(at, at + (2 + len(family.buckets) if family.buckets else 1)))
            assert not taken & room
            taken |= room
    assert taken == set(range(made.length))


def test_prometheus_reads_the_sums_over_all_workers(bundle: Path) -> None:
    models = served([str(bundle)])
    board = Board(3, numbers=plan(models).length, texts=1)
    services = [Service(models, Settings(), board=board, seat=seat) for seat in board.seats]
    for number, service in enumerate(services):
        for _ in range(number + 1):
            service.metrics.count("requests", "colors", "ok")
            service.metrics.observe("inference_duration", 0.003, "colors")
        service.seat.set("queued", number)
    services[0].metrics.observe("inference_duration", 99.0, "colors")
    services[0].metrics.observe("batch_size", 8, "colors")

    text = exposition(services[1]).decode()
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert found["foveal_requests_total", (("model", "colors"), ("outcome", "ok"))] == 6
    duration = "foveal_inference_duration_seconds"
    assert found[f"{duration}_count", (("model", "colors"),)] == 7
    assert abs(found[f"{duration}_sum", (("model", "colors"),)] - 99.018) < 1e-9
    for end, below in (("0.0025", 0), ("0.005", 6), ("10.0", 6), ("+Inf", 7)):
        assert found[f"{duration}_bucket", (("le", end), ("model", "colors"))] == below
    assert found["foveal_batch_size_bucket", (("le", "8.0"), ("model", "colors"))] == 1, "ends are inside"
    assert found["foveal_queue_depth", ()] == 3
    assert any(name == "foveal_model_info" for name, _ in found)
    assert all(name.startswith("foveal_") for name, _ in found)


def test_every_code_that_is_raised_has_a_status() -> None:
    folder = Path(foveal.serve.__file__).parent
    raised = {
        code
        for path in folder.glob("*.py")
        for code in re.findall(r'HttpError\(\s*"([a-z_]+)"', path.read_text())
    }
    assert len(raised) > 15
    assert raised <= {*STATUS, GONE}


def test_counting_in_another_seat_changes_nothing_here() -> None:
    made = Plan(["a"])
    board = Board(2, numbers=made.length, texts=1)
    Metrics(made, board.seats[1].numbers).count("abstained", "a")
    assert set(board.seats[0].numbers) == {0.0}
    assert sum(board.seats[1].numbers) == 1.0
