"""train.ranks: two processes end where one ends, and each of the usual mistakes does not."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from foveal.core.errors import UsageError
from foveal.train import ranks
from foveal.train.ranks import Team
from foveal.train.state import State

SCRIPT = Path(__file__).with_name("ranks_script.py")
NANO = ("nano", "nano64")  # a step of the default network, and six in float64, where no ReLU tips over
MISTAKES = ("plain_norm", "own_draws", "no_sum")
TOLERANCE = 1e-5  # measured: 7e-7, see docs/decisions/0016-distributed-training.md


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def start(rank: int, size: int, port: str, arguments: list[str]) -> subprocess.Popen[str]:
    told = {
        "RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "LOCAL_RANK": str(rank),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
    }  # fmt: skip
    command = [sys.executable, "-W", "error", str(SCRIPT), *arguments]
    return subprocess.Popen(command, env={**os.environ, **told}, stderr=subprocess.PIPE, text=True)


def run(size: int, *arguments: str) -> list[int]:
    """Return the exit codes of all ranks."""
    port = free_port()
    started = [start(rank, size, port, list(arguments)) for rank in range(size)]
    for process in started:
        _, said = process.communicate(timeout=300)
        assert process.returncode in (0, 9, 75), said
    return [process.returncode for process in started]


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """Weights and losses of one process, and of both ranks of two, by the way they were trained."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    assert run(1, str(one), "right", *NANO) == [0]
    assert run(2, str(two), "right", *NANO, *MISTAKES) == [0, 0]
    found = {f"one-{way}": load_file(one / f"{way}-0.safetensors") for way in ("right", *NANO)}
    return found | {path.stem: load_file(path) for path in two.iterdir()}


def distance(one, other):
    """Return the largest absolute difference of any weight, statistic or loss."""
    return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)


def test_two_ranks_end_where_one_process_ends(ended):
    assert ended["one-right"].keys() == ended["right-0"].keys()
    assert distance(ended["one-right"], ended["right-0"]) < TOLERANCE


@pytest.mark.parametrize("way", NANO)
def test_two_ranks_take_the_same_steps_with_the_default_network(ended, way):
    assert distance(ended[f"one-{way}"], ended[f"{way}-0"]) < TOLERANCE


def test_both_ranks_end_in_the_same_bits(ended):
    assert all(torch.equal(value, ended["right-1"][name]) for name, value in ended["right-0"].items())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_seen(ended, mistake):
    assert distance(ended["one-right"], ended[f"{mistake}-0"]) > 1000 * TOLERANCE


def test_when_a_rank_dies_the_other_says_so_and_ends(tmp_path):
    assert run(2, str(tmp_path), "lost") == [75, 9]
    assert (tmp_path / "lost.txt").read_text().startswith("rank_lost: rank 0 of 2 has lost another rank")


@pytest.mark.parametrize("shape", [(6, 4), (5, 4, 7), (6, 4, 3, 5)])
def test_one_ranks_norm_is_that_of_torch(monkeypatch, shape):
    monkeypatch.setattr(Team, "gather", lambda self, row: row[None])
    kind = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d}[len(shape)]
    theirs = kind(4, momentum=0.3).double()
    ours = nn.Sequential(kind(4, momentum=0.3).double())
    ranks._share_statistics(ours)
    torch.manual_seed(0)
    for _ in range(2):
        images, weights = torch.randn(shape).double() * 3 + 1, torch.randn(shape).double()
        seen = [images.clone().requires_grad_() for _ in range(2)]
        answers = [theirs(seen[0]), ours(seen[1])]
        for answer in answers:
            (answer * weights).sum().backward()
        torch.testing.assert_close(*answers)
        torch.testing.assert_close(seen[0].grad, seen[1].grad)

    for name, value in theirs.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[f"0.{name}"], value)
    torch.testing.assert_close(theirs.weight.grad, ours[0].weight.grad)
    torch.testing.assert_close(theirs.eval()(images), ours.eval()(images))


def test_a_batch_with_no_picture_for_a_rank_is_refused(monkeypatch):
    monkeypatch.setattr(ranks, "here", lambda: Team(2, 3))
    with pytest.raises(UsageError, match="3 ranks cannot share batches of 2") as caught:
        State(nn.Linear(2, 2), SimpleNamespace(batch_size=2))
    assert caught.value.code == "too_many_ranks"


def test_a_norm_that_cannot_be_shared_is_refused():
    class Own(nn.BatchNorm2d):
        pass

    with pytest.raises(UsageError, match="0 is a Own, whose statistics several ranks cannot share"):
        ranks._share_statistics(nn.Sequential(Own(3)))


@pytest.mark.parametrize(("slow", "steps"), [(0, 1), (1, 4)])
def test_what_is_slow_for_one_rank_ends_a_warm_up_for_all_or_for_none(tmp_path, slow, steps):
    assert run(2, str(tmp_path), f"slow{slow}") == [0, 0]

    first, other = ((tmp_path / f"slow{slow}-{rank}.txt").read_text() for rank in (0, 1))
    assert first == other
    assert int(first.split()[0]) == steps


@pytest.mark.parametrize(("count", "size"), [(33, 2), (7, 7), (100, 3), (2, 2)])
def test_parts_cover_the_batch_and_differ_by_one_at_most(count, size):
    parts = [Team(rank, size).part(count) for rank in range(size)]

    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(count))
    assert max(p.stop - p.start for p in parts) - min(p.stop - p.start for p in parts) <= 1


def test_ranks_share_the_processors(monkeypatch):
    monkeypatch.setattr(ranks.machine, "usable_cpus", lambda: 9)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")

    assert Team(0, 8).threads == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert Team(0, 16).threads == 1


def test_alone_there_is_nothing_to_join():
    with ranks.joined() as team:
        assert (team.rank, team.size, team.first) == (0, 1, True)
        assert team.told({"a": 1}) == {"a": 1}


def test_half_a_launcher_is_a_clear_error(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("RANK", raising=False)

    with pytest.raises(UsageError, match="WORLD_SIZE is 2, but RANK is not set"), ranks.joined():
        pass
