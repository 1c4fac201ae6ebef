"""The one loop: take a frame, answer it, tell it."""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from foveal.bundle.predictor import Predictor, Unreadable
from foveal.bundle.rolling import Rolling, WarmingUp
from foveal.bundle.tiled import Tiled
from foveal.core.errors import FovealError, ImageError, UnknownNameError, UsageError
from foveal.core.task import FOLLOWED_TASKS, SCENE_TASKS
from foveal.core.types import Label, Sighting
from foveal.core.wording import counted
from foveal.monitor.monitor import Monitor
from foveal.stream.capture import Capture, Frame
from foveal.stream.events import Event, Events, Sight
from foveal.stream.following import Following
from foveal.stream.outbox import Item, Outbox
from foveal.stream.pace import Pace
from foveal.stream.plan import Plan, check, kind_of, newest_wins, opened_sinks, shots, sink_of, source_of
from foveal.stream.shot import Incident, Picture, Running, Shot
from foveal.stream.shown import Shown
from foveal.stream.summary import Summary, told

_LOOK_S = 0.1  # how often somebody who waits for a picture looks whether to stop
_STATUS_S = 30.0


def run(
    predictor: Predictor,
    plan: Plan,
    *,
    tell: Callable[[Item], None],
    say: Callable[[str], None],
    stop: threading.Event,
) -> Summary:
    """Answer the pictures of a source until it ends, the time is over or `stop` is set.

    Args:
        predictor: The recognizer.
        plan: What is wanted.
        tell: Called for each answered frame, event and incident, in order, from this thread.
        say: Called with lines for people.
        stop: Set by whoever wants it to end; all that was begun is finished then.

    Returns:
        What it was like; also where sinks failed.

    Raises:
        FovealError: The source cannot be read at all, or was lost for good; sinks are finished then, too.
    """
    check(plan)
    unknown = [label for label in plan.watch if label not in predictor.classes]
    if unknown:
        raise UnknownNameError("the bundle", unknown[0], predictor.classes)
    if predictor.preprocess.clip is not None and kind_of(source_of(plan.source.place)) == "folder":
        raise UsageError(
            "a folder holds pictures, and this recognizer answers for films",
            code="other_task",
            hint="foveal predict answers for films in a folder",
        )
    _check_task(predictor.manifest.task, plan)
    monitor = Monitor(predictor.decision, seed=plan.seed) if plan.monitor else None
    told = replace(plan.sink_options, digest=predictor.digest, classes=predictor.classes)
    plan = replace(plan, sink_options=told)
    return _Stream(predictor, plan, monitor, tell=tell, say=say).until(stop)


def _check_task(task: str, plan: Plan) -> None:
    """Refuse what makes no sense for what the recognizer says.

    Raises:
        UsageError: `other_task`.
    """
    if task not in FOLLOWED_TASKS and plan.places:
        raise UsageError("--line and --zone count objects, and this recognizer finds none", code="other_task")
    if task not in SCENE_TASKS:
        return
    if plan.monitor:
        raise UsageError("--monitor is for recognizers that give pictures a class", code="other_task")
    if any(kind_of(sink_of(text)[0]) == "rejects" for text in plan.sinks):
        raise UsageError(
            "a sink of rejects keeps pictures whose class is declined; this recognizer gives none",
            code="other_task",
            hint="--sink jsonl:FILE keeps all answers, --sink video:FILE.mp4 shows them",
        )
    if task not in FOLLOWED_TASKS and plan.watch:
        raise UsageError("areas make no events that could be watched for", code="other_task")


class _Stream:
    def __init__(
        self,
        predictor: Predictor,
        plan: Plan,
        monitor: Monitor | None,
        *,
        tell: Callable[[Item], None],
        say: Callable[[str], None],
    ) -> None:
        self.predictor, self.plan, self.monitor = predictor, plan, monitor
        self.tell, self.say = tell, say
        self.running, self.summary = Running(), Summary()
        clip = predictor.preprocess.clip
        self.rolling = None if clip is None else Rolling(predictor)
        self.pace = None if clip is None else Pace(clip.spacing_s)
        films = kind_of(source_of(plan.source.place)) != "folder"
        follows = predictor.manifest.task in FOLLOWED_TASKS and films
        self.tiled = None if plan.tile is None else Tiled(predictor, plan.tile)
        self.following = Following(predictor, plan.places, self.tiled) if follows else None
        self.passed = 0  # frames since the last one that was told that were between two that are shown
        self.events = Events(plan.hold)  # of a recognizer that gives pictures a class
        seen = (plan.watch or predictor.classes) if predictor.manifest.task in FOLLOWED_TASKS else ()
        self.presence = {label: Events(plan.hold) for label in seen}  # of one that finds objects
        self.last_told = -1  # number of the frame that was told last
        self.fastest_s: float | None = None
        self.alarms = 0
        lossless = not newest_wins(plan)
        sinks = opened_sinks(plan.sinks, plan.sink_options)
        self.outboxes = [Outbox(sink, name, lossless=lossless, say=say) for name, sink in sinks]

    def until(self, stop: threading.Event) -> Summary:
        start = self.status = time.monotonic()
        over = None if self.plan.time_s is None else start + self.plan.time_s
        capture = Capture(
            shots(self.plan.source, self.running), newest_wins=newest_wins(self.plan), stop=self.running.stop
        )
        problem = None
        try:
            problem = self._loop(capture, stop, over=over)
            self._tell_end()
        finally:
            capture.close()
            self.summary.captured = capture.captured
            self.summary.dropped += capture.dropped
            self.summary.seconds = time.monotonic() - start
            self._finish()
            if problem is None or capture.captured:  # else the error says all
                for line in self.summary.words():
                    self.say(line)
        if problem is not None:
            raise problem
        return self.summary

    def _loop(self, capture: Capture, stop: threading.Event, *, over: float | None) -> FovealError | None:
        """Answer until there is an end; return what was wrong with the source, if that is why."""
        while not stop.is_set() and (over is None or time.monotonic() < over):
            try:
                frame = capture.take(_LOOK_S)
            except FovealError as error:
                return error
            self._tell_incidents()
            if frame is not None:
                self._take(frame)
            elif capture.ended:
                break
            self._say_status()
        return None

    def _take(self, frame: Frame) -> None:
        """Answer one frame and tell it, or count why not."""
        outcome = "dropped"  # where something from outside ends it half-way
        try:
            outcome = self._answer(frame)
        finally:
            setattr(self.summary, outcome, getattr(self.summary, outcome) + 1)

    def _answer(self, frame: Frame) -> str:
        """Return which count of the summary the frame belongs to."""
        limit, shot, begin = self.plan.max_latency_s, frame.shot, time.monotonic()
        if not self._is_shown(shot):
            self.passed += 1
            return "between"
        # The fastest answer so far, not a usual one: one slow answer must not make all later ones too late.
        if limit is not None and begin + (self.fastest_s or 0.0) - shot.captured > limit:
            return "too_old"
        picture, answer = self._seen(frame)
        now = time.monotonic()
        self.fastest_s = min(now - begin, self.fastest_s or math.inf)
        age_s = now - shot.captured
        if limit is not None and age_s > limit:
            return "too_old"
        dropped, self.passed = frame.index - self.last_told - 1 - self.passed, 0
        counted = None if self.following is None else self.following.read()
        one = Shown(frame.index, shot.time_s, age_s * 1000, dropped, answer, picture, shot.source, counted)
        self.tell(one)
        self.last_told = frame.index
        self.summary.ages.add(now, one.age_ms)
        if isinstance(answer, Unreadable):
            self.summary.unreadable += 1
        self._deliver(one)
        for event in self._changes(one):
            self._tell_event(event)
        return "frames"

    def _is_shown(self, shot: Shot) -> bool:
        """Return whether the recognizer is to see a frame; where a film breaks, forget what came before."""
        if self.pace is None or self.rolling is None:
            return True
        if self.pace.breaks(shot):
            self.rolling.reset()
        return self.pace.takes(shot)

    def _seen(self, frame: Frame) -> tuple[Picture | None, Label | Sighting | Unreadable | WarmingUp]:
        if self.following is not None and frame.shot.begins:
            self.following.cut(frame.shot.time_s)
        try:
            picture = frame.shot.look()
        except ImageError as error:
            return None, Unreadable(frame.shot.source or "", error)
        if self.predictor.manifest.task in SCENE_TASKS:
            return picture, self._found(picture, frame.shot)
        if self.rolling is not None:
            return picture, self._rolled(self.rolling, picture, frame.shot.source or "")
        watch = None if self.monitor is None else self.monitor.observe
        [answer] = self.predictor.predict_each([picture], workers=1, watch=watch)
        return picture, answer

    def _found(self, picture: Picture, shot: Shot) -> Sighting | Unreadable:
        if self.following is None:
            [seen] = (self.tiled or self.predictor).see_each([picture], workers=1)
            return seen
        try:
            return self.following.see(picture, shot.source or "", shot.time_s)
        except ImageError as error:
            return Unreadable(shot.source or "", error)

    def _rolled(self, rolling: Rolling, picture: Picture, source: str) -> Label | Unreadable | WarmingUp:
        try:
            answer, image = rolling.see(picture, source)
        except ImageError as error:
            return Unreadable(source, error)
        if self.monitor is not None and isinstance(answer, Label):
            self.monitor.observe(answer, image)
        return answer

    def _changes(self, one: Shown) -> list[Event]:
        """Return the states that began or ended with a frame: of the picture, or of objects of each class."""
        if self.predictor.manifest.task not in SCENE_TASKS:
            return self.events.see(self._sight(one))
        sure: dict[str, float] = {}
        for found in one.answer.objects if isinstance(one.answer, Sighting) else ():
            sure[found.label] = max(found.confidence, sure.get(found.label, 0.0))
        changes = []
        for label, events in self.presence.items():
            there = label if label in sure else None
            changes += events.see(Sight(one.frame, one.time_s, there, sure.get(label, 0.0)))
        return changes

    def _sight(self, one: Shown) -> Sight:
        answer, watched = one.answer, self.plan.watch
        if not isinstance(answer, Label) or one.refused or (watched and answer.label not in watched):
            return Sight(one.frame, one.time_s, None, 0.0)
        return Sight(one.frame, one.time_s, answer.label, answer.confidence)

    def _tell_event(self, event: Event) -> None:
        self.summary.events += 1
        self.tell(event)
        self._deliver(event)

    def _tell_incidents(self) -> None:
        while self.running.incidents:
            incident = self.running.incidents.popleft()
            if incident.what == "note":
                self.summary.notes.append(incident.message)
                self.say(incident.message)
            else:
                self._tell_incident(incident)

    def _tell_incident(self, incident: Incident) -> None:
        self.say(incident.message)
        self.tell(incident)
        self._deliver(incident)

    def _tell_alarms(self) -> None:
        alarms = [] if self.monitor is None else self.monitor.alarms()
        for alarm in alarms[self.alarms :]:
            self._tell_incident(Incident("drift", f"monitor: {alarm.message}"))
        self.alarms = len(alarms)

    def _deliver(self, item: Item) -> None:
        for outbox in self.outboxes:
            outbox.put(item)

    def _say_status(self) -> None:
        now = time.monotonic()
        if now - self.status < _STATUS_S:
            return
        self.status = now
        self._tell_alarms()
        spread = self.summary.ages.last_minute(now)
        late = "none in the last minute" if spread is None else f"last minute: age {told(spread)}"
        self.say(f"{counted(self.summary.frames, 'frame')} so far; {late}")

    def _tell_end(self) -> None:
        """Tell what was not told yet, and the end of the state that is there."""
        self._tell_incidents()
        for events in (self.events, *self.presence.values()):
            for event in events.end():
                self._tell_event(event)
        self._tell_alarms()

    def _finish(self) -> None:
        """Finish sinks and counts, also where nothing more can be told."""
        self.summary.sinks = [outbox.close() for outbox in self.outboxes]
        self.summary.damaged, self.summary.reconnects = self.running.damaged, self.running.reconnects
        self.summary.counted = None if self.following is None else self.following.read()
        self.summary.monitor = None if self.monitor is None else self.monitor.state()
