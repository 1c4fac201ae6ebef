"""flows._audit: what belongs together by group, bytes or looks is learned from and asked about as one."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal import data
from foveal.audit.glance import Glances
from foveal.audit.near_duplicates import Cluster
from foveal.data import inventory
from foveal.flows._audit import Seen, _units
from foveal.flows._doubts import Skipped


@pytest.fixture
def seen(tmp_path: Path) -> Seen:
    """Six pictures: 0 and 1 are one group, 2 and 3 the same bytes."""
    (tmp_path / "a").mkdir()
    for i, level in enumerate((10, 20, 30, 30, 50, 60)):
        Image.new("RGB", (8, 8), (level,) * 3).save(tmp_path / f"a/{i}.png")
    (tmp_path / "groups.csv").write_text("picture,group\na/0.png,t\na/1.png,t\n")
    dataset = data.open(tmp_path)
    return Seen(dataset, inventory.take(dataset), None, Glances.of(6), Skipped("label_suspects", "", ""))


def test_without_clusters_groups_and_bytes_decide(seen: Seen) -> None:
    assert _units(seen, np.arange(6), []).tolist() == [0, 0, 2, 2, 4, 5]


def test_a_cluster_joins_all_that_belongs_to_its_members(seen: Seen) -> None:
    assert _units(seen, np.arange(6), [Cluster((1, 3), 0.9)]).tolist() == [0, 0, 0, 0, 4, 5]


def test_clusters_that_meet_in_a_group_are_joined(seen: Seen) -> None:
    clusters = [Cluster((1, 5), 0.9), Cluster((0, 2), 0.9)]

    assert _units(seen, np.arange(6), clusters).tolist() == [0, 0, 0, 0, 4, 0]
