"""What a `foveal.bench/1` document says, in sentences; see `report.words` for the evaluation."""

import math
from collections.abc import Mapping
from typing import Any

from foveal.bundle.timing import LEAST_FLOOR
from foveal.core.wording import counted

Document = Mapping[str, Any]


def called(row: Document) -> str:
    """Return a candidate's name.

    >>> called({"engine": "onnxruntime", "precision": "fp32", "threads": 2})
    'onnxruntime fp32 with 2 threads'
    """
    return f"{row['engine']} {row['precision']} with {counted(row['threads'], 'thread')}"


def skipped(found: Document) -> str:
    """Return what was not measured, and why.

    >>> error = {"message": "it does not live"}
    >>> skipped({"engine": "openvino", "precision": "bf16", "threads": 1, "batch": 8, "error": error})
    'openvino bf16 with 1 thread, batch 8: it does not live'
    >>> skipped({"engine": "openvino", "precision": None, "threads": None, "batch": None, "error": error})
    'openvino: it does not live'
    """
    tried = found["engine"] if found["threads"] is None else f"{called(found)}, batch {found['batch']}"
    return f"{tried}: {found['error']['message']}"


def choice(found: Document) -> str:
    """Return what to take for one size of batch, what is as fast, and by how much the next is slower."""
    said = (
        f"for {counted(found['batch'], 'picture')} a call: {called(found)}, {found['p50_ms']:.3g} ms, "
        f"{found['images_per_second']:,.0f} images/s"
    )
    if found["equally_fast"]:
        said += f"; no real difference to {', '.join(map(called, found['equally_fast']))}"
    margin = found["margin"]
    if margin is not None:
        said += f"; {called(found['next'])} takes {margin['value']:.0%} longer ({_interval(margin)})"
    return said


def noise(document: Document) -> str:
    """Return what the same candidate under two names differed by."""
    found = document["noise"]
    return (
        f"the same twice differed by up to {found['largest_share']:.1%} "
        f"({counted(found['rounds'], 'round')}): less is no real difference, nor is anything below "
        f"{math.expm1(LEAST_FLOOR):.0%}"
    )


def stages(document: Document) -> str | None:
    """Return where the time of one file goes, or None where no files were read."""
    found = document["stages"]
    if not found:
        return None
    parts = ", ".join(f"{stage['name']} {stage['value']:.3g} ms" for stage in found)
    return f"{parts} (medians, one thread, n={found[0]['n']:,})"


def postprocess(document: Document) -> str | None:
    """Return how long numpy takes with the graph's answers, or None where there is nothing left to do.

    >>> postprocess({"postprocess_ms": {"value": 0.0834, "n": 64}})
    '0.0834 ms beside the run, for boxes and classes in the pixels of the picture (median, one thread, n=64)'
    >>> postprocess({"postprocess_ms": None})
    """
    found = document["postprocess_ms"]
    if found is None:
        return None
    return (
        f"{found['value']:.3g} ms beside the run, for boxes and classes in the pixels of the picture "
        f"(median, one thread, n={found['n']:,})"
    )


def run_on(document: Document) -> str:
    """Return what pictures were run."""
    images = document["images"]
    if images["path"] is None:
        return counted(images["n"], "synthetic picture")
    return f"{counted(images['n'], 'picture')} of {images['path']}"


def _interval(margin: Document) -> str:
    if margin["low"] is None or margin["high"] is None:
        return f"too few rounds for an interval, n={margin['n']}"
    return f"95% interval {margin['low']:.0%} to {margin['high']:.0%}, n={counted(margin['n'], 'round')}"
