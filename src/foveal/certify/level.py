"""How much a certificate measures: `smoke` tries it all out, `quick` decides, `full` leaves less open."""

from dataclasses import dataclass

from foveal.core.errors import UnknownNameError


@dataclass(frozen=True)
class Level:
    """How much is measured.

    Attributes:
        name: `smoke`, `quick` or `full`.
        images: Pictures whose answers are counted, at most.
        corrupted: Pictures that every corruption is laid over.
        severities: Of each corruption.
        attacked: Pictures that are attacked within the largest Linf distance, and within any with a limit.
        attacked_otherwise: Those of them that are attacked within every other distance.
        steps: Of a white-box attack.
        targets: Classes that a targeted attack tries.
        queries: Of an attack that only asks.
        certified: Pictures that bounds, noise or masks certify; 0 leaves these out.
        noisy: Noisy copies of each picture for randomized smoothing.
        patched: Pictures that get a patch or stickers; 0 leaves these out.
        patch_steps: Of the patch.
        patch_queries: Places that stickers are tried at.
        unknown: Pictures of each kind of unknown objects.
        learned: Pictures that the file learned from that are looked at, evenly spaced, at most.
        transplanted: Pictures whose parts are pasted onto others, and that others are laid over.
        invariant: Pictures that harmless changes are tried on.
        draws: Of a bootstrap.
    """

    name: str
    images: int
    corrupted: int
    severities: tuple[int, ...]
    attacked: int
    attacked_otherwise: int
    steps: int
    targets: int
    queries: int
    certified: int
    noisy: int
    patched: int
    patch_steps: int
    patch_queries: int
    unknown: int
    invariant: int
    draws: int = 1000
    learned: int = 5_000
    transplanted: int = 500

    @property
    def may_pass_attacks(self) -> bool:
        """Whether an attack was strong enough here to say that a limit on it is kept."""
        return self.name != "smoke"


LEVELS = {
    "smoke": Level(
        "smoke", images=500, corrupted=100, severities=(3,), attacked=50, attacked_otherwise=50, steps=10,
        targets=1, queries=50, certified=0, noisy=0, patched=0, patch_steps=0, patch_queries=0, unknown=100,
        invariant=100, draws=200, learned=1_000, transplanted=100,
    ),
    "quick": Level(
        "quick", images=5_000, corrupted=200, severities=(1, 3, 5), attacked=500, attacked_otherwise=200,
        steps=40, targets=3, queries=500, certified=50, noisy=1_000, patched=200, patch_steps=200,
        patch_queries=200, unknown=500, invariant=500,
    ),
    "full": Level(
        "full", images=10**9, corrupted=2_000, severities=(1, 2, 3, 4, 5), attacked=1_000,
        attacked_otherwise=1_000, steps=100, targets=9, queries=5_000, certified=500, noisy=10_000,
        patched=1_000, patch_steps=1_000, patch_queries=1_000, unknown=1_000, invariant=1_000, learned=20_000,
        transplanted=2_000,
    ),
}  # fmt: skip


def level(name: str) -> Level:
    """Return the level of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in LEVELS:
        raise UnknownNameError("levels", name, LEVELS)
    return LEVELS[name]
