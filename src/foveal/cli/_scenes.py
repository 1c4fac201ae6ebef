"""What a person is told about a recognizer that says where something is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from foveal.cli._unseen import how_unseen
from foveal.core.text import visible
from foveal.core.wording import counted

_WIDTH = 12
_QUALITIES = (("", "pq"), (" counted", "pq_things"), (" areas", "pq_stuff"))


def line(console: Console, title: str, text: str, *, width: int = _WIDTH) -> None:
    """Print a title and what it is about; names are the user's, and no markup."""
    console.print(f"{title:<{width}}{visible(text)}", markup=False)


def show_scenes(console: Console, document: Mapping[str, Any], page: Path | None) -> None:
    """Print what was measured; `document` is `foveal.evaluate/1`."""
    ran = document["provenance"]
    rate = ran["images_per_second"]
    line(
        console,
        "measured",
        f"{document['bundle']} on {ran['engine']} in {ran['precision']}, {rate:,.1f} images/s",
    )
    how = how_unseen(document["split"], ran["unseen"])
    line(console, "on", f"{counted(document['images'], 'picture')} ({document['split']}; {how})")
    for title, text in rows(document["metrics"]):
        line(console, title, text)
    for one in document["unreadable"]:
        line(console, "unreadable", f"{one['source']}: {one['error']['message']}")
    if page is not None:
        line(console, "report", str(page))


def rows(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was measured as title and text, for people."""
    from foveal.report import words

    if "pq" in metrics:
        return _rows_of_both(metrics)
    if "image_auroc" in metrics:
        return _rows_of_defects(metrics)
    if "miou" in metrics:
        return _rows_of_areas(metrics)
    told = [
        ("mAP50", words.measured(metrics["map50"])),
        ("mAP", words.measured(metrics["map"])),
    ]
    if "mask_map50" in metrics:
        told.append(("outlines", f"mAP50 {words.measured(metrics['mask_map50'])}"))
    if metrics["f1"] is not None:
        told.append(("F1", f"{words.measured(metrics['f1'])} at the thresholds of the bundle"))
    told += [(row["class"], _of_class(row)) for row in metrics["per_class"]]
    told += [(row["attribute"], _of_attribute(row)) for row in metrics.get("attributes", ())]
    count, bias = metrics["counting_mae"], metrics["counting_bias"]
    told.append(
        (
            "counts",
            f"off by {count['value']:.2f} objects a picture in the mean ({count['low']:.2f} to "
            f"{count['high']:.2f}), {abs(bias['value']):.2f} too {'many' if bias['value'] > 0 else 'few'}",
        )
    )
    return told


def _rows_of_both(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    from foveal.report import words

    told = [(f"PQ{of}", words.measured(metrics[key])) for of, key in _QUALITIES if metrics[key] is not None]
    told.append(("outlines", f"mAP50 {words.measured(metrics['mask_map50'])}"))
    told.append(("mIoU", words.measured(metrics["miou"])))
    for row in metrics["per_class"]:
        said = "none on these pictures" if row["pq"] is None else f"PQ {words.measured(row['pq'])}"
        told.append((row["class"], said))
    return told


def _rows_of_areas(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    from foveal.report import words

    told = [
        ("mIoU", words.measured(metrics["miou"])),
        ("pixels", f"{words.measured(metrics['pixel_accuracy'])} have the right class"),
        ("edges", f"F {words.measured(metrics['boundary_f'])}"),
    ]
    for row in metrics["per_class"]:
        said = "none on these pictures" if row["iou"] is None else f"IoU {words.measured(row['iou'])}"
        told.append((row["class"], said))
    return told


def _rows_of_defects(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    from foveal.report import words

    told = []
    if metrics["image_auroc"] is not None:
        told.append(("AUROC", f"{words.measured(metrics['image_auroc'])}, of whole pictures"))
    if metrics["false_call_at_99_recall"] is not None:
        calls = words.measured(metrics["false_call_at_99_recall"])
        told.append(("false calls", f"{calls} of the good ones where 99% of the defective ones are called"))
    for title, key in (("mIoU", "miou"), ("good/defect", "binary_miou")):
        if metrics[key] is not None:
            told.append((title, words.measured(metrics[key])))
    for row in metrics["per_class"]:
        said = "none on these pictures"
        if row["shown"] is not None:
            said = f"{counted(row['images'], 'picture')}, places shown on {row['shown']['value']:.1%}"
        if row["iou"] is not None:
            said += f", IoU {words.measured(row['iou'])}"
        told.append((row["class"], said))
    return told


def _of_attribute(row: Mapping[str, Any]) -> str:
    """Return a sentence about what is told of objects beside their class."""
    from foveal.report import words

    if row["accuracy"] is None:
        return "none of the objects found says it"
    return (
        f"right of {words.measured(row['accuracy'])} of {counted(row['objects'], 'object')} that were found; "
        f"{row['told']['value']:.1%} are told"
    )


def _of_class(row: Mapping[str, Any]) -> str:
    """Return a sentence about one class."""
    if row["ap50"] is None:
        return "none on these pictures"
    text = f"{counted(row['objects'], 'object')}, AP50 {row['ap50']:.1%}"
    if row["precision"] is not None and row["recall"] is not None:
        right, found = row["precision"]["value"], row["recall"]["value"]
        text += f"; from {row['threshold']:.2f}: precision {right:.1%}, recall {found:.1%}"
    return f"{text}; counts off by {row['counting_mae']['value']:.2f}"
