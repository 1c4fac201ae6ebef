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
        attacked: Pictures that are attacked.
        steps: Of a white-box attack.
        targets: Classes that a targeted attack tries.
        queries: Of an attack that only asks.
        certified: Pictures that bounds, noise or masks certify; 0 leaves these out.
        noisy: Noisy copies of each picture for randomized smoothing.
        patched: Pictures that get a patch or stickers; 0 leaves these out.
        patch_steps: Of the patch.
        unknown: Pictures of each kind of unknown objects.
        invariant: Pictures that harmless changes are tried on.
        draws: Of a bootstrap.
    """

    name: str
    images: int
    corrupted: int
    severities: tuple[int, ...]
    attacked: int
    steps: int
    targets: int
    queries: int
    certified: int
    noisy: int
    patched: int
    patch_steps: int
    unknown: int
    invariant: int
    draws: int = 1000

    @property
    def may_pass_attacks(self) -> bool:
        """Whether an attack was strong enough here to say that a limit on it is kept."""
        return self.name != "smoke"


LEVELS = {
    "smoke": Level("smoke", 500, 100, (3,), 50, 10, 1, 50, 0, 0, 0, 0, 100, 50),
    "quick": Level("quick", 5_000, 200, (1, 3, 5), 500, 50, 3, 500, 50, 1_000, 200, 200, 500, 200),
    "full": Level("full", 10**9, 2_000, (1, 2, 3, 4, 5), 1_000, 100, 9, 5_000, 500, 10_000, 1_000, 1_000,
                  1_000, 1_000),
}  # fmt: skip


def level(name: str) -> Level:
    """Return the level of that name.

    Raises:
        UnknownNameError: There is none.
    """
    if name not in LEVELS:
        raise UnknownNameError("levels", name, LEVELS)
    return LEVELS[name]
