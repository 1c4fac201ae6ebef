"""`foveal data make`: draw a data set, or a film, of which everything is known."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.core import catalog, extras
from foveal.core.errors import UsageError
from foveal.core.progress import Progress, silent
from foveal.core.task import Task
from foveal.data import synthetic
from foveal.data.suffixes import is_clip
from foveal.data.synthetic._dataset import dataset, tasks_of
from foveal.data.synthetic._scene import Synthetic
from foveal.data.synthetic._stacks import Stacks, stacks_dataset
from foveal.flows._made_film import write_film
from foveal.flows.data_convert import convert

SCHEMA = "foveal.data/1"
_FRAMES = 1500


@dataclass(frozen=True)
class Wishes:
    """How a scene is to be drawn.

    Attributes:
        pictures: How many, or how many frames; None: as many as it takes to learn from them, or 1500.
        size: Longer side in pixels; None: as the scene is usually drawn.
        task: Of a data set: `detect` and `instance` become COCO, `segment` class maps; None: detect.
        seed: Equal seeds give equal files.
    """

    pictures: int | None = None
    size: int | None = None
    task: str | None = None
    seed: int = 0


USUAL = Wishes()


def offered() -> list[dict[str, Any]]:
    """Return what can be drawn: rows `name about tasks film`."""
    scenes: dict[str, Synthetic | Stacks] = {
        name: catalog.find(synthetic, name) for name in catalog.names(synthetic)
    }
    return [
        {"name": name, "about": scene.about, "tasks": list(_tasks(scene)), "film": _has_film(scene)}
        for name, scene in scenes.items()
    ]


def _tasks(scene: Synthetic | Stacks) -> tuple[Task, ...]:
    return tasks_of(scene) if isinstance(scene, Synthetic) else ("classify",)


def _has_film(scene: Synthetic | Stacks) -> bool:
    return isinstance(scene, Synthetic) and scene.film is not None


def make(
    name: str, out: Path | None = None, wishes: Wishes = USUAL, *, progress: Progress = silent
) -> dict[str, Any]:
    """Draw a data set, or a film with what is known of it, and return the `foveal.data/1` document.

    Args:
        name: A file of `data/synthetic`.
        out: A folder, new or empty, or a film, beside which a `.json` of its name is written; None: the
            folder `data/<name>`.
        wishes: How it is to be drawn.
        progress: Told a few times a second.

    Raises:
        UnknownNameError: No such scene.
        UsageError: `other_task`: the scene says nothing for the task, or nothing moves in it.
        WriteError: Something is there already, or cannot be written.
        MissingExtraError: A film needs the extra `video`.
    """
    scene: Synthetic | Stacks = catalog.find(synthetic, name)
    name, out = catalog.written(name), out or Path("data") / name
    told = {"schema": SCHEMA, "ok": True, "action": "make", "name": name, "synthetic": True}
    told |= {"seed": wishes.seed, "out": str(out)}
    if isinstance(scene, Stacks):
        return {**told, **_made_stacks(name, scene, out, wishes, progress)}
    width, height = _sides(scene, wishes.size)
    if is_clip(out.name):
        if wishes.task is not None:
            raise UsageError("a film is no data set and has no task", hint="leave --task out")
        frames = wishes.pictures or _FRAMES
        made = write_film(name, out, frames=frames, size=(width, height), seed=wishes.seed, progress=progress)
    else:
        task = _task(name, tasks_of(scene), wishes.task)
        drawn = dataset(
            name, scene, wishes.pictures or scene.pictures, size=(width, height), task=task, seed=wishes.seed
        )
        made = convert(drawn, out, to="class_maps" if task == "segment" else "coco", progress=progress)
        made = {"task": task, **{key: made[key] for key in ("format", "images", "classes", "splits")}}
    return {**told, "width": width, "height": height, **made}


def _made_stacks(name: str, scene: Stacks, out: Path, wishes: Wishes, progress: Progress) -> dict[str, Any]:
    """Write class folders of TIFF files; raises as `make`."""
    if is_clip(out.name):
        raise UsageError(f"nothing moves in {name}: it is no film", code="other_task")
    extras.need("bands", what="a TIFF")
    task, side = _task(name, _tasks(scene), wishes.task), wishes.size or scene.side
    drawn = stacks_dataset(name, scene, wishes.pictures or scene.pictures, side=side, seed=wishes.seed)
    made = convert(drawn, out, to="image_folder", progress=progress)
    kept = {key: made[key] for key in ("format", "images", "classes", "splits")}
    return {"width": side, "height": side, "task": task, "bands": list(scene.bands), **kept}


def _sides(scene: Synthetic, size: int | None) -> tuple[int, int]:
    """Return width and height, both even: films have no odd ones."""
    share = 1.0 if size is None else size / max(scene.width, scene.height)
    return round(scene.width * share / 2) * 2, round(scene.height * share / 2) * 2


def _task(name: str, known: tuple[Task, ...], wanted: str | None) -> Task:
    if wanted is None:
        return known[0]
    if wanted not in known:
        raise UsageError(
            f"{name} is for {' and '.join(known)}; there is nothing for {wanted}", code="other_task"
        )
    [task] = [one for one in known if one == wanted]
    return task
