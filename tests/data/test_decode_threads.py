"""data.decode: many threads decode at once, and none sees another one's pixels."""

import threading
from collections.abc import Callable

import numpy as np

from foveal.data.decode import decode

Pixels = Callable[..., np.ndarray]
Encode = Callable[..., bytes]


def test_threads_do_not_disturb_each_other(pixels: Pixels, encode: Encode) -> None:
    contents = [
        encode(pixels(seed=seed), kind) for seed in range(8) for kind in ("JPEG", "PNG", "GIF", "WEBP")
    ]
    expected = [decode(content, 3) for content in contents]
    wrong: list[int] = []

    def work() -> None:
        for i, content in enumerate(contents):
            if not np.array_equal(decode(content, 3), expected[i]):
                wrong.append(i)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
