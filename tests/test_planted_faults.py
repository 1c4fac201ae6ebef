"""Twelve classic faults: the list fits the code, CONTRIBUTING names them, and each turns its test red."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

NAMES = {
    *("wrong label map", "missing /255", "BGR", "flipped EXIF", "uncorrected quantile"),
    *("off-by-one resize", "stale EMA", "swapped split", "unverified hash", "eval in train mode"),
    *("calibrated on the test part", "thresholds from the proof"),
}


@pytest.fixture(scope="module")
def planted_faults(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "planted_faults", project / "benchmarks" / "planted_faults.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["planted_faults"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


def test_every_fault_fits_the_code_as_it_is(planted_faults: ModuleType, tmp_path: Path) -> None:
    planted_faults.copy_package(tmp_path)

    for fault in planted_faults.FAULTS:
        before = (tmp_path / "foveal" / fault.file).read_text(encoding="utf-8")
        planted_faults.plant(fault, tmp_path)
        after = (tmp_path / "foveal" / fault.file).read_text(encoding="utf-8")
        assert after != before
        compile(after, fault.file, "exec")


def test_every_named_test_exists_and_contributing_lists_it(planted_faults: ModuleType, project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")

    assert {fault.name for fault in planted_faults.FAULTS} == NAMES
    for fault in planted_faults.FAULTS:
        file, _, function = fault.test.partition("::")
        assert f"def {function}(" in (project / file).read_text(encoding="utf-8")
        assert f"| {fault.name} | `src/foveal/{fault.file}` | `{fault.test}` |" in text


def test_a_fault_that_no_longer_fits_is_reported(planted_faults: ModuleType, tmp_path: Path) -> None:
    planted_faults.copy_package(tmp_path)
    fault = planted_faults.FAULTS[0]
    planted_faults.plant(fault, tmp_path)

    with pytest.raises(SystemExit, match=f"{fault.name}: .* does not hold this text exactly once"):
        planted_faults.plant(fault, tmp_path)


@pytest.mark.slow
def test_every_fault_turns_its_test_red(
    planted_faults: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert planted_faults.main([]) == 0
    assert "12 of 12 faults turn a test red" in capsys.readouterr().out
