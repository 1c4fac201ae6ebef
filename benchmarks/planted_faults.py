"""Plant twelve classic faults, one at a time, in a copy of the package, and show which test turns red.

    python benchmarks/planted_faults.py            all of them; exits 1 if one goes unnoticed
    python benchmarks/planted_faults.py "BGR"      one

Every one of them has shipped somewhere: the result looks plausible and is worse, or unproven.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Fault:
    """A change of the source that must not go unnoticed.

    Attributes:
        name: What goes wrong.
        file: Below `src/foveal`.
        right: The text as it is; it occurs once.
        wrong: The text with the fault.
        test: The test that turns red, as pytest names it.
    """

    name: str
    file: str
    right: str
    wrong: str
    test: str


FAULTS = (
    Fault(
        "wrong label map",
        "tasks/classify/decode.py",
        "label=classes[best],",
        "label=sorted(classes)[best],",
        "tests/tasks/test_decode.py::test_label_is_the_name_at_the_place_of_the_largest_probability",
    ),
    Fault(
        "missing /255",
        "tasks/classify/learn.py",
        "mean = torch.tensor(preprocess.mean) * 255.0",
        "mean = torch.tensor(preprocess.mean)",
        "tests/tasks/test_learn.py::test_normalized_pixels_have_mean_0_and_deviation_1_per_channel",
    ),
    Fault(
        "BGR",
        "data/decode.py",
        "return about, upright(to_channels(image, channels), _turn(image))",
        "turn, image = _turn(image), to_channels(image, channels)\n"
        "        return about, upright(Image.merge(image.mode, image.split()[::-1]), turn)",
        "tests/data/test_decode.py::test_every_allowed_format_gives_its_pixels",
    ),
    Fault(
        "flipped EXIF",
        "data/pixels/orientation.py",
        "6: Image.Transpose.ROTATE_270,",
        "6: Image.Transpose.ROTATE_90,",
        "tests/data/pixels/test_orientation.py::test_exif_orientation_is_applied_once",
    ),
    Fault(
        "uncorrected quantile",
        "core/promises.py",
        "return math.ceil(round((n + 1) * (1 - alpha), 9))",
        "return math.ceil(round(n * (1 - alpha), 9))",
        "tests/calibrate/test_sets.py::test_coverage_follows_its_beta_law_and_without_the_correction_it_does_not",
    ),
    Fault(
        "off-by-one resize",
        "data/preprocess.py",
        "left, top = (width - side) / 2, (height - side) / 2",
        "left, top = max(0, (width - side) / 2 - 1), max(0, (height - side) / 2 - 1)",
        "tests/data/test_preprocess.py::test_the_middle_square_is_kept",
    ),
    Fault(
        "stale EMA",
        "train/average.py",
        "self._live = dict(network.state_dict(keep_vars=False))",
        "self._live = {n: v.clone() for n, v in network.state_dict(keep_vars=False).items()}",
        "tests/train/test_average.py::test_early_on_it_is_the_plain_mean_of_all_steps",
    ),
    Fault(
        "swapped split",
        "data/split.py",
        "    fit, calib, test = (\n        np.array(sorted(",
        "    fit, test, calib = (\n        np.array(sorted(",
        "tests/data/test_split.py::test_small_classes_get_as_many_roles_as_they_can",
    ),
    Fault(
        "unverified hash",
        "bundle/archive.py",
        "if hashlib.sha256(members[name]).hexdigest() != expected:",
        "if len(hashlib.sha256(members[name]).hexdigest()) != len(expected):",
        "tests/bundle/test_archive.py::test_changed_member_is_refused_though_the_zip_is_sound",
    ),
    Fault(
        "eval in train mode",
        "tasks/recognizer.py",
        "self.network.eval()\n        batch",
        "self.network.train()\n        batch",
        "tests/tasks/test_recognizer.py::test_it_answers_in_eval_mode_and_learns_nothing_from_being_asked",
    ),
    Fault(
        "calibrated on the test part",
        "flows/_export.py",
        'calib=prepared.examples("calib"),',
        'calib=prepared.examples("test"),',
        "tests/flows/test_train.py::test_the_decision_is_fitted_on_the_calibration_part_and_on_nothing_else",
    ),
    Fault(
        "thresholds from the proof",
        "calibrate/fit.py",
        "candidates(confidence[tuning], correct[tuning],",
        "candidates(confidence[proving], correct[proving],",
        "tests/calibrate/test_fit.py::test_each_part_of_the_decision_is_fitted_on_its_own_images",
    ),
)


def copy_package(folder: Path) -> None:
    """Copy the package to `folder/foveal`."""
    shutil.copytree(
        PROJECT / "src" / "foveal", folder / "foveal", ignore=shutil.ignore_patterns("__pycache__")
    )


def plant(fault: Fault, folder: Path) -> None:
    """Change the copy in `folder`."""
    file = folder / "foveal" / fault.file
    text = file.read_text(encoding="utf-8")
    if text.count(fault.right) != 1:
        raise SystemExit(f"{fault.name}: {fault.file} does not hold this text exactly once: {fault.right!r}")
    file.write_text(text.replace(fault.right, fault.wrong), encoding="utf-8")


def run_tests(tests: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run tests against the copy in `folder` instead of the installed package."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, cwd=PROJECT, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


def first_red(output: str) -> str:
    """Return the first failed test that pytest names, or nothing."""
    failed = [line for line in output.splitlines() if line.startswith("FAILED ")]
    return failed[0].removeprefix("FAILED ").partition(" - ")[0] if failed else ""


def main(wanted: list[str]) -> int:
    chosen = [fault for fault in FAULTS if not wanted or fault.name in wanted]
    unnoticed = 0
    with tempfile.TemporaryDirectory() as temporary:
        copy_package(Path(temporary))
        sound = run_tests(sorted({fault.test for fault in chosen}), Path(temporary))
    if sound.returncode != 0:
        print(
            sound.stdout,
            sound.stderr,
            "the tests must pass before a fault is planted",
            sep="\n",
            file=sys.stderr,
        )
        return 1
    for fault in chosen:
        with tempfile.TemporaryDirectory() as temporary:
            copy_package(Path(temporary))
            plant(fault, Path(temporary))
            result = run_tests([fault.test], Path(temporary))
        red = first_red(result.stdout) if result.returncode == 1 else ""
        unnoticed += not red
        print(f"{fault.name:<29}{red or 'UNNOTICED'}", flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} faults turn a test red")
    return 1 if unnoticed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
