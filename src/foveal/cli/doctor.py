"""`foveal doctor`: is everything here that foveal needs, and does it work?"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foveal.cli._backend import RayAddress, where_of
from foveal.cli._frame import Json, Quiet, Verbose, emit
from foveal.core.text import visible
from foveal.core.units import show_bytes

if TYPE_CHECKING:
    from rich.console import Console


def doctor(
    quick: Annotated[
        bool, typer.Option("--quick", help="Import neither torch nor matplotlib: about a second.")
    ] = False,
    roofline: Annotated[
        bool, typer.Option("--roofline", help="Also measure what this machine can do at most: four seconds.")
    ] = False,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Also the machines that local or ray has.")
    ] = None,
    ray_address: RayAddress = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Show versions, processor, engines, torch build and extras; try them, and say how to mend the rest."""
    from foveal.flows.doctor import doctor as flow

    document = flow(quick=quick, peaks=roofline, where=where_of(backend, None, ray_address))
    emit(document, as_json=as_json, human=lambda console: _show(console, document))


def _show(console: "Console", found: dict[str, Any]) -> None:
    from rich.markup import escape

    troubled = {problem["part"] for problem in found["problems"]}
    for part, text in _lines(found):
        mark = "[yellow]mind[/yellow]" if part in troubled else "[green]ok[/green]  "
        console.print(f"{mark}  {part:<9}{escape(visible(text))}")
    for problem in found["problems"]:
        console.print(f"\n[yellow]mind[/yellow]  {escape(visible(problem['message']))}")
        console.print(f"  → {escape(visible(problem['hint']))}")
    if found["roofline"] is not None:
        from foveal.report import roofline_words

        console.print()
        for line in roofline_words.lines(found["roofline"]):
            console.print(f"roof  {escape(visible(line))}")
    if found["backend"] is not None:
        console.print()
        for node in found["backend"]["nodes"]:
            versions = ", ".join(f"{name} {version}" for name, version in node["versions"].items())
            console.print(
                f"node  {visible(node['name'])}: {node['cpus']:g} processors, {versions}", markup=False
            )
    if not found["problems"]:
        console.print("\nnothing is missing")


def _lines(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    python, own, cpu, memory, disk = (found[name] for name in ("python", "foveal", "cpu", "memory", "disk"))
    yield (
        "python",
        f"{python['implementation']} {python['version']}, {python['executable']}, {python['platform']}",
    )
    needs = ", ".join(f"{name} {version or 'missing'}" for name, version in own["needs"].items())
    yield "foveal", f"{own['version']} in {own['path']}; {needs}"
    quota = "" if cpu["cores_quota"] is None else f", quota {cpu['cores_quota']:g}"
    load = "" if cpu["load"] is None else f", load {cpu['load']:g}"
    features = ", ".join(cpu["features"]) or "features not known"
    yield (
        "cpu",
        f"{cpu['cpu']} ({features}), {cpu['cores_usable']} of {cpu['cores_present']} processors{quota}{load}",
    )
    yield (
        "memory",
        f"{_size(memory['available_bytes'])} available of {_size(memory['total_bytes'])}, "
        f"limit {_size(memory['limit_bytes'], 'none')}",
    )
    yield (
        "disk",
        f"{_size(disk['free_bytes'])} free in {disk['working_folder']}, "
        f"{_size(disk['temporary_free_bytes'])} in {disk['temporary_folder']}",
    )
    for engine in found["engines"]:
        yield "engines", _engine(engine, found["extras"])
    yield "torch", _torch(found["torch"])
    figures = found["figures"]
    font = f", font {figures['font']}" if figures["works"] else _untried(figures)
    yield "figures", f"matplotlib {figures['matplotlib']}{font}" if figures["installed"] else "not installed"
    for name, extra in found["extras"].items():
        yield "extras", f"{name} {'installed' if extra['installed'] else 'missing'}"
    text = found["text"]
    yield "text", f"stdout {text['stdout']}, file names {text['file_names']}, locale {text['locale']}"


def _engine(engine: dict[str, Any], extras: dict[str, Any]) -> str:
    name = engine["version"] or engine["name"]
    if engine["works"]:
        return (
            f"{name} in {', '.join(engine['precisions'])}, load and first run {engine['first_run_ms']:.3g} ms"
        )
    extra = extras.get(engine["name"])
    if extra is not None and engine["name"] in extra["missing"]:
        return f"{name} not installed: {extra['install']}"
    return f"{name} does not work"


def _torch(torch: dict[str, Any]) -> str:
    if not torch["installed"]:
        return "not installed"
    start = f"{torch['version']} ({torch['build'] or 'unknown'} build), torchvision {torch['torchvision']}"
    if not torch["works"]:
        return start + _untried(torch)
    return (
        f"{start}, {torch['threads']} threads, {torch['kernels']} kernels, mkldnn {_yes(torch['mkldnn'])}, "
        f"bf16 {_yes(torch['bf16'])}, CUDA device {_yes(torch['cuda_usable'])}"
    )


def _untried(part: dict[str, Any]) -> str:
    return " does not work" if part["tried"] else ", not tried (--quick)"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _size(value: int | None, otherwise: str = "unknown") -> str:
    return otherwise if value is None else show_bytes(value)
