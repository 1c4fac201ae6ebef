"""One of several processes that train together, begun by a backend, and begun again where one was lost."""

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any

from foveal.core import files
from foveal.core.errors import WriteError
from foveal.core.progress import Progress, silent
from foveal.flows._run_folder import RECIPE
from foveal.flows.train import TrainResult, resume, train
from foveal.train.recipe import recipe_from

_LOOK_S = 0.3  # how often the progress of the first rank is looked for


def run(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Train as one rank; return the result as JSON knows it.

    Args:
        spec: `data`, `run`, `recipe`, `strict`, `force`, `threads`, `progress` (file), `resume` (whether the
            run was there before), `before` (see `mark`).
    """
    first = os.environ["RANK"] == "0"
    place, tell = Path(spec["run"]), Written(Path(spec["progress"])) if first else silent
    # The other ranks go on with whatever the first one tells them.
    if first and (spec["resume"] or mark(place) not in (None, spec["before"])):
        force = bool(spec["resume"] and spec["force"])
        return _as_json(resume(place, spec["data"], threads=spec["threads"], force=force, progress=tell))
    recipe = recipe_from(spec["recipe"])
    result = train(
        spec["data"], recipe=recipe, out=place, strict=spec["strict"], force=spec["force"], progress=tell
    )
    return _as_json(result)


def mark(run: Path) -> list[int] | None:
    """Return what tells the run that is in a folder from one that replaces it; None: there is none."""
    try:
        found = (run / RECIPE).stat()
    except OSError:
        return None
    return [found.st_ino, found.st_mtime_ns]


def _as_json(result: TrainResult) -> dict[str, Any]:
    return {
        "run": str(result.run),
        "bundle": None if result.bundle is None else str(result.bundle),
        "report": str(result.report),
        "document": result.document,
        "evaluation": result.evaluation,
    }


def result_of(told: Mapping[str, Any]) -> TrainResult:
    """Return the result that `run` told of."""
    bundle = None if told["bundle"] is None else Path(told["bundle"])
    return TrainResult(Path(told["run"]), bundle, Path(told["report"]), told["document"], told["evaluation"])


class Written:
    """Progress that another process reads from a file, wherever it is; where that fails, the work goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        """Append one line."""
        with suppress(WriteError):
            files.append(self._path, json.dumps([stage, done, total, note]) + "\n")


class Read:
    """Passes on what `Written` wrote, from a thread, until the block is left."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path, self._progress = path, progress
        self._over, self._place = Event(), 0
        self._thread = Thread(target=self._follow, name="foveal-progress", daemon=True)

    def __enter__(self) -> "Read":
        files.remove(self._path)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        with suppress(WriteError):
            files.remove(self._path)

    def _follow(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._pass_on()
        self._pass_on()

    def _pass_on(self) -> None:
        try:
            with self._path.open("rb") as file:
                file.seek(self._place)
                text = file.read()
        except OSError:  # not yet
            return
        whole = text[: text.rfind(b"\n") + 1]
        self._place += len(whole)
        for line in whole.splitlines():
            with suppress(ValueError):  # torn by a rank that was killed in the middle of it
                self._progress(*json.loads(line))
