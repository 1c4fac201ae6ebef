"""The feature cache: whole or not at all, own hash, bounded, and safe beside others."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from foveal.train import feature_cache as cache


def entries(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.features"))


def test_what_was_remembered_comes_back_and_anything_else_does_not() -> None:
    features = np.random.default_rng(0).normal(size=(7, 5)).astype(np.float32)

    cache.remember(cache.key({"data": "a"}), features, seconds=1.5)

    found = cache.recall(cache.key({"data": "a"}))
    assert found is not None
    np.testing.assert_array_equal(found[0], features)
    assert found[1] == 1.5
    assert cache.recall(cache.key({"data": "b"})) is None


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:40] + b"x" + b[41:], lambda b: b""])
def test_a_damaged_entry_is_as_good_as_none(damage, own_cache: Path) -> None:
    cache.remember("one", np.ones((3, 2), np.float32), seconds=0.0)
    (path,) = entries(own_cache)
    path.write_bytes(damage(path.read_bytes()))

    assert cache.recall("one") is None


def test_what_was_used_longest_ago_goes_first(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 10_000)
    block = np.ones((100, 10), np.float32)
    for name in ("a", "b"):
        cache.remember(name, block, seconds=0.0)
    cache.recall("a")

    cache.remember("c", block, seconds=0.0)

    assert [path.stem for path in entries(own_cache)] == ["a", "c"]


def test_many_at_once_leave_whole_entries_only() -> None:
    def work(number: int) -> bool:
        cache.remember("shared", np.full((200, 50), 1.0, np.float32), seconds=0.0)
        found = cache.recall("shared")
        return found is not None and bool((found[0] == 1).all())

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(40)))


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    cache.remember("one", np.ones((2, 2), np.float32), seconds=0.0)

    assert cache.recall("one") is None
