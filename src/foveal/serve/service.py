"""What the parts of one worker share."""

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from foveal.serve.board import Board, Seat, State
from foveal.serve.lane import Lane
from foveal.serve.log import log
from foveal.serve.metrics import Metrics, Plan
from foveal.serve.problems import HttpError
from foveal.serve.served import Served
from foveal.serve.settings import Settings

if TYPE_CHECKING:
    from foveal.serve.gate import Call
    from foveal.serve.notes import Notes
    from foveal.serve.tokens import Tokens


class Service:
    """One worker: its models, its lane, its seat on the board.

    Attributes:
        models: By name, the first one is the default.
        settings: Limits.
        board, seat: Of all workers, and of this one.
        plan, metrics: Where numbers are, and this worker's.
        lane: Where pictures are decoded and computed.
        tokens: Whom to let in; None: everybody.
        notes: To the drift monitor; None: nobody listens.
        draining: Whether new predictions are refused because the server ends.
    """

    def __init__(
        self,
        models: Sequence[Served],
        settings: Settings,
        *,
        board: Board,
        seat: Seat,
        tokens: "Tokens | None" = None,
        notes: "Notes | None" = None,
    ) -> None:
        self.models: Mapping[str, Served] = {model.name: model for model in models}
        self.settings, self.board, self.seat = settings, board, seat
        self.plan = plan(models)
        self.metrics = Metrics(self.plan, seat.numbers)
        self.lane = Lane(settings, self.metrics)
        self.tokens, self.notes = tokens, notes
        self.draining = False
        self.in_flight = 0

    def model(self, name: str | None) -> Served:
        """Return a model by name, or the default one.

        Raises:
            HttpError: `unknown_model`.
        """
        if name is None:
            return next(iter(self.models.values()))
        if name not in self.models:
            raise HttpError("unknown_model", "there is no such model here", hint="GET /v1/models lists them")
        return self.models[name]

    def check_ready(self) -> None:
        """Look at all workers.

        Raises:
            HttpError: `draining`, or `not_ready` with what is wrong.
        """
        self.open_for_work()
        complaints = list(self.board.complaints())
        if complaints:
            raise HttpError("not_ready", "; ".join(complaints), retry_after=1)

    def open_for_work(self) -> None:
        """Refuse where the server ends.

        Raises:
            HttpError: `draining`.
        """
        if self.draining:
            raise HttpError("draining", "the server ends", retry_after=1, headers={"connection": "close"})

    def admit(self, authorization: Sequence[bytes]) -> None:
        """Look at a request's credentials.

        Raises:
            HttpError: `no_token`.
        """
        if self.tokens is not None:
            self.tokens.check(authorization)

    def enter(self) -> None:
        """A request has come."""
        self.in_flight += 1
        self.seat.set("in_flight", self.in_flight)

    def leave(self, call: "Call") -> None:
        """A request has been answered."""
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
