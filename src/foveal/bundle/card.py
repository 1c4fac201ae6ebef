"""The model card: what a person should know before relying on a bundle."""

from foveal.bundle.manifest import Draft
from foveal.core.text import visible
from foveal.tasks.classify.decode import Conformal, Decision
from foveal.tasks.defect.decode import DefectDecision
from foveal.tasks.detect.decode import AttributeDecision, ObjectDecision

_SHOWN = 50  # class names
_FRAMED = {
    "letterbox": "a picture keeps its shape, lies at the top left, and grey fills the rest",
    "whole": "both sides are scaled, and nothing is cut off",
    "shorter_side_center_crop": "the shorter side is scaled, the middle square is kept",
}


def model_card(draft: Draft) -> str:
    """Return the bundle's README.md. It states facts of the manifest; measured numbers are in report.json."""
    if not isinstance(draft.rule, Decision):
        return _card_of_scenes(draft)
    return "\n".join(
        [
            f"# {draft.model.name}: {len(draft.classes)} classes",
            "",
            "A recognizer of images, sealed by foveal. `foveal predict` runs it, `foveal info` checks it.",
            "",
            "## What it answers",
            "",
            *_answers(draft),
            "",
            "## How it decides",
            "",
            *_decision(draft),
            "",
            "## What it was made from",
            "",
            *_origin(draft),
            "",
            "## What it does not do",
            "",
            "It gives one of its classes to any picture, also to one that shows none of them: a low",
            "confidence or a large prediction set is the only sign. Its promises hold for pictures taken as",
            "the calibration pictures were; another camera, light or product calls for a new evaluation.",
            "",
        ]
    )


def _card_of_scenes(draft: Draft) -> str:
    rule = draft.rule
    height, width = draft.preprocess.sides
    if isinstance(rule, ObjectDecision):
        title, what = f"where {len(draft.classes)} classes are", "A detector"
        answers, decides = _objects(draft, rule)
    elif isinstance(rule, DefectDecision):
        title, what = "what is wrong where", "What looks for defects"
        answers, decides = _defects(draft, rule)
    else:
        title, what = f"which of {len(draft.classes)} classes each pixel is", "A segmenter"
        answers = "- Output: a class for each pixel"
        decides = ["- Each pixel gets the class that is most probable; nothing is declined"]
    return "\n".join(
        [
            f"# {draft.model.name}: {title}",
            "",
            f"{what}, sealed by foveal. `foveal predict` runs it, `foveal info` checks it.",
            "",
            "## What it answers",
            "",
            _classes(draft),
            f"- Input: {_colors(draft)}, {width} × {height} pixels, uint8; "
            f"{_FRAMED[draft.preprocess.resize]}",
            answers,
            "",
            "## How it decides",
            "",
            *decides,
            "",
            "## What it was made from",
            "",
            *_origin(draft),
            "",
            "## What it does not do",
            "",
            "It knows its classes and sees nothing else. What was measured holds for pictures taken as those",
            "it was measured on; another camera, light or product calls for a new evaluation.",
            "",
        ]
    )


def _defects(draft: Draft, rule: DefectDecision) -> tuple[str, list[str]]:
    """Return what is answered of defects, and how a place is shown."""
    answers = (
        "- Output: a score, larger is worse, and for each kind of defect a map of how strongly each place "
        f"shows it. `{visible(draft.classes[0])}` is what has none"
    )
    shown = [
        f"  - `{visible(name)}`: from {threshold:.4g}; good pictures reach {usual:.4g}"
        for name, threshold, usual in zip(
            draft.classes[1 : _SHOWN + 1], rule.thresholds, rule.usual, strict=False
        )
    ]
    return answers, [f"- A place is shown from a value on that {rule.n} calibration pictures gave:", *shown]


def _objects(draft: Draft, rule: ObjectDecision) -> tuple[str, list[str]]:
    """Return what a detector answers, and how it decides."""
    doubles = "no two answers of it mean the same object"
    if rule.overlap is not None:
        doubles = f"of two of a class that overlap by more than {rule.overlap:.0%} the surer one stays"
    limits = [
        f"  - `{visible(name)}`: from {threshold:.4f}"
        for name, threshold in zip(draft.classes[:_SHOWN], rule.thresholds, strict=False)
    ]
    answers = (
        f"- Output: {rule.objects} boxes, each with a class and a calibrated score, the surest first; "
        f"{doubles}"
    )
    best = f"- An answer is an object from the score on with the best F1 on {rule.n} calibration pictures:"
    return answers, [best, *limits, *map(_told, rule.attributes)]


def _told(one: AttributeDecision) -> str:
    """Return what is told of an object beside its class."""
    values = ", ".join(f"`{visible(value)}`" for value in one.values[:_SHOWN])
    return (
        f"- Of an object it tells `{visible(one.name)}`: {values}; `unknown` below a probability of "
        f"{one.threshold:.3f} ({one.n} calibration objects)"
    )


def _classes(draft: Draft) -> str:
    names = ["`" + visible(name).replace("`", "'") + "`" for name in draft.classes[:_SHOWN]]
    more = len(draft.classes) - len(names)
    return f"- Classes: {', '.join(names)}{f' and {more} more' if more else ''}"


def _colors(draft: Draft) -> str:
    channels = draft.preprocess.channels
    return {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")


def _answers(draft: Draft) -> list[str]:
    size = draft.preprocess.size
    return [
        _classes(draft),
        f"- Input: {_colors(draft)}, {size} × {size} pixels, uint8; the shorter side is scaled to {size}, "
        "the middle square is kept",
        "- Output: a calibrated probability for each class",
    ]


def _decision(draft: Draft) -> list[str]:
    from foveal.metrics.set_coverage import surely_covered  # only a sealing needs it

    abstain, conformal = draft.decision.abstain, draft.decision.conformal
    if abstain.threshold is None:
        answer = (
            f"- It never declines: {abstain.n} independent calibration images could not prove a risk of "
            f"{abstain.risk:g}"
        )
    else:
        answer = (
            f"- It declines below a confidence of {abstain.threshold:.4f}. Of the answers it gives, at most "
            f"{abstain.risk:.1%} are wrong, with {1 - abstain.delta:.0%} certainty "
            f"(proven on {abstain.n} independent calibration images)"
        )
    if conformal.quantile is None:
        few = f"{conformal.n} independent calibration images were too few"
        sets = f"- Its prediction sets hold every class: {few}"
    elif conformal.method == "mondrian":
        share, without = 1 - conformal.alpha, sum(one is None for one in conformal.quantiles)
        sets = (
            f"- Its prediction sets are made to hold the true class in {share:.0%} of the cases of "
            f"each class{_how_sure(conformal)} (Mondrian split conformal, n={conformal.n}"
            f"{f'; {without} of them with too few images are in every set' if without else ''})"
        )
    elif conformal.delta is not None:
        sets = (
            f"- Its prediction sets hold the true class in at least {1 - conformal.alpha:.0%} of cases"
            f"{_how_sure(conformal)} (split conformal, {conformal.method}, n={conformal.n})"
        )
    else:
        sets = (
            f"- Its prediction sets are made to hold the true class in {1 - conformal.alpha:.0%} of cases, "
            f"on average over calibrations; with 95% certainty this calibration does so in at least "
            f"{surely_covered(conformal.n, conformal.alpha):.1%} (split conformal, n={conformal.n})"
        )
    return [answer, sets, *_unknown(draft)]


def _unknown(draft: Draft) -> list[str]:
    rule = draft.decision.unknown
    if rule is None:
        return []
    if rule.threshold is None:
        return [f"- It takes nothing for unknown: {rule.n} independent calibration images were too few"]
    return [
        f"- It takes a picture for unknown where the score `{rule.score}` is above {rule.threshold:.5g}: of "
        f"known ones at most {rule.alpha:.0%}, on average over calibrations (split conformal, n={rule.n}); "
        "of unknown ones nothing is promised"
    ]


def _how_sure(conformal: Conformal) -> str:
    if conformal.delta is None:
        return ", on average over calibrations"
    return f", with {1 - conformal.delta:.0%} certainty"


def _origin(draft: Draft) -> list[str]:
    images, licenses = draft.data.images, draft.licenses
    return [
        f"- Images: {images.fit} to fit, {images.calib} to calibrate, {images.test} held out for the test",
        f"- Data fingerprint: `{draft.data.fingerprint}`, split seed {draft.data.split_seed}",
        f"- Network: {draft.model.name}, {draft.model.parameters} parameters, from {draft.model.source}",
        f"- Licences: code {licenses.code or 'not stated'}, weights {licenses.weights or 'not stated'}, "
        f"data {licenses.data or 'not stated'}",
        f"- Made by foveal {draft.foveal}",
    ]
