"""Parts of pictures: all once, small, the same on any number of threads."""

import numpy as np
import pytest

from foveal.certify.parts import Parts, evenly


@pytest.mark.parametrize("at_most", [1, 7, 48, 1000])
@pytest.mark.parametrize("count", [0, 1, 47, 48, 49, 500])
def test_even_parts_cover_all_once_and_differ_by_one(count, at_most) -> None:
    parts = evenly(count, at_most=at_most)
    sizes = [part.stop - part.start for part in parts]

    assert [place for part in parts for place in range(count)[part]] == list(range(count))
    assert len(parts) == -(-count // at_most)
    assert not sizes or (max(sizes) <= at_most and max(sizes) - min(sizes) <= 1)


@pytest.mark.parametrize(("side", "size"), [(16, 48), (32, 48), (64, 12), (224, 1), (2000, 1)])
def test_larger_pictures_come_in_smaller_parts(side, size) -> None:
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (96, side, side, 1))
    seen = []

    def work(part, seed):
        seen.append(part.stop - part.start)
        return np.zeros((seen[-1], side, side, 1), np.uint8)

    Parts(seed=0).of(images, work)
    assert (max(seen), sum(seen)) == (size, 96)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_what_is_found_depends_on_the_seed_and_not_on_the_threads(threads) -> None:
    images = np.arange(130 * 32 * 32, dtype=np.uint32).astype(np.uint8).reshape(130, 32, 32, 1)

    def drawn(seed: int, threads: int) -> np.ndarray:
        def work(part, own):
            noise = np.random.default_rng(own).integers(0, 256, images[part].shape)
            return (images[part] + noise).astype(np.uint8)

        return Parts(seed, threads).of(images, work)

    found = drawn(3, threads)
    noise = found.astype(int) - images

    assert (found == drawn(3, 1)).all()
    assert (found != drawn(4, 1)).any()
    assert (noise[:43] != noise[43:86]).any(), "each part draws for itself"


def test_what_goes_wrong_in_a_part_is_told() -> None:
    def work(part, seed):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Parts(seed=0, threads=2).of(np.zeros((100, 32, 32, 1), np.uint8), work)
