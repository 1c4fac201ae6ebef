"""data.heat: what is hot is coloured, and nothing else."""

import numpy as np

from foveal.data.heat import heated


def test_the_hotter_a_place_the_more_it_is_coloured() -> None:
    pixels = np.full((1, 4, 1), 100, np.uint8)
    heat = np.array([[0.0, 0.5, 1.0, 9.0]], np.float32)

    found = heated(pixels, heat)

    assert found.shape == (1, 4, 3)
    assert found[0, 0].tolist() == [100] * 3
    changes = np.abs(found.astype(int) - 100).max(axis=2)[0]
    assert changes.tolist() == sorted(changes)
    assert found[0, 3].tolist() == [168, 96, 40]  # 60 % of vermillion
    np.testing.assert_array_equal(heated(np.repeat(pixels, 3, axis=2), heat), found)
