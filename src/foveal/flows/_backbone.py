"""What a user names as a backbone: a run, a bundle, weights, or a model whose weights a package holds.

A run of `clip` makes vectors of texts, too.
"""

from pathlib import Path

from foveal import models
from foveal.bundle import archive
from foveal.bundle.embedder import Embedder
from foveal.core import catalog, files, runs
from foveal.core.errors import NotFoundError, UsageError
from foveal.data.dataset import Dataset
from foveal.export.embedding import embedder, embedder_in
from foveal.export.image_text import shared_space
from foveal.flows._clip_pictures import MODEL, open_model
from foveal.flows._origin import origin_of, transferred, with_model
from foveal.flows._transfer import preprocess_for
from foveal.models._head import head_of, without_head
from foveal.models.pretrained._fitting import fit_to
from foveal.tasks.image_text import TOKENIZER
from foveal.train.recipe import Recipe


def embedder_of(
    named: str, dataset: Dataset, *, model: str | None = None, size: int | None = None
) -> Embedder:
    """Return what a backbone makes of pictures.

    Args:
        named: A run folder of `train`, `pretrain` or `clip`, a `.foveal` file, a file or folder with
            weights, or the name of a model whose weights an installed package holds.
        dataset: Pictures that it will be shown: what the weights leave open follows from them.
        model: The architecture of bare weights; a run says its own.
        size: Side of the pictures in pixels; None: that of the weights, or what suits the pictures.

    Raises:
        NotFoundError: There is nothing of that name.
        MissingExtraError: The package with the weights is not installed.
        DataError: Weights or bundle cannot be read, or do not fit.
        UsageError: `no_features`: a bundle has none; `size_of_bundle`, `size_of_run`: another size than
            that of a bundle, or of a run of `clip`.
        BundleError: `parity`: a text encoder that is exported does not answer as the network does.
    """
    path = runs.find(named)
    if (path / MODEL / TOKENIZER).is_file():
        return _of_pictures_and_texts(path, model, size)
    if path.is_file() and path.suffix == archive.SUFFIX:
        return _of_bundle(path, size)
    recipe = with_model(_recipe(named, path, model).changed(size=size))
    weights = origin_of(recipe)
    if weights is None:
        raise AssertionError("a recipe with weights transfers")
    architecture = transferred(recipe.started, weights)
    preprocess = preprocess_for(dataset, recipe, weights)
    arguments = {"channels": preprocess.channels, "classes": 2, "size": preprocess.size, **weights.arguments}
    network = architecture.build(**arguments).eval()
    network.load_state_dict(fit_to(network, weights, apart=architecture.expansion))
    return embedder(
        without_head(network),
        preprocess,
        dimensions=head_of(network)[1].in_features,
        source=weights.source,
        licensed=weights.license,
    )


def _recipe(named: str, path: Path, model: str | None) -> Recipe:
    """Return the recipe that starts from what is named."""
    if files.is_there(path):
        return Recipe(weights=str(path)) if model is None else Recipe(weights=str(path), model=model)
    known = catalog.written(named)
    if not models.is_known(known):
        raise NotFoundError(
            f"there is no {named}, and no model of that name",
            hint="name a run, a .foveal file, weights, or a model: foveal models lists them",
            path=path,
        )
    if model is not None:
        raise UsageError(f"{named} is a model already", hint="leave --model out")
    return Recipe(transfer=True, model=known)


def _of_pictures_and_texts(path: Path, model: str | None, size: int | None) -> Embedder:
    if model is not None:
        raise UsageError(f"{path} says itself what its encoders are", hint="leave --model out")
    found = open_model(path)[1]
    own = found.preprocess.size
    if size not in (None, own):
        raise UsageError(
            f"{path} was trained on pictures of {own} pixels, not of {size}",
            code="size_of_run",
            hint="leave --size out",
        )
    return shared_space(found, source=f"{path.name}, trained on pictures with texts")


def _of_bundle(path: Path, size: int | None) -> Embedder:
    members = archive.read(path)
    own = members.manifest.preprocess.size
    if size not in (None, own):
        raise UsageError(
            f"{path.name} takes pictures of {own} pixels, not of {size}",
            code="size_of_bundle",
            hint="leave --size out",
        )
    return embedder_in(members, source=path.name)
