"""The line: a picture comes, is judged, is in the log for good, and then whoever waits for it is told.

Whatever happens, each picture gets one decision: what cannot be read, and what is not answered in time, goes
to a person. The order is the promise: nobody is told of a decision that a loss of power could take back.
"""

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foveal.bundle.inspecting import Inspected, inspect, unjudged
from foveal.bundle.predictor import Predictor
from foveal.core.errors import FovealError
from foveal.core.failpoints import reach
from foveal.core.types import Label, Sighting
from foveal.station.log import AuditLog
from foveal.station.part import Part, Parts
from foveal.station.reading import Reading, Tail
from foveal.station.record import Decision
from foveal.station.sender import Cursor, Sender, Signal
from foveal.station.summary import TOO_LATE, Summary
from foveal.station.taking import Given, Known
from foveal.stream.shot import Running
from foveal.tasks.judging import Inspection, Judgement

_COMMITS = 50  # that say how long the next one takes
_LEAVING_S = 3.0  # for somebody who still looks at a part; a decoder that hangs is left behind


@dataclass(frozen=True)
class Asked:
    """Who judges, and by what.

    Attributes:
        predictor: Looks at the pictures, from several threads.
        rule: Thresholds and limits.
        workers: How many threads look at pictures.
        max_latency_s: From when a picture is there to when whoever waits is told; None: there is no limit.
        lot: What the parts belong to.
    """

    predictor: Predictor
    rule: Inspection
    workers: int
    max_latency_s: float | None = None
    lot: str | None = None


class Line:
    """One run of a line.

    Attributes:
        summary: What it was like, up to now.
    """

    def __init__(
        self,
        asked: Asked,
        log: AuditLog,
        *,
        senders: Sequence[Sender] = (),
        tell: Callable[[dict[str, Any]], None] | None = None,
        say: Callable[[str], None],
    ) -> None:
        """Prepare it.

        Args:
            asked: Who judges.
            log: Where every decision is before anybody is told.
            senders: Told of each decision, in threads of their own.
            tell: Called with each signal, from the thread of `run`; also with those of the run before that it
                was not told of. None: nobody.
            say: Called with lines for people.
        """
        self.summary = Summary()
        self._asked, self._log, self._senders = asked, log, senders
        self._tell, self._say = tell, say
        self._parts, self._running = Parts(), Running()
        self._commits: deque[float] = deque(maxlen=_COMMITS)
        self._known: Known | None = None
        self._error: BaseException | None = None

    def run(
        self,
        source: Callable[[Running], Generator[Given]],
        *,
        stop: threading.Event,
        once: bool,
        time_s: float | None = None,
    ) -> Summary:
        """Judge the pictures of a source until it ends, the time is over or `stop` is set.

        Args:
            source: Begins to read.
            stop: Set by whoever wants it to end; pictures that were taken are decided then.
            once: Whether a picture that the log has, by name and content, is passed over.
            time_s: End after so long.

        Raises:
            WriteError: The log cannot be written: nobody is told of anything more.
            DataError: `log_broken`.
            FovealError: The source cannot be read, or was lost; what came before is decided.
        """
        begun = time.monotonic()
        cursor = None if self._tell is None else Cursor(self._log, "stdout")
        try:
            if cursor is not None:
                self._catch_up(cursor)
            if once:
                self._known = Known(self._decided())
            self._start(source, stop, over=None if time_s is None else begun + time_s)
            while (due := self._parts.due()) is not None:
                self._decide(*due, cursor)
        finally:
            self._running.stop.set()
            self._parts.stop()
            if cursor is not None:
                cursor.close()
            self.summary.seconds = time.monotonic() - begun
            self._say_incidents()
        if self._error is not None:
            raise self._error
        return self.summary

    def _start(
        self, source: Callable[[Running], Generator[Given]], stop: threading.Event, *, over: float | None
    ) -> None:
        for work in [self._look] * self._asked.workers:
            threading.Thread(target=work, name="foveal-look", daemon=True).start()
        threading.Thread(
            target=self._take, args=(source, stop, over), name="foveal-take", daemon=True
        ).start()
        threading.Thread(target=self._hear, args=(stop, over), name="foveal-hear", daemon=True).start()

    def _hear(self, stop: threading.Event, over: float | None) -> None:
        """Pass on that it is to end to a source that waits for pictures."""
        while not self._running.stop.is_set():
            self._say_incidents()
            if stop.wait(0.1) or (over is not None and time.monotonic() >= over):
                self._running.stop.set()

    def _say_incidents(self) -> None:
        while self._running.incidents:
            incident = self._running.incidents.popleft()
            self.summary.notes.append(incident.message)
            self._say(incident.message)

    def _decided(self) -> Generator[tuple[str, str | None]]:
        reading = Reading(self._log.folder)
        for record in reading.records():
            if record["what"] == "decision":
                yield record["source"], record["content"]
        if reading.broken is not None:
            raise reading.broken.error(self._log.folder)

    def _catch_up(self, cursor: Cursor) -> None:
        """Tell of what was logged by a run that ended before it could."""
        tail = Tail(self._log.folder, after=cursor.n)
        while (record := tail.next(committed=self._log.n)) is not None:
            self._signal(record, cursor)
            self.summary.told_again += 1
        tail.close()

    # --- threads

    def _take(
        self, source: Callable[[Running], Generator[Given]], stop: threading.Event, over: float | None
    ) -> None:
        """Take pictures in; those that wait for us only when somebody has begun with the one before."""
        ending = self._running.stop
        try:
            for given in source(self._running):
                if ending.is_set():
                    break
                if self._known is not None and not self._known.add(given):
                    self.summary.skipped += 1
                    continue
                self._parts.add(self._part(given))
                if given.captured is None and not self._parts.room(ending):
                    break
        except BaseException as error:  # raised again by `run`
            self._error = error
        finally:
            self._parts.end()

    def _part(self, given: Given) -> Part:
        begun = time.monotonic() if given.captured is None else given.captured
        limit = self._asked.max_latency_s
        part = Part(given, begun, None if limit is None else begun + limit - self._reserve(limit))
        if given.error is not None:
            part.answer, part.answered = _unread(given.source, given.error), time.monotonic()
        return part

    def _reserve(self, limit: float) -> float:
        """Return what of the time belongs to the log and to those who tell, in seconds."""
        usual = statistics.median(self._commits) if self._commits else 0.0
        return min(limit / 2, 2 * usual + 0.001)

    def _look(self) -> None:
        while (part := self._parts.take()) is not None:
            self._parts.answer(part, self._answer(part))

    def _answer(self, part: Part) -> Inspected:
        given = part.given
        assert given.picture is not None
        try:
            return inspect(self._asked.predictor, given.picture, given.source, rule=self._asked.rule)
        except FovealError as error:
            return _unread(given.source, error)
        except Exception as error:  # a bug of ours or of an engine: a person looks, the exit code tells
            internal = FovealError(f"{type(error).__name__}: {error}", code="internal")
            self.summary.internal = self.summary.internal or internal
            return _unread(given.source, internal)

    # --- the thread of `run`

    def _decide(self, parts: list[Part], late: list[Part], cursor: Cursor | None) -> None:
        if parts:
            begun = time.monotonic()
            records = self._log.append([self._decision(part) for part in parts])
            self._commits.append(time.monotonic() - begun)
            for sender in self._senders:
                sender.committed(self._log.n)
            for part, record in zip(parts, records, strict=True):
                part.n = record["n"]
                self._signal(record, cursor)
                now = time.monotonic()
                self.summary.add(record, now, now - part.begun, self._asked.max_latency_s)
        if late:  # for those who read the log: whoever was told what to do is not told something else
            self._log.append([self._decision(part, late_of=part.n) for part in late])
            self.summary.late_answers += len(late)

    def _signal(self, record: dict[str, Any], cursor: Cursor | None) -> None:
        if self._tell is None or cursor is None:
            return
        if record["what"] == "decision":
            self._tell(Signal(record).as_json())
            reach("line.told")
        cursor.to(record["n"])

    def _decision(self, part: Part, *, late_of: int | None = None) -> Decision:
        rule, answer = self._asked.rule, part.answer
        given_up = part.given_up and late_of is None
        judgement = Judgement("review", None, (TOO_LATE,)) if given_up or answer is None else answer.judgement
        return Decision(
            source=part.given.source,
            content=part.given.content,
            verdict=judgement.verdict,
            bundle=self._asked.predictor.digest,
            score=judgement.score,
            reasons=judgement.reasons,
            kinds=() if given_up or answer is None else kinds_of(answer.seen, rule.good),
            accept_below=rule.accept_below,
            reject_from=rule.reject_from,
            lot=self._asked.lot,
            late_of=late_of,
        )


def kinds_of(seen: Label | Sighting | None, good: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds of defects that were seen, the most of one first.

    Args:
        seen: What the recognizer says.
        good: Of a classifier, the classes that are none.
    """
    if isinstance(seen, Label):
        return () if seen.label in good else (seen.label,)
    if seen is None:
        return ()
    amounts: Mapping[str, float] = seen.counts if seen.with_objects else seen.areas or {}
    return tuple(sorted((kind for kind in amounts if amounts[kind] > 0), key=lambda kind: -amounts[kind]))


def _unread(source: str, error: FovealError) -> Inspected:
    return Inspected(source, unjudged(error), error=error)
