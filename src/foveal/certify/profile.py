"""What a user demands of a recognizer: limits by the name of a statement, in a TOML file."""

import difflib
import hashlib
import json
import tomllib
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from foveal.certify.claim import Claim
from foveal.core.errors import NotFoundError, RecipeError, UnknownNameError

_SHIPPED = ("industrial", "physical", "digital")


Level = Annotated[float, Field(ge=1, le=255, multiple_of=1)]  # pictures hold whole levels
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(gt=0, lt=1)]


class Profile(BaseModel):
    """Limits that a certificate is judged by.

    Attributes:
        name: Stands on the certificate.
        limits: By name of a statement: the least, or the most, that is good enough. A statement without a
            limit is measured and judges nothing.
        radii: Distances that attacks are measured at in Linf, in whole grey levels from 1 to 255.
        l2_radii: The same in L2, in units of a full grey level range: 0.5 is that of the literature.
        certified_radii: Distances that bounds are tried at, in grey levels.
        smoothing_sigma: Deviation of the noise of smoothed answers, in units of the full grey level range.
        smoothing_radii: Distances that smoothed answers are proven at, in the same units.
        patch_share: Share of a picture's area that a patch or the stickers cover.
        alphas: Shares of prediction sets that may miss the truth.
        risks: Shares of errors among the answers that thresholds are looked for.
        recalls: Shares of a picture's objects that thresholds are to find, proven for each class.
        precisions: Shares of a picture's findings that are to be right, likewise.
        serving: Whether time and memory are measured, too: these numbers differ from run to run.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    name: str = Field(min_length=1)
    limits: dict[str, Annotated[float, Field(strict=True)]] = Field(default_factory=dict)
    radii: tuple[Level, ...] = (2.0, 4.0, 8.0)
    l2_radii: tuple[Positive, ...] = (0.5,)
    certified_radii: tuple[Positive, ...] = (1.0, 2.0, 8.0)
    smoothing_sigma: float = Field(default=0.25, gt=0, le=2)
    smoothing_radii: tuple[Positive, ...] = (0.25, 0.5)
    patch_share: float = Field(default=0.05, gt=0, le=0.25)
    alphas: tuple[Share, ...] = (0.1, 0.05, 0.01)
    risks: tuple[Share, ...] = (0.005, 0.01, 0.02)
    recalls: tuple[Share, ...] = (0.9,)
    precisions: tuple[Share, ...] = (0.9,)
    serving: Annotated[bool, Field(strict=True)] = False

    @field_validator(
        "radii", "l2_radii", "certified_radii", "smoothing_radii", "alphas", "risks", "recalls", "precisions"
    )
    @classmethod
    def _each_once(cls, values: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(values)) != len(values):
            raise ValueError("each value once")
        return values

    @property
    def digest(self) -> str:
        """Hash over all that it demands."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def shipped(name: str = "industrial") -> Profile:
    """Return a profile that comes with foveal; its limits are foveal's own choice, no standard's.

    Raises:
        UnknownNameError: There is none of that name.
    """
    if name not in _SHIPPED:
        raise UnknownNameError("profiles", name, _SHIPPED)
    text = resources.files("foveal.certify").joinpath("profiles", f"{name}.toml").read_text(encoding="utf-8")
    return _profile(tomllib.loads(text), name)


def read_profile(path: Path) -> Profile:
    """Return the profile in a TOML file.

    Raises:
        NotFoundError: No such file.
        RecipeError: Not TOML, an unknown key or a value outside its range.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(
            f"no profile at {path}", hint=f"a name works, too: {', '.join(_SHIPPED)}", path=path
        ) from None
    except OSError as error:
        raise RecipeError(f"cannot read {path}: {error.strerror}", path=path) from error
    except UnicodeDecodeError as error:
        raise RecipeError(f"{path} is not TOML: it is no text", path=path) from error
    try:
        return _profile({"name": path.stem, **tomllib.loads(text)}, str(path))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path} is not TOML: {error}", path=path) from error


def _profile(fields: Mapping[str, Any], where: str) -> Profile:
    for key in fields:
        if key not in Profile.model_fields:
            near = difflib.get_close_matches(key, Profile.model_fields, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"keys: {', '.join(Profile.model_fields)}"
            raise RecipeError(f"{where}: a profile has no {key!r}", hint=hint)
    try:
        return Profile(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "profile"
        raise RecipeError(f"{where}: {place}: {first['msg']}", hint="see docs/commands/certify.md") from error


def check_limits(profile: Profile, known: Mapping[str, Claim]) -> None:
    """Refuse a limit on something that is not measured, which would be taken for kept, or on no share.

    Args:
        profile: The limits.
        known: All that a certificate by this profile states, by name.

    Raises:
        RecipeError: An unknown name, with the nearest known one; or a limit on a share outside 0 to 1.
    """
    names = sorted(known)
    for key in profile.limits:
        if key not in names:
            near = difflib.get_close_matches(key, names, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(names)}"
            raise RecipeError(
                f"profile {profile.name}: nothing that is measured is called {key!r}", hint=hint
            )
        limit = profile.limits[key]
        if known[key].unit == "share" and not 0 <= limit <= 1:
            raise RecipeError(
                f"profile {profile.name}: {key} is a share from 0 to 1; got {limit:g}",
                hint=f"{key} = {limit / 100:g}" if 1 < limit <= 100 else None,
            )
        if limit < 0 and key != "overconfidence":  # which alone can lie below 0
            raise RecipeError(f"profile {profile.name}: {key} is never below 0; got {limit:g}")
