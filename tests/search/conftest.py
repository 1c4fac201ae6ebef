"""Embedders: what the last layer of the colour classifier reads, and one of pictures and texts."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foveal.bundle.embedder import Embedder
from foveal.data.preprocess import Preprocess
from two_encoders import two_encoders


@pytest.fixture(scope="session")
def embedder(classifier) -> Embedder:
    """Pictures of 16 pixels to 7 features, of which the first three are red, green and blue."""
    from foveal.export.embedding import cut

    preprocess = Preprocess(size=16, channels=3, mean=(0, 0, 0), std=(1, 1, 1))
    return Embedder(cut(classifier(), "features", 7), preprocess, 7, "colours", "Apache-2.0")


@pytest.fixture(scope="session")
def both() -> Embedder:
    """Pictures of 16 pixels and texts to 12 numbers, with random weights."""
    from foveal.export.image_text import shared_space

    return shared_space(two_encoders(), source="two encoders")


@pytest.fixture
def kill_while_it_writes():
    """Start a program on a file, and kill it some seconds after its first line."""

    def kill(program: str, path: Path, moment: float) -> None:
        writer = subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(moment)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()

    return kill
