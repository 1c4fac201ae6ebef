"""The model card: what a person should know before relying on a bundle."""

from foveal.bundle.manifest import Draft
from foveal.core.text import visible

_SHOWN = 50  # class names


def model_card(draft: Draft) -> str:
    """Return the bundle's README.md. It states facts of the manifest; measured numbers are in report.json."""
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


def _answers(draft: Draft) -> list[str]:
    names = ["`" + visible(name).replace("`", "'") + "`" for name in draft.classes[:_SHOWN]]
    more = len(draft.classes) - len(names)
    size, channels = draft.preprocess.size, draft.preprocess.channels
    colors = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    return [
        f"- Classes: {', '.join(names)}{f' and {more} more' if more else ''}",
        f"- Input: {colors}, {size} × {size} pixels, uint8; the shorter side is scaled to {size}, the middle "
        "square is kept",
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
