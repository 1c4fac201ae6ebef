"""Freed memory is kept between steps, and given back afterwards."""

import ctypes
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from foveal.train.memory import freed_memory_kept

pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="only glibc gives blocks back one by one"
)

ROOT = Path(__file__).parents[2]
SIZES = (48 << 20, 40 << 20, 64 << 20)  # bytes; as the layers of a network, one after the other


def _steps(count: int) -> int:
    """Return how many pages the system had to hand out while blocks were taken, written and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(count):
        kept = [torch.ones(size, dtype=torch.uint8) for size in SIZES]
        del kept
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def test_blocks_are_mapped_anew_in_each_step_outside_and_hardly_ever_inside():
    """In a process of its own: holes that others left in the heap would hold the blocks outside as well."""
    code = (
        "from tests.train.test_memory import _steps, freed_memory_kept\n"
        "_steps(3); outside = _steps(10)\n"
        "with freed_memory_kept():\n"
        "    _steps(3); inside = _steps(10)\n"
        "print(outside, inside)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    outside, inside = map(int, ran.stdout.split())

    assert inside < outside / 3


def test_memory_goes_back_to_the_system_afterwards():
    with freed_memory_kept():
        _steps(3)
        kept = _resident()

    assert kept - _resident() > sum(SIZES) / 2
