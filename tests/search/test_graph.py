"""Approximate search: scores are true, what is passed by is measured, and only what we wrote is read."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from foveal.bundle.embedder import unit
from foveal.core import extras, files
from foveal.core.errors import DataError, MissingExtraError, NotFoundError
from foveal.flows.search_approximate import approximate, check, measured
from foveal.search import graph_file
from foveal.search.exact import Plain
from foveal.search.file import Entry, IndexFile
from foveal.search.graph import Approximate, Graph
from foveal.search.searcher import Searcher

D = 7


def content_of(number: int) -> str:
    return hashlib.sha256(f"{number}".encode()).hexdigest()


def contents_of(count: int) -> tuple[str, ...]:
    return tuple(content_of(number) for number in range(count))


def drawn(count: int, dimensions: int, *, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((count, dimensions)) + 1
    return unit(vectors.astype(np.float32))


def linked(units: np.ndarray, contents: tuple[str, ...]) -> Graph:
    graph = Graph.empty(units)
    assert graph.follow(units, contents) == (0, len(units))
    return graph


def entries(numbers: range) -> list[Entry]:
    vectors = drawn(max(numbers) + 1, D)
    return [Entry(content_of(n), (f"{n}.jpg",), vectors[n], b"look") for n in numbers]


@pytest.fixture
def made(embedder, tmp_path) -> Path:
    path = tmp_path / "a.index"
    with IndexFile.create(path, embedder) as index:
        index.add(entries(range(400)))
    return path


def searcher(path: Path) -> Searcher:
    return Searcher.open(path, often=True)


def test_where_all_are_candidates_the_answer_is_the_exact_one() -> None:
    units, contents = drawn(300, D), contents_of(300)
    graph = linked(units, contents)

    for candidates, top in ((300, 10), (1000, 5), (1, 300)):
        search = Approximate(units, graph, graph.rows(contents), candidates=candidates)
        for query in units[:5]:
            found, truth = search(query, top=top), Plain(units)(query, top=top)
            assert found.rows.tolist() == truth.rows.tolist()
            assert found.scores.tolist() == truth.scores.tolist()


def test_scores_are_true_whatever_was_passed_by() -> None:
    units, contents = drawn(3000, 48), contents_of(3000)
    graph = linked(units, contents)
    search, passed_by = Approximate(units, graph, graph.rows(contents), candidates=1), 0

    for query in drawn(40, 48, seed=1):
        found, truth = search(query, top=10), Plain(units)(query, top=10)
        np.testing.assert_allclose(found.scores, units[found.rows].astype(np.float64) @ query, atol=1e-6)
        assert (found.scores[:-1] >= found.scores[1:]).all()
        assert (found.scores <= truth.scores).all()  # none can be better than the exact best
        assert len(set(found.rows.tolist())) == 10
        assert found.looked_at < 3000
        passed_by += len(set(truth.rows.tolist()) - set(found.rows.tolist()))
    assert passed_by > 0  # else this shows nothing


def test_the_recall_is_that_of_brute_force_with_each_left_out_itself() -> None:
    rng = np.random.default_rng(0)
    units, contents = unit(rng.standard_normal((2500, 96), dtype=np.float32)), contents_of(2500)
    graph = linked(units, contents)
    told = measured(units, graph, contents, candidates=1)
    search, hits = Approximate(units, graph, graph.rows(contents), candidates=1), 0

    for row in range(0, 2500, 5):
        scores = units.astype(np.float64) @ units[row]
        scores[row] = -2
        truth = set(np.argsort(-scores)[:10].tolist())
        hits += len(truth & set(search(units[row], top=11).rows.tolist()))

    assert told.n == 500
    assert told.method == "clopper-pearson"
    assert told.low <= hits / 5000 <= told.high
    assert 0.2 < told.value < 1  # neither all nor nothing: the law is tried where it can fail
    assert told.high - told.low > 3 * (told.value * (1 - told.value) / 500) ** 0.5  # of pictures, not tens


def test_equal_vectors_are_as_good_as_each_other() -> None:
    units, contents = np.repeat(drawn(20, D), 30, axis=0), contents_of(600)

    assert measured(units, linked(units, contents), contents).value == 1


def test_the_same_steps_make_the_same_file_and_it_is_read_as_it_was() -> None:
    units, contents = drawn(500, D), contents_of(500)
    first, second = linked(units, contents).to_bytes(), linked(units, contents).to_bytes()

    assert first == second
    assert Graph.from_bytes(first).to_bytes() == first


def test_a_graph_follows_what_comes_and_goes() -> None:
    units, contents = drawn(900, D), contents_of(900)
    graph = linked(units[:600], contents[:600])
    assert graph.rows(contents[:599]) is None
    assert graph.rows(contents[:601]) is None
    assert graph.rows(contents[1:601]) is None  # as many, but others

    graph = Graph.from_bytes(graph.to_bytes())
    assert graph.follow(units[300:], contents[300:]) == (300, 300)
    assert graph.follow(units[300:], contents[300:]) == (0, 0)
    graph = Graph.from_bytes(graph.to_bytes())
    there, rows = units[300:], graph.rows(contents[300:])
    search = Approximate(there, graph, rows, candidates=200)

    shared = [
        len(set(search(query, top=10).rows.tolist()) & set(Plain(there)(query, top=10).rows.tolist()))
        for query in units
    ]
    assert np.mean(shared) > 9.5  # keys of what is gone would point at other pictures
    assert graph.rows(contents) is None


def test_a_searcher_uses_the_graph_that_fits_and_says_so(made) -> None:
    assert searcher(made).told() == {"exact": True, "recall": None}
    document = approximate(made, True, least=400)

    found = searcher(made)

    assert document["graph"] == str(made) + ".usearch"
    assert document["size_bytes"] == graph_file.place(made).stat().st_size
    assert (document["added"], document["removed"], document["reason"]) == (400, 0, None)
    assert found.told() == {"exact": False, "recall": document["recall"]}
    assert document["recall"]["n"] == 400
    # A text is answered without the graph, whose recall was measured with pictures.
    assert found.told(by_picture=False) == {"exact": True, "recall": None}
    exact = Searcher.open(made, often=False)
    assert found.near_text(drawn(401, D)[400], top=5) == exact.near_features(drawn(401, D)[400], top=5)
    assert found.passed_over is None
    assert isinstance(found.search, Approximate)
    assert isinstance(Searcher.open(made, often=False).search, Plain)  # one question: it would not pay
    assert approximate(made, None)["recall"] == document["recall"]


def test_it_is_begun_where_it_pays_and_only_then(made) -> None:
    told = approximate(made, True)
    assert (told["graph"], told["recall"]) == (None, None)
    assert "exact search of 400 pictures takes milliseconds; one is made from 200,000 on" in told["reason"]
    assert approximate(made, None)["reason"] is None
    assert "--approximate" in approximate(made, None, least=400)["reason"]
    assert approximate(made, True, least=401)["graph"] is None
    assert [path.name for path in made.parent.iterdir()] == ["a.index"]


def test_a_stale_graph_is_not_used_and_the_next_call_brings_it_up_to_date(made) -> None:
    approximate(made, True, least=1)
    with IndexFile.open(made) as index:
        index.rename(lambda _: {content_of(399): ()})
        index.add(entries(range(400, 401)))  # the file gives it the number of the one that is gone
        ids = dict(zip(index.gallery().contents, index.gallery().ids, strict=True))
    assert ids[content_of(400)] == 400

    stale = searcher(made)
    assert stale.told()["exact"]
    assert "is of other pictures" in stale.passed_over
    with pytest.raises(DataError) as caught:
        Searcher.open(made, often=False, approximate=True)
    assert caught.value.code == "graph_stale"

    again = approximate(made, None)
    assert (again["added"], again["removed"]) == (1, 1)
    after = searcher(made)
    assert after.passed_over is None
    assert after.near_features(drawn(401, D)[400], top=1)[0].sources == ("400.jpg",)


def test_other_names_make_no_graph_stale(made) -> None:
    approximate(made, True, least=1)
    with IndexFile.open(made) as index:
        index.rename(lambda _: {content_of(3): ("new.jpg",)})

    assert searcher(made).told()["exact"] is False


@pytest.mark.parametrize("change", ["byte", "cut", "empty", "other", "lost"])
def test_what_is_not_what_was_written_is_never_read(made, change) -> None:
    approximate(made, True, least=1)
    path = graph_file.place(made)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    units = drawn(400, D, seed=5)
    new = {
        "byte": content,
        "cut": content[:-100],
        "empty": b"",
        "other": linked(units, contents_of(400)).to_bytes(),  # sound, of the same pictures, but not ours
    }
    path.unlink() if change == "lost" else path.write_bytes(new[change])

    found = searcher(made)
    assert found.told()["exact"]
    assert "the search is exact" in found.passed_over
    with pytest.raises((DataError, NotFoundError)) as caught:
        Searcher.open(made, often=False, approximate=True)
    assert caught.value.code == ("no_graph" if change == "lost" else "graph_damaged")

    assert approximate(made, None)["added"] == 400  # made anew
    assert searcher(made).told()["exact"] is False


def test_a_file_of_another_format_is_refused_with_a_word() -> None:
    graph = linked(drawn(50, D), contents_of(50))
    content = graph.to_bytes()
    for bad in (b"", b"foveal graph 9\n" + content, content[:60], content[:-200]):
        with pytest.raises(DataError) as caught:
            Graph.from_bytes(bad)
        assert caught.value.code == "graph_damaged"


def test_most_of_it_gone_it_is_made_anew(made) -> None:
    approximate(made, True, least=1)
    with IndexFile.open(made) as index:
        index.rename(lambda _: {content_of(number): () for number in range(250)})

    told = approximate(made, None)

    assert (told["added"], told["removed"]) == (150, 0)
    assert searcher(made).told()["exact"] is False


def test_it_can_be_taken_away(made) -> None:
    approximate(made, True, least=1)

    assert approximate(made, False)["graph"] is None

    assert searcher(made).told()["exact"]
    assert searcher(made).passed_over is None
    assert [path.name for path in made.parent.iterdir()] == ["a.index"]


WRITER = """
import sys
from pathlib import Path
from foveal.search.file import IndexFile
from foveal.search.graph import Graph
from foveal.search import graph_file
with IndexFile.open(Path(sys.argv[1])) as index:
    kept = graph_file.read(index)
    others = [kept, graph_file.Kept(Graph.from_bytes(kept.graph.to_bytes()), kept.recall)]
    others[1].graph.scale *= 2  # another file
    print("begun", flush=True)
    while True:
        for one in others:
            graph_file.write(index, one)
"""


def test_whatever_is_killed_there_is_a_whole_graph(made, kill_while_it_writes) -> None:
    approximate(made, True, least=1)
    seen = set()
    for moment in (0.0, 0.004, 0.013, 0.03, 0.08):
        kill_while_it_writes(WRITER, made, moment)

        found = searcher(made)
        assert (found.told()["exact"], found.passed_over) == (False, None)
        seen.add(hashlib.sha256(graph_file.place(made).read_bytes()).hexdigest())
    with IndexFile.open(made) as index:
        graph_file.write(index, graph_file.read(index))
    assert list(files.left_over(made.parent)) == []


def test_without_the_extra_it_is_refused_or_told(made, monkeypatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "foveal\[search\]"'):
        check(made, True)
    check(made, None)
    monkeypatch.undo()
    approximate(made, True, least=1)
    monkeypatch.setattr(extras, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError):
        check(made, None)  # it would get stale
    with pytest.raises(MissingExtraError):
        Searcher.open(made, often=False, approximate=True)
    assert 'pip install "foveal[search]"' in searcher(made).passed_over
    check(made, False)
    approximate(made, False)
    assert searcher(made).passed_over is None
