"""What a person may want to change about a machine or an installation, from what `foveal doctor` found."""

import codecs
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from foveal.core.units import show_bytes
from foveal.flows._machine import Machine, busy, restricted

Found = Mapping[str, Any]
_LITTLE_MEMORY = 1_000_000_000  # the training of small pictures takes half of it
_LITTLE_DISK = 1_000_000_000
_OF_X86 = "x86_64"
_WITHOUT = {
    "train": "nothing can be trained",
    "openvino": "OpenVINO, which is faster on some processors, is not tried",
    "ray": "work runs on this machine only",
    "bands": "no TIFF of bands is read",
    "video": "no video is read",
    "parquet": "no Parquet file is read or written",
    "mqtt": "nothing is sent to MQTT",
    "search": "every search is exact",
    "transformers": "no transformer of a local folder is trained",
}
CPU_TORCH = "pip install --force-reinstall torch torchvision --index-url https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True)
class Problem:
    """Something that a person may want to change.

    Attributes:
        code: Stable snake_case name.
        part: Key of the document that it is about.
        message: What is the matter.
        hint: What to do about it.
    """

    code: str
    part: str
    message: str
    hint: str


def problems(found: Found) -> list[Problem]:
    """Return all that is missing, broken or in the way.

    Args:
        found: The `foveal.doctor/1` document so far.
    """
    return [
        *_engines(found),
        *_extras(found),
        *_torch(found["torch"], found["cpu"]),
        *_figures(found["figures"]),
        *_processors(found["cpu"]),
        *_memory(found["memory"]),
        *_disk(found["disk"]),
        *_text(found["text"]),
    ]


def _engines(found: Found) -> Iterator[Problem]:
    for engine in found["engines"]:
        absent = engine["name"] in found["extras"].get(engine["name"], {"missing": ()})["missing"]
        if not engine["works"] and not absent:  # what is absent is a missing extra
            yield Problem(
                "engine_fails",
                "engines",
                f"the engine {engine['name']} does not work here: {engine['error']}",
                f"pip install --force-reinstall {engine['name']}; on an old processor, an older version",
            )


def _extras(found: Found) -> Iterator[Problem]:
    for name, extra in found["extras"].items():
        if not extra["installed"]:
            yield Problem(
                "missing_extra",
                "extras",
                f"the {name!r} extra is not installed (it lacks {', '.join(extra['missing'])}): "
                f"bundles run, but {_WITHOUT[name]}",
                extra["install"],
            )


def _torch(torch: Found, cpu: Found) -> Iterator[Problem]:
    if torch["works"] is False:
        yield Problem("torch_fails", "torch", f"torch cannot be used: {torch['error']}", CPU_TORCH)
        return
    if torch["build"] == "cuda" and not torch.get("cuda_usable"):
        unused = "no device for it was found" if torch["tried"] else "foveal works on the CPU"
        yield Problem(
            "torch_cuda_build",
            "torch",
            f"torch is the CUDA build, some gigabytes larger than needed: {unused}",
            CPU_TORCH,
        )
    if torch["tried"] and not torch["mkldnn"] and cpu["architecture"] == _OF_X86:
        yield Problem(
            "torch_slow", "torch", "this torch was built without mkldnn: it trains slowly", CPU_TORCH
        )
    if torch["tried"] and torch["threads"] > cpu["cores_usable"]:
        yield Problem(
            "torch_threads",
            "torch",
            f"torch would use {torch['threads']} threads on {cpu['cores_usable']} processors",
            f"export OMP_NUM_THREADS={cpu['cores_usable']}; foveal's own commands set it themselves",
        )


def _figures(figures: Found) -> Iterator[Problem]:
    if figures["works"] is False:
        yield Problem(
            "figures_fail",
            "figures",
            f"figures cannot be drawn: {figures['error']}",
            "pip install --force-reinstall matplotlib; a writable folder in MPLCONFIGDIR keeps its fonts",
        )


def _processors(cpu: Found) -> Iterator[Problem]:
    machine = Machine(**{**cpu, "features": tuple(cpu["features"])})
    for sentence in restricted(machine):
        yield Problem("restricted_cpu", "cpu", sentence, "measure where the recognizer will run")
    for sentence in busy(machine):
        yield Problem(
            "busy_cpu", "cpu", sentence, "train and measure when it is quiet: times will be longer now"
        )
    if machine.architecture == _OF_X86 and machine.features and "AVX2" not in machine.features:
        yield Problem(
            "old_cpu",
            "cpu",
            "the processor lacks AVX2: fast kernels are not used",
            "expect several times longer",
        )


def _memory(memory: Found) -> Iterator[Problem]:
    available = memory["available_bytes"]
    if available is not None and available < _LITTLE_MEMORY:
        yield Problem(
            "little_memory",
            "memory",
            f"only {show_bytes(available)} of memory are available",
            "end other programs, or raise the limit of the container",
        )


def _disk(disk: Found) -> Iterator[Problem]:
    for name, folder, writable in (
        ("", disk["working_folder"], disk["writable"]),
        ("temporary_", disk["temporary_folder"], disk["temporary_writable"]),
    ):
        free = disk[f"{name}free_bytes"]
        if not writable:
            hint = "set TMPDIR to a folder that can be written" if name else "give --out a folder elsewhere"
            yield Problem("not_writable", "disk", f"{folder} cannot be written", hint)
        elif free is not None and free < _LITTLE_DISK:
            hint = "free some space, or set TMPDIR elsewhere" if name else "free some space"
            yield Problem("little_disk", "disk", f"only {show_bytes(free)} are free in {folder}", hint)


def _text(text: Found) -> Iterator[Problem]:
    for part in ("stdout", "file_names"):
        if text[part] is not None and codecs.lookup(text[part]).name != "utf-8":
            yield Problem(
                "not_utf8",
                "text",
                f"{part.replace('_', ' ')} has the encoding {text[part]}: some letters are shown as escapes",
                "export PYTHONUTF8=1, or LANG=C.UTF-8",
            )
