"""A run that is finished: where its data are, and its pictures with the roles that it gave them."""

from pathlib import Path

from foveal.core import files
from foveal.core.errors import NotFoundError
from foveal.core.progress import Progress
from foveal.flows._prepare import FINDINGS, SPLIT, Prepared, Wishes, decoders, prepare
from foveal.flows._run_folder import RECIPE, read_command
from foveal.flows._shown import carry
from foveal.tasks.recognizer import Recognizer
from foveal.train.recipe import read_recipe


def data_of(run: Path, data: str | Path | None, *, again: str) -> Path:
    """Return where the data of a finished run are.

    Args:
        run: The run folder.
        data: Where they are now; None: where the run found them.
        again: The line that names them, for people to whom it has to be said.

    Raises:
        NotFoundError: It is no finished run, or its data are not where they were.
    """
    needed = (RECIPE, SPLIT, FINDINGS, "model/structure.json", "model/weights.safetensors")
    missing = [name for name in needed if not files.is_there(run / name)]
    if missing:
        begun = RECIPE not in missing
        raise NotFoundError(
            f"{run} is no finished run: it has no {missing[0]}",
            hint=f"foveal train DATA --resume {run} finishes it"
            if begun
            else "RUN is a folder of foveal train",
            path=run,
        )
    if data is not None:
        return Path(data)
    remembered = read_command(run, run).data
    if remembered is None or not files.is_there(Path(remembered)):
        where = "does not say where its data are" if remembered is None else f"found its data at {remembered}"
        gone = "" if remembered is None else ", where nothing is now"
        raise NotFoundError(
            f"{run} {where}{gone}: calibrating needs the pictures",
            hint=again,
            path=remembered or run,
        )
    return Path(remembered)


def prepared_again(
    run: Path, data: Path, recognizer: Recognizer, folder: Path, *, threads: int, progress: Progress
) -> Prepared:
    """Return the run's data with the roles that the run gave them.

    Args:
        run: A finished run.
        data: Where its data are.
        recognizer: Says what its pictures are like.
        folder: Gets the split, the findings, the note of what the network was shown beside, and the pictures
            at that size; what is there already is reused.
        threads: For decoding.
        progress: Told about the pictures.

    Raises:
        DataError: The data are not those of the run.
    """
    for name in (SPLIT, FINDINGS):
        files.write_bytes(folder / name, (run / name).read_bytes())
    recipe = read_recipe(run / RECIPE)
    clip = recognizer.preprocess.clip
    like = recognizer.preprocess.model_copy(update={"decoder": decoders(clip)})
    frames = None if clip is None else clip.frames
    wishes = Wishes(like.size, recipe.seed, strict=False, threads=threads, like=like, frames=frames)
    prepared = prepare(recipe.opened(data), folder, wishes, progress=progress)
    carry(run, folder, prepared.split.fingerprint)
    return prepared
