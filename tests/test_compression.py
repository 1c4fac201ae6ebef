"""benchmarks/compression.py: what its table says of files that were measured."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from foveal.core import catalog
from foveal.optimize import factorizations
from foveal.optimize.labels import Pictures
from foveal.optimize.variant import Speed, Variant

SPEED = Speed("onnxruntime", "fp32", 1, 2e-3, 3e-3, 1.9e-3, 2.1e-3, 1.0, 0.99, 1.01, False, 30)
TRUTH = np.arange(200) % 10


@pytest.fixture(scope="module")
def compression(project: Path) -> ModuleType:
    path = project / "benchmarks" / "compression.py"
    spec = importlib.util.spec_from_file_location("compression", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compression"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def variant(name: str, *, wrong: int, parameters: int, size: int) -> Variant:
    answers = np.where(np.arange(200) < wrong, TRUTH + 1, TRUTH)
    return Variant(name, (), None, parameters, 1_000_000, size, answers, SPEED)


def cells(compression: ModuleType, folder: Path) -> list[list[str]]:
    variants = [
        variant("original", wrong=10, parameters=1000, size=8000),
        variant("pruned-50", wrong=14, parameters=500, size=4000),
        variant("pruned-50-int8", wrong=10, parameters=500, size=1000),
    ]
    fast = replace(SPEED, p50=5e-4, ratio=0.25, ratio_low=0.2, ratio_high=0.5, real=True)
    speeds = {one.name: [SPEED, fast if one.name == "pruned-50" else SPEED] for one in variants}
    pictures = Pictures.of(TRUTH, labelled=True)
    shop = SimpleNamespace(folder=folder, roles=SimpleNamespace(pictures=pictures))
    lines = compression.table(variants, speeds, shop).splitlines()
    assert len({line.count("|") for line in lines}) == 1
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_a_row_says_what_was_lost_and_gained_against_the_original(
    compression: ModuleType, tmp_path: Path
) -> None:
    original, pruned, rounded = cells(compression, tmp_path)

    assert original[1] == "1,000 (100%)"
    assert original[5] == "–"
    assert pruned[1] == "500 (50%)"
    assert pruned[3] == "4 kB (2.0× smaller)"
    assert pruned[4].startswith("0.9300 (")
    assert pruned[5].startswith("2.0 (")  # 4 of 200 more
    assert rounded[3] == "1 kB (8.0× smaller)"
    assert rounded[5].startswith("0.0 (-")


def test_times_as_fast_is_the_inverse_of_the_ratio_and_its_interval_is_turned_round(
    compression: ModuleType, tmp_path: Path
) -> None:
    original, pruned, _ = cells(compression, tmp_path)

    assert pruned[7] == "4.00× (2.00 to 5.00), 0.50 ms (onnxruntime fp32)"
    assert original[6] == "1.00× (0.99 to 1.01, within the noise)"


def test_what_was_published_stands_beside_the_row_that_does_the_same(compression: ModuleType) -> None:
    kinds = catalog.names(factorizations)
    made = {"original-int8", "student", *(f"{kind}-50" for kind in kinds)}
    made |= {f"pruned-{share}" for share in (30, 50, 70, 90)}

    assert compression.PUBLISHED.keys() <= made
    assert compression.published("student-nano-16-32-64") == compression.PUBLISHED["student"]
    assert compression.published("pruned-70") == compression.PUBLISHED["pruned-70"]
    for other in ("original", "pruned-70-int8", "student-nano-16-32-64-int8", "spatial-50-untaught"):
        assert compression.published(other) == ""
