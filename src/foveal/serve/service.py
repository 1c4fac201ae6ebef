"""What the parts of one worker share."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from foveal.bundle.inputs import UInt8
from foveal.core.errors import BundleError
from foveal.core.types import Label, Sighting
from foveal.data.clip import still
from foveal.serve.board import Board, Seat, State
from foveal.serve.lane import Lane
from foveal.serve.log import log
from foveal.serve.metrics import Metrics, Plan
from foveal.serve.notes import Notes
from foveal.serve.problems import HttpError
from foveal.serve.rate import Rate
from foveal.serve.room import Room
from foveal.serve.served import Served
from foveal.serve.settings import Settings
from foveal.serve.tokens import Tokens

if TYPE_CHECKING:
    from foveal.serve.gate import Call
    from foveal.serve.searching import ServedIndex


@dataclass
class Service:
    """One worker: its models, its lane, its seat on the board.

    Attributes:
        given: The models; the first one is the default.
        settings: Limits.
        board: Of all workers.
        seat: Of this one.
        tokens: Whom to let in; None: everybody.
        rate: How much each of them may ask; None: as much as it likes.
        pipe: To the drift monitor; None: nobody listens.
        indexes: What can be searched; the first one is the default.
        models: The models by name.
        plan: Where the numbers of a worker are.
        metrics: Those of this worker.
        lane: Where pictures are decoded and computed.
        room: For the bodies of requests.
        notes: What the drift monitor is told; None: nothing.
        draining: Whether new predictions are refused because the server ends.
        in_flight: Requests that are not answered yet.
    """

    given: Sequence[Served]
    settings: Settings
    board: Board
    seat: Seat
    tokens: Tokens | None = None
    rate: Rate | None = None
    pipe: int | None = None
    indexes: "Sequence[ServedIndex]" = ()
    models: dict[str, Served] = field(init=False)
    plan: Plan = field(init=False)
    metrics: Metrics = field(init=False)
    lane: Lane = field(init=False)
    room: Room = field(init=False)
    notes: Notes | None = field(init=False)
    draining: bool = False
    in_flight: int = 0
    _turn: int = 0

    def __post_init__(self) -> None:
        """Make this worker's own parts."""
        self.models = {model.name: model for model in self.given}
        self.plan = plan(self.given)
        self.metrics = Metrics(self.plan, self.seat.numbers)
        self.lane = Lane(self.settings, self.metrics, verify=self._verify)
        self.room = Room(self.settings.body_memory)
        self.notes = None if self.pipe is None else Notes(self.pipe, self.metrics)

    def model(self, name: str | None) -> Served:
        """Return a model by name, or the default one.

        Raises:
            HttpError: `unknown_model`.
        """
        if name is None and self.models:
            return next(iter(self.models.values()))
        if name is None or name not in self.models:
            raise HttpError("unknown_model", "there is no such model here", hint="GET /v1/models lists them")
        return self.models[name]

    def check_ready(self) -> None:
        """Look at all workers.

        Raises:
            HttpError: `draining`, or `not_ready` with what is wrong.
        """
        self._check_open()
        complaints = list(self.board.complaints())
        if complaints:
            raise HttpError("not_ready", "; ".join(complaints), retry_after=1)

    def open_for_work(self, client: int) -> None:
        """Refuse a prediction where it cannot be made, before its body is read.

        Raises:
            HttpError: `draining`, `not_ready`, `overloaded`, `rate_limit`.
        """
        self._check_open()
        if not self.seat.get("golden"):
            what = "the model no longer computes what was measured at sealing"
            raise HttpError("not_ready", what, retry_after=1)
        self.lane.admit(1)  # once more when it is known how many: a body is not read in vain
        if self.rate is not None:
            self.rate.take(client)

    def note(self, model: Served, answers: Sequence[Label | Sighting], images: Sequence[UInt8]) -> None:
        """Count answers, and tell the monitor; in the lane's thread.

        Args:
            model: That gave them.
            answers: One for each picture.
            images: At model size, each uint8 (H, W, C), or a clip (T, S, S, C).
        """
        for told, image in zip(answers, images, strict=True):
            if isinstance(told, Sighting):
                for found in told.objects:
                    self.metrics.count("objects", model.name)
                    self.metrics.observe("confidence", found.confidence, model.name)
                continue
            self.metrics.observe("confidence", told.confidence, model.name)
            if told.abstain:
                self.metrics.count("abstained", model.name)
            if self.notes is not None:
                self.notes.take(model, told, still(image))

    def full(self) -> HttpError | None:
        """Return the refusal of a picture for which there is no room now; None where there may be."""
        if self.draining or not self.seat.get("golden"):  # which comes first
            return None
        try:
            self.lane.admit(1)
        except HttpError as problem:
            return problem
        return None

    def _check_open(self) -> None:
        if self.draining:
            raise HttpError("draining", "the server ends", retry_after=1, headers={"connection": "close"})

    def admit(self, authorization: Sequence[bytes]) -> int:
        """Look at a request's credentials and return the number of its token; 0 where none is needed.

        Raises:
            HttpError: `no_token`.
        """
        return 0 if self.tokens is None else self.tokens.check(authorization)

    def hold(self, call: "Call", length: int) -> None:
        """Find room for the body of a request, until it leaves.

        Args:
            call: The request.
            length: Of its body as far as it is known, bytes.

        Raises:
            HttpError: `overloaded`.
        """
        more = length - call.held
        if more > 0:
            self.room.take(more, held=call.held)
            call.held = length

    def enter(self) -> None:
        """A request has come."""
        self.in_flight += 1
        self.seat.set("in_flight", self.in_flight)

    def leave(self, call: "Call") -> None:
        """A request has been answered."""
        self.room.give(call.held)
        self.in_flight -= 1
        self.seat.set("in_flight", self.in_flight)
        seconds = time.monotonic() - call.started
        self.metrics.count("requests", call.model, call.outcome)
        self.metrics.observe("request_duration", seconds)
        if self.settings.log:
            model = self.models.get(call.model)
            digest = None if model is None else model.predictor.digest
            log(
                event="request",
                request_id=call.id,
                outcome=call.outcome,
                model=digest,
                ms=round(seconds * 1000, 3),
            )

    def _verify(self) -> None:
        """Note whether the models still compute what was measured at sealing."""
        try:
            self._turn += 1
            for model in self.models.values():
                model.predictor.verify(self._turn)
            self.seat.set("golden", 1)
        except BundleError as error:
            self.seat.set("golden", 0)
            log(event="golden_mismatch", worker=self.seat.number, error=error.message)

    def start(self) -> None:
        """Begin to answer; from the event loop."""
        self.lane.start()
        self.seat.beat()
        self.seat.set("state", State.READY)

    def stop(self) -> None:
        """End; from the event loop."""
        self.lane.stop()


def plan(models: Sequence[Served]) -> Plan:
    """Return where the numbers of these models are."""
    return Plan([model.name for model in models])
