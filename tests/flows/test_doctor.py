"""flows.doctor: what is here is told, what is wrong is a problem with a hint, and nothing is an error."""

import copy
import json
import subprocess
import sys

import pytest

import foveal
from foveal.core import extras
from foveal.core.errors import UnknownNameError, UsageError
from foveal.flows import doctor as doctors
from foveal.flows._problems import problems
from foveal.flows._where import Where
from foveal.flows.doctor import doctor


@pytest.fixture(scope="module")
def found():
    return doctor()


@pytest.fixture
def sound(found):
    """Return what is found on a machine where nothing is wrong."""
    sound = copy.deepcopy({key: value for key, value in found.items() if key != "problems"})
    sound["cpu"] |= {
        "load": 0.1,
        "cores_present": 2,
        "cores_usable": 2,
        "cores_quota": None,
        "governor": None,
    }
    sound["torch"] |= {"build": "cpu", "threads": 2}
    sound["text"] |= {"stdout": "utf-8", "file_names": "utf-8"}
    return sound


def test_the_document_says_what_the_contract_promises(found):
    assert (found["schema"], found["ok"]) == ("foveal.doctor/1", True)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["python"]["version"] == sys.version.split()[0]
    assert found["foveal"]["needs"]["numpy"]
    assert [(one["name"], one["works"], one["error"]) for one in found["engines"]] == [
        ("onnxruntime", True, None),
        ("openvino", True, None),
    ]
    assert found["engines"][0]["precisions"] == ["fp32"]
    assert found["engines"][1]["precisions"][0] == "fp32"
    assert found["extras"]["train"] == {
        "installed": True,
        "missing": [],
        "install": 'pip install "foveal[train]"',
    }
    assert found["cpu"]["cores_usable"] >= 1


def test_torch_and_figures_are_tried_for_real(found):
    import torch

    assert found["torch"]["works"] is True, found["torch"]["error"]
    assert found["torch"]["version"] == torch.__version__
    assert found["torch"]["mkldnn"] == torch.backends.mkldnn.is_available()
    assert (found["torch"]["build"] == "cuda") == (torch.version.cuda is not None)
    assert found["figures"]["works"] is True, found["figures"]["error"]
    assert found["figures"]["font"].endswith(".ttf")


def test_quick_imports_neither_and_says_so():
    code = (
        "import sys, json\nfrom foveal.flows.doctor import doctor\nfound = doctor(quick=True)\n"
        "print(json.dumps([found, sorted({'torch', 'matplotlib', 'jinja2'} & set(sys.modules))]))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    found, loaded = json.loads(told.stdout)
    assert loaded == []
    assert (found["torch"]["installed"], found["torch"]["tried"], found["torch"]["works"]) == (
        True,
        False,
        None,
    )
    assert found["torch"]["build"] in ("cpu", "cuda")
    assert found["figures"]["tried"] is False


def test_a_sound_machine_has_no_problem(sound):
    assert problems(sound) == []


def test_an_engine_that_is_not_installed_is_one_problem_and_says_how(sound):
    sound["engines"][1] |= {"works": False, "error": "the engine openvino needs it", "version": None}
    sound["extras"]["openvino"] |= {"installed": False, "missing": ["openvino"]}

    [problem] = problems(sound)

    assert (problem.code, problem.hint) == ("missing_extra", 'pip install "foveal[openvino]"')
    assert "OpenVINO, which is faster on some processors, is not tried" in problem.message


CHANGES = [
    (
        "engines",
        [{"name": "onnxruntime", "works": False, "error": "killed by signal 4"}],
        "engine_fails",
        "signal 4",
    ),
    (
        "extras",
        {"train": {"installed": False, "missing": ["torch"], "install": "pip X"}},
        "missing_extra",
        "torch",
    ),
    ("torch", {"works": False, "error": "no luck"}, "torch_fails", "no luck"),
    ("torch", {"build": "cuda", "cuda_usable": False}, "torch_cuda_build", "CUDA build"),
    ("torch", {"mkldnn": False}, "torch_slow", "mkldnn"),
    ("torch", {"threads": 64}, "torch_threads", "64 threads on 2 processors"),
    ("figures", {"works": False, "error": "no font"}, "figures_fail", "no font"),
    ("cpu", {"cores_quota": 0.5}, "restricted_cpu", "0.5 processors"),
    ("cpu", {"load": 7.0}, "busy_cpu", "load 7"),
    ("cpu", {"features": ["AVX"], "architecture": "x86_64"}, "old_cpu", "AVX2"),
    ("memory", {"available_bytes": 300_000_000}, "little_memory", "300 MB"),
    ("disk", {"writable": False}, "not_writable", "cannot be written"),
    ("disk", {"temporary_writable": False}, "not_writable", "cannot be written"),
    ("disk", {"temporary_free_bytes": 5_000_000}, "little_disk", "5 MB"),
    ("text", {"stdout": "ascii"}, "not_utf8", "ascii"),
]


@pytest.mark.parametrize(("part", "change", "code", "said"), CHANGES)
def test_each_problem_is_named_alone_and_has_a_hint(sound, part, change, code, said):
    sound["cpu"]["architecture"] = "x86_64"
    sound[part] = change if isinstance(change, list) or part == "extras" else {**sound[part], **change}

    [problem] = problems(sound)

    assert (problem.code, problem.part) == (code, part)
    assert said in problem.message
    assert problem.hint


def test_the_cuda_build_is_mended_by_one_exact_line(sound):
    sound["torch"] |= {"build": "cuda", "cuda_usable": False}

    [problem] = problems(sound)

    assert problem.hint == (
        "pip install --force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cpu"
    )


def test_of_each_extra_it_is_known_what_is_missed(sound):
    for extra in extras.EXTRAS:
        sound["extras"][extra] |= {"installed": False, "missing": ["it"]}

    told = [one for one in problems(sound) if one.code == "missing_extra"]

    assert [one.hint for one in told] == [f'pip install "foveal[{extra}]"' for extra in extras.EXTRAS]


def test_without_the_training_side_it_is_a_problem_and_no_error(monkeypatch):
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    monkeypatch.setattr(doctors, "find_spec", lambda name: None)

    found = doctor(quick=True)

    assert found["ok"] is True
    assert found["torch"]["installed"] is False
    assert "missing_extra" in {problem["code"] for problem in found["problems"]}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cuda: Optional[str] = None\n", "cpu"),
        ("cuda: Optional[str] = '13.0'\n", "cuda"),
        ("cuda = None\n", "cpu"),
        ("hip = None\n", None),
    ],
)
def test_the_build_is_read_from_torchs_own_file(text, expected, tmp_path):
    (tmp_path / "version.py").write_text(text)

    assert doctors._build(tmp_path / "version.py") == expected
    assert doctors._build(tmp_path / "none.py") is None


def test_a_backend_tells_its_machines() -> None:
    found = doctor(quick=True, where=Where("local", 1))["backend"]

    assert (found["name"], found["workers"]) == ("local", 1)
    assert [node["versions"]["foveal"] for node in found["nodes"]] == [foveal.__version__]
    with pytest.raises(UnknownNameError, match="backends has no 'slurm'"):
        doctor(quick=True, where=Where("slurm"))
    with pytest.raises(UsageError, match="the backend local has no address"):
        doctor(quick=True, where=Where("local", address="127.0.0.1:1"))
