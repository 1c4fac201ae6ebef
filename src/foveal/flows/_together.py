"""From finished runs to the one recognizer that `foveal export` ships: several members, or masks of one."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foveal.core import files, runs
from foveal.core.errors import DataError, UsageError
from foveal.flows._finished_run import data_of
from foveal.flows._prepare import SPLIT
from foveal.models import Builder
from foveal.tasks import recognizer as recognizers
from foveal.tasks.dropout_masks import dropout_masks
from foveal.tasks.ensemble import ensemble
from foveal.tasks.recognizer import Recognizer, weights_bytes

_HELD_OUT = ("calib", "test")


@dataclass(frozen=True)
class Together:
    """What answers beside the network of the run.

    Attributes:
        members: More finished runs, whose networks answer with it.
        dropout: Share of its last features that each mask leaves out; None: no masks.
        masks: How many, where there is dropout.
    """

    members: tuple[Path, ...] = ()
    dropout: float | None = None
    masks: int = 8

    def as_json(self) -> dict[str, Any]:
        """Return the entries of the document; of one network alone they say so."""
        masked = None if self.dropout is None else {"share": self.dropout, "masks": self.masks}
        return {"members": [str(member) for member in self.members], "dropout": masked}


def together(first: Recognizer, run: Path, asked: Together, *, builder: Builder | None) -> Recognizer:
    """Return the recognizer that ships: the run's own, or what it is a part of.

    Args:
        first: The network of the run.
        run: Its folder.
        asked: What answers beside it.
        builder: Builds the networks where they are of your own.

    Raises:
        NotFoundError: A member is no finished run.
        DataError: `other_split`: a member learned from pictures that another is calibrated on, or from other
            data; or its network cannot be read.
        UsageError: The members do not fit each other, two are the same network, or a network has no last
            layer whose inputs could be left out.
    """
    members, known = [first], {weights_bytes(first): run}
    for name in asked.members:
        member = runs.find(name)
        data_of(member, member, again="")  # it is finished; where its own data are does not matter
        _check_split(run, member)
        other = recognizers.load(member / "model", builder=builder)
        weights = weights_bytes(other)
        if weights in known:
            raise UsageError(
                f"{member} and {known[weights]} hold the same network: together they say what one says",
                code="same_network",
                hint="train members with different seeds, and one split_seed in their recipes",
                path=member,
            )
        known[weights] = member
        members.append(other)
    if asked.dropout is not None:
        share, masks = asked.dropout, asked.masks
        members = [dropout_masks(m, share=share, masks=masks, seed=i) for i, m in enumerate(members)]
    return ensemble(members) if len(members) > 1 else members[0]


def _check_split(run: Path, member: Path) -> None:
    """Refuse a member that held out other pictures than the first: nobody learned from those of the first."""
    ours, theirs = (_held_out(folder) for folder in (run, member))
    if ours != theirs:
        what = "other data" if ours[0] != theirs[0] else "another split of the data"
        raise DataError(
            f"{member} learned from {what} than {run}: what one is calibrated on, the other may have learned",
            code="other_split",
            hint="train members on the same data, with different seeds and one split_seed in their recipes",
            path=member,
        )


def _held_out(run: Path) -> tuple[str, list[list[str]]]:
    """Return the fingerprint of the data and the contents of calib and test."""

    def parsed(saved: Any) -> tuple[str, list[list[str]]]:
        return saved["fingerprint"], [sorted(content for _, content in saved[role]) for role in _HELD_OUT]

    return files.read_json(run / SPLIT, parsed, hint=f"{run} is damaged; train anew")
