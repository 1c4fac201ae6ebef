"""The small values that every part of foveal hands around; plain data, no torch, no pictures."""

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Measured:
    """A measured number with its 95 % interval.

    Attributes:
        value: The point estimate; a proportion is a fraction in [0, 1].
        low, high: The interval.
        n: How many images it rests on.
        method: How the interval was made: `clopper-pearson`, `bootstrap` …
    """

    value: float
    low: float
    high: float
    n: int
    method: str

    def as_json(self) -> dict[str, Any]:
        """Return the contract's object with the five keys."""
        return asdict(self)

    def __str__(self) -> str:
        """Write it for people, in percent."""
        return f"{self.value:.1%} (95 % interval {self.low:.1%} to {self.high:.1%}, n={self.n})"


Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Finding:
    """One thing `check` has to say about a data set.

    Attributes:
        code: Stable snake_case name.
        severity: `error` stops training, `warning` stops it under `--strict`.
        count: How many images or classes it is about.
        message: What is the matter.
        hint: What to do about it.
        examples: Up to ten sources or names.
    """

    code: str
    severity: Severity
    count: int
    message: str
    hint: str
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Gate:
    """A limit, what was measured against it, and the verdict."""

    id: str
    name: str
    verdict: Literal["pass", "fail", "insufficient", "not_asked"]
    value: float | None
    limit: float
    kind: str = "measured"


@dataclass(frozen=True)
class Label:
    """The prediction of a classifier for one image.

    Attributes:
        source: The file, or `#3` for the fourth array given.
        label: The most probable class.
        confidence: Its calibrated probability.
        abstain: Whether the recognizer declines to answer; None where too little calibration data
            was there to prove any threshold.
        set: The conformal prediction set, most probable first; never empty.
        scores: Calibrated probability of every class.
        unknown: Whether it shows nothing that is known; None where that is not measured.
        strangeness: What the graph says of how unknown it is, larger is more so; None where it says nothing.
            For a monitor: the number means nothing but beside others of the same file, so no JSON has it.
    """

    source: str
    label: str
    confidence: float
    abstain: bool | None
    set: tuple[str, ...]
    scores: dict[str, float] = field(repr=False)
    unknown: bool | None = None
    strangeness: float | None = field(default=None, repr=False)

    def as_json(self) -> dict[str, Any]:
        """Return the contract's prediction object."""
        return {
            "source": self.source,
            "label": self.label,
            "confidence": self.confidence,
            "abstain": self.abstain,
            "set": list(self.set),
            "scores": dict(self.scores),
            "unknown": self.unknown,
        }


@dataclass(frozen=True)
class Detection:
    """One object that was found on a picture.

    Attributes:
        label: Its class.
        confidence: Calibrated probability that there is such an object.
        box: Left, top, right and bottom in pixels of the picture that was given, upright.
        outline: What it covers, as COCO's run lengths `{"size": [height, width], "counts": […]}`; None: only
            its box is known.
        attributes: What else was found of it, such as its colour.
        track: In a film the number that it keeps from frame to frame, from 1 on; None: nobody follows it.
    """

    label: str
    confidence: float
    box: tuple[float, float, float, float]
    outline: dict[str, Any] | None = field(default=None, repr=False)
    attributes: dict[str, str] = field(default_factory=dict)
    track: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the contract's object; what is not known is left out."""
        found: dict[str, Any] = {"label": self.label, "confidence": self.confidence, "box": list(self.box)}
        if self.outline is not None:
            found["mask"] = self.outline
        if self.attributes:
            found["attributes"] = dict(self.attributes)
        if self.track is not None:
            found["track"] = self.track
        return found


@dataclass(frozen=True)
class Sighting:
    """What was found where on one picture.

    Attributes:
        source: The file, or `#3` for the fourth array given.
        width, height: Of the upright picture in pixels.
        objects: What was found, the most certain first; each at least as certain as its class has to be.
        areas: Of a segmentation, which share of the picture each class covers, and of what looks for defects
            each kind; None: pixels have no classes.
        regions: The class of each pixel, uint8 (height, width), where pixels have classes; no JSON has it.
        with_objects: Whether objects were looked for at all.
        score: Of what looks for defects, how defective the picture is: larger is worse, in a unit of the
            recognizer's own; None: nobody looked.
        heat: Of what looks for defects, how strongly each pixel shows one, float32 (height, width): 0 as good
            pictures do, 1 as strong as has to be to be shown; no JSON has it.
    """

    source: str
    width: int
    height: int
    objects: tuple[Detection, ...] = ()
    areas: dict[str, float] | None = None
    regions: Any = field(default=None, repr=False, compare=False)
    with_objects: bool = True
    score: float | None = None
    heat: Any = field(default=None, repr=False, compare=False)

    @property
    def counts(self) -> dict[str, int]:
        """How many objects of each class were found; classes without one are left out."""
        found: dict[str, int] = {}
        for one in self.objects:
            found[one.label] = found.get(one.label, 0) + 1
        return found

    def as_json(self) -> dict[str, Any]:
        """Return the contract's prediction object."""
        told: dict[str, Any] = {"source": self.source, "width": self.width, "height": self.height}
        if self.score is not None:
            told["score"] = self.score
        if self.areas is not None:
            told["areas"] = dict(self.areas)
        if self.with_objects:
            told |= {"objects": [one.as_json() for one in self.objects], "counts": self.counts}
        return told
