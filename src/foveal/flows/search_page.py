"""The pages of `foveal search`: what was found, and what is there nearly twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from foveal.core import files
from foveal.core.text import visible
from foveal.core.types import Measured
from foveal.core.wording import counted
from foveal.metrics.error_rates import ErrorRates
from foveal.report.search_page import Found, Group, error_chart, search_page
from foveal.search.file import IndexFile
from foveal.search.searcher import Match


def answer(
    index: Path, content: bytes | str, document: Mapping[str, Any], found: Sequence[Match], out: Path
) -> None:
    """Write a page of a query and the pictures that are most like it.

    Args:
        index: Where their small copies are.
        content: The picture file, or the text, that was asked with.
        document: The `foveal.search.query/1` document.
        found: What it is made of.
        out: The page.

    Raises:
        WriteError: It cannot be written.
        DataError: `index_damaged`.
    """
    with IndexFile.open(index) as opened:
        looks = opened.looks([match.id for match in found])
    results = [
        Found.of(match.sources[0], jpeg, match.score) for match, jpeg in zip(found, looks, strict=True)
    ]
    those = f"of {counted(document['pictures'], 'picture')} in {document['index']}."
    if isinstance(content, str):
        groups = [Group(f"Asked with “{visible(content)}”", results)]
        warnings = [f"{one[0].upper()}{one[1:]}." for one in document["warnings"]]
        told = " ".join([f"What fits the text best {those}", *warnings])
    else:
        asked = Group("Asked with", [Found.of(document["query"], content)])
        groups = [asked, Group("Most like it", results)]
        told = f"The most alike {those}"
    if document["recall"] is not None:
        share = Measured(**document["recall"])
        told = f"{told} Searched through a graph, which finds {share} of the ten best."
    files.write_text(out, search_page(index.stem, told, groups))


def copies(index: Path, near: Mapping[str, Any], out: Path) -> None:
    """Write a page of near copies.

    Args:
        index: Where their small copies are.
        near: What `search_index.duplicates` returned.
        out: The page.

    Raises:
        WriteError: It cannot be written.
        DataError: `index_damaged`.
    """
    with IndexFile.open(index) as opened:
        groups = [
            Group(
                f"Similarity {group['similarity']:.2f}",
                [
                    Found.of(source, jpeg)
                    for source, jpeg in zip(group["sources"], opened.looks(group["ids"]), strict=True)
                ],
            )
            for group in near["examples"]
        ]
    told = f"Near copies: {counted(near['pictures'], 'picture')} in {counted(near['groups'], 'group')}."
    files.write_text(out, search_page(index.stem, told, groups))


def curves(document: Mapping[str, Any], rates: Mapping[str, ErrorRates], out: Path) -> None:
    """Write a page of the error rates of each way of comparing faces.

    Args:
        document: The `foveal.search.faces/1` document.
        rates: By way.
        out: The page.

    Raises:
        WriteError: It cannot be written.
    """
    told = "; ".join(
        f"{name}: equal error rate {Measured(**way['equal_error_rate'])}"
        for name, way in document["ways"].items()
    )
    summary = f"{document['people']} people, each measured as one never seen. {told}."
    files.write_text(out, search_page(Path(document["data"]).name, summary, (), [error_chart(rates)]))
