"""foveal predict: every kind of input, every kind of output, every way to end."""

import csv
import io
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from foveal.bundle import remembered
from foveal.bundle.engines.openvino import core
from foveal.bundle.predictor import Predictor
from foveal.bundle.ways import Way
from foveal.cli._main import run
from foveal.core import extras

FOVEAL = [sys.executable, "-c", "from foveal.cli import main; main()"]
NAMED = ("--engine", "onnxruntime")
COLORS = {"red": (220, 30, 30), "green": (30, 220, 30), "blue": (30, 30, 220)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with three pictures, an unreadable one and clutter, which is the current folder's `in`."""
    monkeypatch.chdir(tmp_path)
    Path("in/deep").mkdir(parents=True)
    for place, (name, color) in zip(("in", "in/deep", "in"), COLORS.items(), strict=True):
        Image.new("RGB", (40, 30), color).save(f"{place}/{name}.png")
    Path("in/bad.jpg").write_bytes(b"<html>not found</html>")
    Path("in/notes.txt").write_text("x")
    Path("in/.hidden.png").write_bytes(b"x")
    return tmp_path


@pytest.fixture
def predict(bundle, folder, capsys):
    """Run the command in the folder; return exit code, stdout and stderr."""

    def call(*arguments: str, model: object = bundle) -> tuple[int, str, str]:
        capsys.readouterr()
        return run(["predict", str(model), *arguments]), *capsys.readouterr()

    return call


def answers(out: str) -> dict[str, str]:
    return {p["source"]: p.get("label") or p["error"]["code"] for p in json.loads(out)["predictions"]}


def test_json_is_the_contracts_document(predict, bundle) -> None:
    code, out, _ = predict("in/red.png", "--json")

    document = json.loads(out)
    assert code == 0
    assert list(document) == ["schema", "ok", "bundle", "digest", "engine", "precision", "predictions"]
    assert document["schema"] == "foveal.predict/1"
    assert document["ok"] is True
    assert document["bundle"] == str(bundle)
    assert document["engine"].startswith("onnxruntime 1.")
    assert document["precision"] == "fp32"
    [prediction] = document["predictions"]
    assert list(prediction) == ["source", "label", "confidence", "abstain", "set", "scores", "unknown"]
    assert prediction["label"] == "red"
    assert prediction["abstain"] is False
    assert prediction["unknown"] is None
    assert prediction["set"] == ["red"]
    assert sum(prediction["scores"].values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.skipif(extras.missing("openvino") != [], reason="needs the openvino extra")
def test_what_is_remembered_answers_and_what_is_named_goes_before(predict, bundle) -> None:
    remembered.remember(Predictor.open(bundle).digest, [Way("openvino", "fp32", 1)])

    by_itself, named = (json.loads(predict("in/red.png", *more, "--json")[1]) for more in ((), NAMED))

    assert by_itself["engine"].startswith("openvino 20")
    assert named["engine"].startswith("onnxruntime 1.")
    assert [p["label"] for p in by_itself["predictions"]] == [p["label"] for p in named["predictions"]]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--engine", "warpdrive"], 2, "engines has no 'warpdrive'"),
        (["--precision", "bf16"], 2, "onnxruntime computes in fp32 on this processor, not in bf16"),
        (["--engine", "openvino"], 69, 'pip install "foveal[openvino]"'),
    ],
)
def test_an_engine_or_precision_that_is_not_there_is_refused(
    predict, monkeypatch, options, code, said
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    core.cache_clear()

    found, out, err = predict("in/red.png", *options)

    assert (found, out) == (code, "")
    assert said in err


def test_folder_stands_for_its_pictures_in_order(predict) -> None:
    code, out, _ = predict("in", "--json")

    assert code == 0
    assert list(answers(out).items()) == [
        ("in/bad.jpg", "not_image"),
        ("in/blue.png", "blue"),
        ("in/deep/green.png", "green"),
        ("in/red.png", "red"),
    ]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("in/*.png", ["in/blue.png", "in/red.png"]),
        ("in/**/*.png", ["in/blue.png", "in/deep/green.png", "in/red.png"]),
        ("i[n]", ["in/bad.jpg", "in/blue.png", "in/deep/green.png", "in/red.png"]),
    ],
)
def test_pattern_that_the_shell_left_alone_is_expanded(predict, pattern, expected) -> None:
    assert list(answers(predict(pattern, "--json")[1])) == expected


@pytest.mark.parametrize("pattern", ["in/**", "./in/**", "i?/**/*", "**", "**/**/*"])
def test_pattern_that_matches_a_folder_and_what_is_in_it_names_each_file_once(predict, pattern) -> None:
    Path("in/deep/__MACOSX").mkdir()
    shutil.copy("in/red.png", "in/deep/__MACOSX/red.png")
    Path("in/deep/around").symlink_to("..")
    Path("in/gone.png").symlink_to("nowhere")
    shutil.copy("in/red.png", "in/deep.png")

    found = [p["source"] for p in json.loads(predict(pattern, "--json")[1])["predictions"]]

    assert len(set(found)) == len(found)
    assert sorted(Path(source).as_posix() for source in found if "around" not in source) == [
        "in/bad.jpg",
        "in/blue.png",
        "in/deep.png",
        "in/deep/__MACOSX/red.png",
        "in/deep/green.png",
        "in/gone.png",
        *(["in/notes.txt"] if pattern == "i?/**/*" else []),  # of the folder itself only pictures are meant
        "in/red.png",
    ]


def test_file_that_is_named_twice_is_answered_twice(predict) -> None:
    out = predict("in/red.png", "in/*.png", "in/red.png", "--json")[1]

    assert [p["source"] for p in json.loads(out)["predictions"]] == [
        "in/red.png",
        "in/blue.png",
        "in/red.png",
        "in/red.png",
    ]


def test_file_whose_name_looks_like_a_pattern_is_a_file(predict) -> None:
    shutil.copy("in/red.png", "in/[1].png")

    assert answers(predict("in/[1].png", "--json")[1]) == {"in/[1].png": "red"}


@pytest.mark.parametrize(
    ("content", "options"),
    [
        (b"in/red.png\nin/deep\n\nnix.png", []),
        (b"in/red.png\0in/deep\0nix.png\0", ["-0"]),
    ],
)
def test_list_on_stdin_is_read(predict, monkeypatch, content, options) -> None:
    Path("list").write_bytes(content)

    with Path("list").open() as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        code, out, _ = predict("-", "--json", *options)

    assert code == 0
    assert answers(out) == {"in/red.png": "red", "in/deep/green.png": "green", "nix.png": "not_found"}


def test_jsonl_is_one_object_a_line(predict) -> None:
    code, out, err = predict("in", "--jsonl")

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["source"] for line in lines] == [
        "in/bad.jpg",
        "in/blue.png",
        "in/deep/green.png",
        "in/red.png",
    ]
    assert set(lines[0]["error"]) == {"code", "message", "hint", "path"}
    assert err.startswith("foveal: 4 inputs, 1 unusable, ")
    assert re.search(r", onnxruntime 1\.\S+ in fp32\n$", err), "what answered is said"


def test_csv_is_read_by_the_standard_library(predict) -> None:
    Path('in/a, "b".png').write_bytes(Path("in/red.png").read_bytes())

    rows = list(csv.DictReader(io.StringIO(predict("in", "--csv")[1])))

    assert [row["source"] for row in rows][:2] == ['in/a, "b".png', "in/bad.jpg"]
    assert rows[0]["label"] == "red"
    assert rows[0]["abstain"] == "false"
    assert json.loads(rows[0]["set"]) == ["red"]
    assert 0 < float(rows[0]["confidence"]) <= 1
    assert rows[1]["label"] == ""
    assert rows[1]["error"] == "not_image"


def test_people_get_a_table_and_the_talk_on_stderr(predict) -> None:
    code, out, err = predict("in")

    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["label", "confidence", "answers", "set", "source"]
    assert lines[1].endswith("in/bad.jpg: these bytes are no picture")
    assert lines[2].split()[0] == "blue"
    assert lines[2].split()[2:] == ["yes", "blue", "in/blue.png"]
    assert "1 unusable" in err
    assert predict("in", "-q")[2] == ""


def test_names_cannot_drive_the_terminal(predict, make_bundle, folder) -> None:
    shutil.copy("in/red.png", "in/\x1b[2J.png")
    model = make_bundle(folder / "named.foveal", classes=["\x1b[31mred", "x" * 40, "blue"])

    out = predict("in", model=model)[1]

    assert "\x1b" not in out
    assert r"\x1b[31mred" in out
    assert "in/\\x1b[2J.png" in out


def test_name_that_is_no_utf8_is_written_with_escapes(predict) -> None:
    shutil.copy(b"in/red.png", b"in/\xe4.png")

    for style in ("--json", "--jsonl", "--csv", "-q"):
        code, out, _ = predict("in", style)
        assert code == 0
        assert r"in/\xe4.png" in out.replace("\\\\", "\\")


@pytest.mark.parametrize("style", ["--csv", "--quiet", "--jsonl"])
def test_letters_that_the_terminal_lacks_do_not_end_it(bundle, folder, style) -> None:
    shutil.copy("in/red.png", "in/ä–.png")

    ended = subprocess.run(
        [*FOVEAL, "predict", str(bundle), "in/ä–.png", "in/bad.jpg", style],
        capture_output=True,
        check=False,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "ascii:strict"},
    )

    assert ended.returncode == 0
    assert b"2013.png" in ended.stdout
    assert b"in/bad.jpg" in ended.stdout


def test_undecided_threshold_is_null(predict, make_bundle, folder) -> None:
    decision = {
        "abstain": {"threshold": None, "risk": 0.01, "delta": 0.05, "n": 3},
        "conformal": {"alpha": 0.1, "quantile": None, "n": 3},
    }
    model = make_bundle(folder / "few.foveal", decision=decision)

    [prediction] = json.loads(predict("in/red.png", "--json", model=model)[1])["predictions"]
    assert prediction["abstain"] is None
    assert prediction["set"] == ["red", "green", "blue"] or set(prediction["set"]) == set(COLORS)
    assert ',,"[' in predict("in/red.png", "--csv", model=model)[1]
    assert " –  " in predict("in/red.png", model=model)[1]


@pytest.mark.parametrize(("threshold", "unknown"), [(-1e3, True), (1e3, False), (None, None)])
def test_every_form_says_what_is_unknown(predict, unknown_bundle, folder, threshold, unknown) -> None:
    model = unknown_bundle(folder / "u.foveal", threshold)

    [prediction] = json.loads(predict("in/red.png", "--json", model=model)[1])["predictions"]
    [row] = csv.DictReader(io.StringIO(predict("in/red.png", "--csv", model=model)[1]))
    people = predict("in/red.png", model=model)[1].splitlines()[1].split()

    assert prediction["unknown"] is unknown
    assert row["unknown"] == {True: "true", False: "false", None: ""}[unknown]
    assert people[2] == ("unknown" if unknown else "yes")
    assert prediction["label"] == people[0] == "red"


@pytest.fixture
def unknown_bundle(classifier, draft):
    """Seal the colour classifier with the energy as its output `unknown`, and a threshold on it."""
    from foveal.bundle import archive, golden
    from foveal.bundle.engines.onnxruntime import onnxruntime
    from foveal.calibrate.unknowns._score import Answers, Known
    from foveal.calibrate.unknowns.energy import energy
    from foveal.export.unknown import with_unknown

    def make(path: Path, threshold: float | None) -> Path:
        known = Known(Answers(None, np.empty((0, 3), np.float32)), np.empty(0, np.int64))
        model = with_unknown(classifier(), energy(known))
        rule = {"score": "energy", "threshold": threshold, "alpha": 0.05, "n": 100}
        stated = draft(decision={**draft().decision.model_dump(), "unknown": rule})
        vectors = golden.measure(onnxruntime(model, threads=1), stated.preprocess)
        archive.seal(path, stated, model=model, golden=vectors)
        return path

    return make


def test_run_folder_is_a_model(predict, bundle, tmp_path) -> None:
    (tmp_path / "run").mkdir()
    shutil.copy(bundle, tmp_path / "run/colors.foveal")

    code, out, _ = predict("in/red.png", "--json", model="run")

    assert code == 0
    assert json.loads(out)["bundle"] == "run/colors.foveal"


def test_threads_do_not_change_the_answers(predict) -> None:
    assert predict("in", "--json", "--threads", "1")[1] == predict("in", "--json", "--threads", "3")[1]


def test_all_unreadable_is_exit_65_with_the_document(predict) -> None:
    code, out, _ = predict("in/bad.jpg", "in/notes.txt", "--json")

    assert code == 65
    assert json.loads(out)["ok"] is False
    assert answers(out) == {"in/bad.jpg": "not_image", "in/notes.txt": "not_image"}
    assert predict("in/bad.jpg", "nix.png")[0] == 65


def test_films_for_a_recognizer_of_pictures_are_seen_and_said(predict) -> None:
    Path("films").mkdir()
    Path("films/left.mp4").write_bytes(b"x")

    code, out, _ = predict("films", "--json")

    error = json.loads(out)["error"]
    assert (code, error["message"]) == (66, "no picture in films")
    assert error["hint"] == "there are films, such as films/left.mp4; this recognizer answers for pictures"


def test_nothing_found_is_exit_66(predict, folder) -> None:
    Path("empty").mkdir()

    for inputs in (["empty"], ["*.nothing"], ["nix.png"], ["nix.png", "nix2.png"]):
        code, out, _ = predict(*inputs, "--json")
        assert code == 66
        assert json.loads(out)["ok"] is False
    code, out, err = predict("empty")
    assert (code, out) == (66, "")
    assert "no picture in empty" in err
    code, out, _ = predict("empty", "--json")
    assert json.loads(out)["error"]["code"] == "not_found"


def test_missing_model_is_exit_66(predict) -> None:
    code, out, _ = predict("in", "--json", model="nix.foveal")

    assert code == 66
    assert json.loads(out)["error"]["path"] == "nix.foveal"


def test_two_styles_exclude_each_other(predict) -> None:
    code, out, _ = predict("in", "--json", "--csv")

    assert code == 2
    assert json.loads(out)["error"]["message"] == "--json, --jsonl and --csv exclude each other"


def test_tampered_bundle_is_exit_65_and_nothing_is_predicted(predict, bundle) -> None:
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    Path("bad.foveal").write_bytes(content)

    code, out, _ = predict("in", "--json", model="bad.foveal")

    assert code == 65
    assert json.loads(out)["error"]["code"] == "tampered"
    assert json.loads(out)["error"]["path"] == "bad.foveal"


class Bomb:
    """Creates a file when it is unpickled."""

    def __reduce__(self):
        return Path.touch, (Path("exploded"),)


@pytest.mark.parametrize("kind", ["pickle", "torch zip"])
def test_a_checkpoint_given_as_model_is_never_unpickled(predict, kind) -> None:
    content = pickle.dumps(Bomb())
    if kind == "torch zip":
        with zipfile.ZipFile("model.pt", "w") as archive:
            archive.writestr("model/data.pkl", content)
            archive.writestr("model/version", "3\n")
    else:
        Path("model.pt").write_bytes(content)

    code, out, _ = predict("in/red.png", "--json", model="model.pt")

    error = json.loads(out)["error"]
    assert code == 65
    assert error["code"] == "not_a_bundle"
    assert "pickled Python object" in error["message"]
    assert "foveal train" in error["hint"]
    assert not Path("exploded").exists()
    pickle.loads(content)
    assert Path("exploded").exists(), "the bomb is a real one"


def test_answers_arrive_while_others_are_still_to_come(bundle, folder) -> None:
    command = [*FOVEAL, "predict", str(bundle), "-", "--jsonl", "--threads", "1"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    ) as process:
        process.stdin.write(b"in/red.png\nin/blue.png\nin/deep/green.png\n")
        process.stdin.flush()
        first = json.loads(process.stdout.readline())
        assert process.poll() is None
        process.stdin.close()
        rest = process.stdout.read()

    assert first["label"] == "red"
    assert [json.loads(line)["label"] for line in rest.splitlines()] == ["blue", "green"]
    assert process.returncode == 0


@pytest.mark.parametrize("style", ["--jsonl", "--csv", "--quiet"])
@pytest.mark.parametrize("threads", [[], ["--threads", "1"]])
def test_a_program_may_write_one_name_and_wait_for_its_answer(bundle, folder, style, threads) -> None:
    command = [*FOVEAL, "predict", str(bundle), "-", style, *threads]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        watchdog = threading.Timer(60, process.kill)  # what waits for ever fails instead of hanging
        watchdog.start()
        lines = iter(process.stdout.readline, b"")
        for name, color in (("in/red.png", "red"), ("in/deep/green.png", "green"), ("in/blue.png", "blue")):
            process.stdin.write(name.encode() + b"\n")
            process.stdin.flush()
            assert any(name.encode() in line and color.encode() in line for line in lines), name
            assert process.poll() is None
        process.stdin.close()
        assert process.wait() == 0
        watchdog.cancel()


def test_a_reader_that_goes_away_is_no_bug(bundle, folder) -> None:
    Path("many").mkdir()
    for number in range(400):
        Path(f"many/{number}.png").hardlink_to("in/red.png")
    command = [*FOVEAL, "predict", str(bundle), "many", "--jsonl"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder) as process:
        process.stdout.readline()
        process.stdout.close()
        talk = process.stderr.read()

    assert process.returncode == 141
    assert b"Traceback" not in talk


def test_a_list_on_a_stdin_that_is_closed_is_not_found(bundle: Path) -> None:
    script = "import sys; sys.stdin = None; from foveal.cli import main; main()"
    command = [sys.executable, "-c", script, "predict", str(bundle), "-", "--json"]

    done = subprocess.run(command, capture_output=True, check=False)

    assert done.returncode == 66
    assert "stdin is closed" in json.loads(done.stdout)["error"]["message"]


def test_a_folder_that_cannot_be_listed_is_reported_in_its_place_and_the_rest_goes_on(
    predict, unlistable
) -> None:
    Path("in", unlistable).mkdir()

    code, out, _ = predict("in", "--jsonl")

    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["source"] for line in lines if "error" in line] == ["in/bad.jpg", "in/locked"]
    assert sum("label" in line for line in lines) == 3
