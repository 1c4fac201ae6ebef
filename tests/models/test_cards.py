"""The page of cards has every family and member, and its computed numbers are those of today."""

import importlib.util

import pytest

from foveal import models
from foveal.core import catalog
from foveal.models._listing import listing

SOME = ["alexnet", "mobilenet_v3_small", "nano", "resnet20", "vgg11_bn", "vit_tiny"]


@pytest.fixture(scope="module")
def page(project):
    return (project / "docs" / "models" / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def cards(project):
    spec = importlib.util.spec_from_file_location("model_cards", project / "benchmarks" / "model_cards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_file_has_a_section_with_its_card(page):
    for file in catalog.names(models):
        section = page.partition(f"\n## {file}\n")[2].partition("\n## ")[0]
        member = next(name for name in models.names() if name.startswith(file))
        card = models.card(member)
        assert card.idea in section, file
        assert f"When to choose it: {card.summary}. Source: {card.source}." in section, file


def test_every_member_is_there_with_its_parameters(page):
    for row in listing():
        name, count = catalog.written(row["name"]), row["parameters"]
        if count is not None and name in models.names():
            assert f"\n| `{name}` | {count:,} |" in page


@pytest.mark.parametrize("name", SOME)
def test_what_is_computed_is_current(name, page, cards):
    wanted = cards.row(name, {}).split("|")
    found = next(line for line in page.splitlines() if line.startswith(f"| `{name}` |")).split("|")

    timed = (5, 9)
    assert [cell for i, cell in enumerate(found) if i not in timed] == [
        cell.strip("\n") for i, cell in enumerate(wanted) if i not in timed
    ]
