"""core.machine: what we may use, and what is installed."""

import os
from pathlib import Path

import pytest

from foveal.core import extras, machine
from foveal.core.errors import MissingExtraError


def test_only_processors_of_our_affinity_count():
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert machine.usable_cpus() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_without_affinity_all_processors_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity")

    assert machine.usable_cpus() == os.cpu_count()


def test_the_processor_has_a_name(monkeypatch):
    assert machine.cpu_name()
    monkeypatch.setattr(Path, "is_file", lambda self: False)
    assert machine.cpu_name()


def test_versions_of_absent_packages_are_null():
    found = machine.versions("numpy", "surely-not-installed")

    assert found["numpy"][0].isdigit()
    assert found["surely-not-installed"] is None


def test_an_extra_that_is_not_there_is_named(monkeypatch):
    extras.need("train")
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    with pytest.raises(
        MissingExtraError, match=r'this command needs the .train. extra: pip install "foveal\[train\]"'
    ):
        extras.need("train")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "model name\t: Some CPU\nflags\t\t: fpu avx avx2 fma amx_bf16\n",
            ("AVX", "AVX2", "FMA", "AMX-BF16"),
        ),
        ("Features\t: fp asimd asimddp bf16\n", ("NEON", "DOTPROD", "BF16")),
        ("flags\t\t: avx2x notavx\n", ()),
        ("", ()),
    ],
)
def test_instruction_sets_are_named_by_what_the_kernel_lists(text, expected, tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(machine, "_CPUINFO", tmp_path / "cpuinfo")

    assert machine.cpu_features() == expected
