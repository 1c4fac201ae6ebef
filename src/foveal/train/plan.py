"""The training plan: everything decided, so that no clock and no measurement decides anything later.

A run that was killed and resumed follows the same plan and therefore ends in the same weights.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from foveal.core import files
from foveal.train.fit_plan import FitPlan, digest_of

# Unknown to earlier versions: at their defaults they leave the digest, and so the checkpoints, alone.
_LATER = (
    "optimizer",
    "head_rate",
    "warm_up_share",
    "structure",
    "objective",
    "settings",
    "starts_from",
    "views",
    "unlabelled",
)


class Plan(BaseModel):
    """A complete training plan.

    Attributes:
        model: Name of the architecture in `models/`, or of a user's own builder.
        arguments: Its constructor arguments.
        images: Number of training images.
        steps: Optimizer steps.
        batch_size: Images per step.
        learning_rate: Peak of the schedule, for filters.
        weight_decay: Per unit of learning rate; of which layers, the optimizer decides.
        label_smoothing: Share of the target spread over all classes.
        ema_share: Time constant of the averaged weights as a share of the steps.
        augmentation: Names of files in `train/augment` with their strength, in order.
        precision: Inside convolutions and products: fp32, or bf16 with fp32 weights.
        optimizer: `muon` or `adam`; see `models.Settings`.
        head_rate: With `muon`: rate of the last layer as a multiple of that of the filters.
        warm_up_share: Share of the steps in which the rate rises.
        objective: Name of a file in `train/objectives`.
        settings: A value for each of its settings.
        structure: Digest of names and shapes of the network's state where a user's own builder makes it.
        starts_from: Digest of the weights that it starts from; None: they follow from the seed.
        views: Of a frozen backbone: how many views of each clip it has looked at; the first is the clip
            itself, `augmentation` makes the others.
        unlabelled: Pictures without labels of each step, beside its batch.
        seed: Of order, augmentation and initial weights.
        threads: Of torch; another number gives other last digits.
        step_seconds: What the warm-up measured; for the forecast only.
        reasons: Why each choice was made, for people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    model: str
    arguments: dict[str, Any]
    images: int = Field(ge=1)
    steps: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    weight_decay: float = Field(ge=0)
    label_smoothing: float = Field(ge=0, lt=1)
    ema_share: float = Field(gt=0, le=1)
    augmentation: dict[str, float]
    precision: Literal["fp32", "bf16"]
    optimizer: Literal["muon", "adam"] = "muon"
    head_rate: float = Field(default=2.5, gt=0)
    warm_up_share: float = Field(default=0.0, ge=0, lt=1)
    objective: str = "supervised"
    settings: dict[str, float] = {}
    structure: str | None = None
    starts_from: str | None = None
    views: int = Field(default=1, ge=1)
    unlabelled: int = Field(default=0, ge=0)
    seed: int
    threads: int = Field(ge=1)
    step_seconds: float = Field(ge=0)
    reasons: dict[str, str] = Field(default_factory=dict)

    @property
    def epochs(self) -> float:
        """Passes over the training images."""
        return self.steps * self.batch_size / self.images

    @property
    def digest(self) -> str:
        """Name of the plan: equal digests train the same weights."""
        return digest_of(self, apart={"step_seconds", "reasons"}, later=_LATER)


def write_plan(plan: Plan | FitPlan, path: Path) -> None:
    """Write `plan.json` atomically."""
    files.write_json(path, plan.model_dump())


def read_plan(path: Path) -> Plan | FitPlan | None:
    """Return the plan of a run, or None where the run ended before it had one.

    Raises:
        DataError: The file is damaged.
    """
    if not path.is_file():
        return None

    def plan(document: dict[str, Any]) -> Plan | FitPlan:
        return FitPlan(**document) if document.get("kind") in ("baseline", "head") else Plan(**document)

    return files.read_json(path, plan, hint="without it nothing can go on as it was begun; train anew")
