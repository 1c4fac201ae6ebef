"""What the numbers of a certificate mean, for people who measure parts and not networks."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Gate = Mapping[str, Any]

ABOUT = {
    "C1": "How often is the answer right? An average hides the class that is recognized worst, so that "
    "one is told beside it.",
    "C2": "Is a stated confidence honest? Of all answers with a confidence of 90 %, nine in ten should be "
    "right. In the drawing, points below the dashed line are too sure of themselves.",
    "C3": "The recognizer may decline to answer. Below a confidence that was chosen on calibration "
    "pictures it does, so that of the answers that it gives at most a promised share is wrong.",
    "C4": "Instead of one class it can name a set of classes, made to hold the true one as often as "
    "promised. Small sets are useful, large ones are honest about doubt.",
    "C5": "Lenses get dusty, light changes, files are compressed. The same pictures were harmed on "
    "purpose, in several ways and strengths, and shown to the file.",
    "C6": "An adversary may change every grey level by a little, too little for people to see. Several "
    "attacks looked for the worst such picture, and what they found was shown to the file that "
    "ships. Robust numbers can be an illusion: where gradients vanish, an attack that follows them finds "
    "nothing. The signs would betray that.",
    "C7": "What holds against every change of that size, not only against those that an attack found.",
    "C8": "Somebody may stick something on the object. Patches and stickers were made for the purpose, "
    "turned, scaled and lit as a camera would see them.",
    "C9": "A recognizer knows its classes and nothing else. Pictures of none of them should be turned "
    "away instead of being given a name. In the table, AUROC is how often an unknown picture looks stranger "
    "than a known one, FPR at 95 TPR how many known ones go with 95 % of the unknown ones, AUPR how pure "
    "the strangest are, and OSCR how often a known one is named rightly and looks less strange.",
    "C10": "A test picture that was learned from is an examination with known questions: then no number "
    "here would mean anything.",
    "C11": "The file is made from a trained network. Does it still decide alike, for one picture and for "
    "many at once?",
    "C12": "Saving a picture again, moving or turning it by next to nothing changes nothing for a person. "
    "The answer should not change either, right or wrong.",
    "C13": "How long one answer takes on this machine. Times differ from run to run and from machine to "
    "machine.",
    "C14": "A good average can hide a camera, a light or a supplier with which it fails. The same numbers "
    "for each kind of picture that the table tells apart.",
}  # fmt: skip


def about(section: Mapping[str, Any]) -> str:
    """Return what a section asks, in one or two sentences; "" of a section that nothing is known about."""
    if "near_copies" in section["gates"]:
        return (
            "Pictures that were saved again, resized or cropped are the same pictures still; and a wrong "
            "label makes a right answer wrong. Look at these before believing the other numbers."
        )
    if "unnoticed_patch" in section["gates"]:
        return (
            "If copies of a picture, each masked in another place, are not named alike, something in one "
            "place decides: that is the alarm. No patch of that size turns what all copies of the clean "
            "picture agree on; patches made to take in all copies were tried on the rest. In service it "
            "costs an answer for each copy, and pictures without a patch raise it, too."
        )
    if "trigger_parts" in section["gates"]:
        return (
            "Somebody who can slip pictures into the training can plant a sign that decides alone. Parts of "
            "pictures were pasted onto others to see whether one names whatever it is on."
        )
    if "spectral_signatures" in section["gates"]:
        return (
            "A picture that was slipped into a class to plant a sign is not seen as the others there. "
            "Pictures that the network sees otherwise than their class were looked for."
        )
    if "strip" in section["gates"]:
        return (
            "A planted sign decides whatever else is in the picture. Others were laid over each to see "
            "whose answer nothing moves."
        )
    if "stream_agreement" in section["gates"]:
        return (
            "A stream shows the file one frame at a time and remembers what was made of the last ones. What "
            "this certificate says of films holds for streams as far as both answer alike."
        )
    if "order_gain" in section["gates"]:
        return (
            "Cameras and networks lose frames: then the one before stays on the screen. And what moves "
            "shows in the order of the frames alone. Where shuffled films are named as rightly as others, "
            "the answers rest on what single frames show, and no movement is recognized."
        )
    if said := _about_scenes(section["gates"]):
        return said
    return ABOUT.get(section["id"], "")


def _about_scenes(gates: Sequence[str]) -> str:
    """Return what a section asks that is about objects or areas alone; "" of any other."""
    if "worst_class_ap50" in gates:
        return (
            "Is what is there found, each thing once, and nothing else? Average precision looks at all "
            "scores: of a perfect detector it is 100 %. It hides the class that is found worst, so that one "
            "is told beside it."
        )
    if "worst_class_iou" in gates:
        return (
            "Do areas lie where they should? Their overlap (IoU) is what is right, over all that was found "
            "or is there. The mean hides the class whose area is found worst, so that one is told beside it."
        )
    if "worst_class_pq" in gates:
        return (
            "Is a picture divided as it should be, into objects that are counted and areas that are not? "
            "Panoptic quality is the share of parts that are found, times how well these overlap. The mean "
            "hides the class that is divided worst, so that one is told beside it."
        )
    if "score_error" in gates:
        return "Is a score honest? Of all findings with a score of 90 %, nine in ten should be there."
    if any(key.startswith("promised_recall") for key in gates):
        return (
            "What is shown depends on a threshold. These were chosen on calibration pictures so that of each "
            "class a promised share of a picture's objects is found, or of its findings is right, with a "
            "certainty that holds for all classes at once."
        )
    return ""


def meaning(gate: Gate) -> str:
    """Return what one measured number means in practice; "" where its name says it."""
    found = gate["value"]
    if found is None:
        return ""
    for start, says in _MEANS.items():
        if gate["id"] == start or (start.endswith("_") and gate["id"].startswith(start)):
            return says(gate, found["value"])
    return ""


def of_many(share: float) -> str:
    """Return a share as a count that people can picture.

    >>> of_many(0.8834), of_many(0.0031), of_many(0.0), of_many(1.0), of_many(0.99996)
    ('88 of 100', '3 of 1,000', 'none of 100', 'all of 100', 'nearly all')
    """
    if share in (0.0, 1.0):
        return "none of 100" if share == 0 else "all of 100"
    for many in (100, 1_000, 10_000):
        if 1 <= round(share * many) < many and (many > 100 or 0.02 <= share <= 0.98):
            return f"{round(share * many):,} of {many:,}"
    return "hardly any" if share < 0.5 else "nearly all"


def _answered(gate: Gate, share: float) -> str:
    return f"It answers {of_many(share)} such pictures and passes the others on to a person."


def _risk(gate: Gate, share: float) -> str:
    return f"Of the answers that it gave here, {of_many(share)} were wrong."


def _worst_class(gate: Gate, share: float) -> str:
    name = gate["details"]["worst"]
    return f"Of pictures of “{name}”, the class that is recognized worst, it names {of_many(share)} rightly."


def _over(gate: Gate, gap: float) -> str:
    points = abs(100 * gap)
    if round(points, 1) == 0:
        return "On average it is as sure of itself as it is right."
    way = "surer of itself than it is right" if gap > 0 else "less sure of itself than it is right"
    return f"On average it is {points:.1f} percentage points {way}."


_MEANS: dict[str, Callable[[Gate, float], str]] = {
    "accuracy": lambda gate, share: f"It names {of_many(share)} such pictures rightly.",
    "worst_class": _worst_class,
    "calibration_error": lambda gate, gap: (
        f"A stated confidence is off by {100 * gap:.1f} percentage points on average; of a perfect one "
        f"chance alone shows up to {100 * gate['details']['ece_null_p95']:.1f}."
    ),
    "overconfidence": _over,
    "selective_risk": _risk,
    "answered": _answered,
    "set_coverage": lambda gate, share: f"The set held the true class for {of_many(share)} such pictures.",
    "set_size": lambda gate, size: f"A set names {size:.2f} classes on average.",
    "corruption_accuracy": lambda gate, share: f"Of harmed pictures it names {of_many(share)} rightly.",
    "corruption_retention": lambda gate, share: (
        f"Of what it can on clean pictures, {100 * share:.0f} % is left on harmed ones."
    ),
    "worst_corruption": lambda gate, share: (
        f"Worst is {gate['note'] or 'one of them'}: then it names {of_many(share)} rightly."
    ),
    "robust_": lambda gate, share: (
        f"Within {gate['name'].rpartition(' within ')[2]}, {of_many(share)} pictures survive every attack."
    ),
    "benign_flips": lambda gate, share: f"A harmless change turns the answer for {of_many(share)} pictures.",
    "twin_agreement": lambda gate, share: (
        f"File and network agree on {of_many(share)} {gate['details'].get('unit', 'pictures')}."
    ),
    "worst_class_ap50": lambda gate, share: f"“{gate['details']['worst']}” is found worst.",
    "worst_class_iou": lambda gate, share: f"The area of “{gate['details']['worst']}” is found worst.",
    "worst_class_pq": lambda gate, share: f"“{gate['details']['worst']}” is divided worst.",
    "counting_mae": lambda gate, count: f"A count is off by {count:.2f} objects a picture, on average.",
    "score_error": lambda gate, gap: f"A score is off by {100 * gap:.1f} percentage points on average.",
    "promised_recall_": lambda gate, share: (
        f"At its threshold {of_many(share)} objects of “{gate['details']['worst']}” on a picture are found."
    ),
    "promised_precision_": lambda gate, share: (
        f"At its threshold {of_many(share)} findings of “{gate['details']['worst']}” on a picture are right."
    ),
    "stream_agreement": lambda gate, share: f"Whole and frame by frame {of_many(share)} are named alike.",
    "lost_frame_flips": lambda gate, share: f"One lost frame turns the answer for {of_many(share)} films.",
    "order_gain": lambda gate, gain: (
        f"Out of their order {of_many(gain)} films fewer are named rightly."
        if gain > 0
        else "Out of their order no fewer films are named rightly."
    ),
    "shared_pictures": lambda gate, share: (
        "No test picture is, byte for byte, one that was used before."
        if share == 0
        else "Some test pictures were used before."
    ),
    "trigger_parts": lambda gate, share: (
        "No part of a picture decides for others."
        if share == 0
        else f"Of the pictures, {of_many(share)} have a part that decides for others."
    ),
    "spectral_signatures": lambda gate, share: (
        "No picture lies outside its class."
        if share == 0
        else f"Of the pictures, {of_many(share)} lie outside their class: look at them."
    ),
    "activation_clusters": lambda gate, share: (
        "Of the classes that were judged, none falls into a large and a small part."
        if share == 0
        else f"Of the pictures, {of_many(share)} lie together apart from their class: look at them."
    ),
    "strip": lambda gate, share: (
        "No answer stays far surer under other pictures than those of pictures named alike."
        if share == 0
        else f"Of the pictures, {of_many(share)} keep their name whatever is laid over them: look at them."
    ),
    "unnoticed_patch": lambda gate, share: (
        f"No patch of that size, whatever it shows, turns more than {of_many(share)} right answers unnoticed."
        if share < 1
        else "Nothing is proven about patches."
    ),
    "alarmed_patch_success": lambda gate, share: f"Patches made against the alarm turned {of_many(share)}.",
    "false_patch_alarms": lambda gate, share: f"Without any patch {of_many(share)} raise the alarm.",
    "near_copies": lambda gate, share: (
        "No test picture looks like a learned one."
        if share == 0
        else f"Of the test pictures, {of_many(share)} look like one that was learned from."
    ),
    "label_suspects": lambda gate, share: (
        "No label is put in doubt." if share == 0 else f"Of the labels, {of_many(share)} should be looked at."
    ),
    "augrc": lambda gate, share: (
        f"At a threshold drawn at random, {of_many(share)} pictures would get a wrong answer."
    ),
    "attack_flags": lambda gate, share: (
        "None of the signs is there." if share == 0 else f"Signs that are there: {gate['note']}."
    ),
}  # fmt: skip
