"""The core runs a bundle with nothing of the training side installed and no network, and imports little."""

import json
import subprocess
import sys

import pytest
from PIL import Image

TRAINING_SIDE = [
    *("torch", "torchvision", "timm", "scipy", "sklearn", "matplotlib", "jinja2"),
    *("onnx", "onnxscript", "safetensors", "pandas", "ray", "openvino"),
]

# Runs the command line in a process where these packages cannot be imported and every socket is an error.
_BARE = f"""
import importlib.abc, socket, sys

class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {TRAINING_SIDE!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}} (blocked)", name=name)

def refuse(*_, **__):
    raise RuntimeError("the network was used")

sys.meta_path.insert(0, Absent())
socket.socket = socket.create_connection = socket.getaddrinfo = refuse
from foveal.cli import main
main()
"""


def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", _BARE, *arguments], capture_output=True, text=True, check=False
    )


def modules_after(code: str) -> set[str]:
    command = f"{code}\nimport sys\nprint('\\n'.join(sys.modules))"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in result.stdout.split()}


@pytest.fixture
def picture(tmp_path):
    Image.new("RGB", (40, 30), (220, 30, 30)).save(tmp_path / "red.jpg")
    return tmp_path / "red.jpg"


def test_predict_runs_without_the_training_side_and_without_network(bundle, picture) -> None:
    result = bare("predict", str(bundle), str(picture), "--json")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["predictions"][0]["label"] == "red"
    assert result.stderr == ""


def test_several_inputs_and_info_run_there_too(bundle, picture) -> None:
    assert bare("predict", str(bundle), str(picture.parent), str(picture), "--csv").stdout.count("red,") == 2
    assert json.loads(bare("info", str(bundle), "--json").stdout)["verified"] is True


def test_bench_runs_there_too(bundle) -> None:
    result = bare("bench", str(bundle), "--time", "200ms", "--threads", "1", "--json", "-q")

    assert json.loads(result.stdout)["chosen"]["engine"] == "onnxruntime", result.stderr
    assert result.stderr == ""


def test_check_and_evaluate_run_there_too(bundle, tmp_path) -> None:
    for name, color in (("red", (220, 30, 30)), ("green", (30, 220, 30)), ("blue", (30, 30, 220))):
        (tmp_path / name).mkdir()
        Image.new("RGB", (40, 30), color).save(tmp_path / name / "1.png")

    checked, evaluated = (
        bare("check", str(tmp_path), "--json"),
        bare("evaluate", str(bundle), str(tmp_path), "--json"),
    )

    assert json.loads(checked.stdout)["images"] == 3, checked.stderr + checked.stdout
    assert json.loads(evaluated.stdout)["metrics"]["accuracy"]["value"] == 1, evaluated.stderr


def test_maps_are_made_there_too_and_what_needs_the_network_says_so(bundle, picture, tmp_path) -> None:
    explained = bare(
        "explain", str(bundle), str(picture), "--method", "rise", "--out", str(tmp_path / "maps")
    )
    refused = bare("explain", str(bundle), str(picture), "--method", "grad_cam")

    assert explained.returncode == 0, explained.stderr
    assert len(list((tmp_path / "maps").glob("*.png"))) == 1
    assert refused.returncode == 2
    assert "a bundle holds no network: name its run folder" in refused.stderr


def test_the_block_is_real() -> None:
    assert (
        "blocked"
        in subprocess.run(
            [sys.executable, "-c", _BARE.replace("from foveal.cli import main", "import scipy")],
            capture_output=True,
            text=True,
            check=False,
        ).stderr
    )


def test_importing_foveal_loads_nothing_heavy() -> None:
    heavy = {"numpy", "PIL", "pydantic", "onnxruntime", "typer", "rich", *TRAINING_SIDE}

    assert not modules_after("import foveal") & heavy


def test_serving_loads_nothing_of_the_training_side() -> None:
    loaded = modules_after(
        "import foveal\nfoveal.load, foveal.Predictor\nimport foveal.cli.predict, foveal.cli.info"
        "\nimport foveal.flows.bench, foveal.flows.doctor, foveal.bundle.trial, foveal.bundle.footprint"
        "\nimport foveal.cli.serve, foveal.serve.supervisor, foveal.serve.exposition"
    )

    assert not loaded & set(TRAINING_SIDE)


def test_only_who_serves_waits_for_a_web_framework() -> None:
    loaded = modules_after("import foveal.cli.predict, foveal.cli.serve, foveal.bundle.predictor")

    assert not loaded & {"fastapi", "starlette", "uvicorn", "prometheus_client", "asyncio"}


def test_public_names_are_there_and_others_are_not() -> None:
    import foveal

    assert {"load", "Predictor", "data", "train", "evaluate", "export", "__version__"} <= set(dir(foveal))
    assert foveal.data.__name__ == "foveal.data"
    with pytest.raises(AttributeError, match="module 'foveal' has no attribute 'lod'"):
        foveal.lod  # noqa: B018
