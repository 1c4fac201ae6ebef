"""Asking a server of `foveal serve` from Python, with the types of `Predictor`.

Nothing but the standard library speaks HTTP here: no settings of proxies, of netrc or of the environment are
followed, and no redirection; what is sent goes to the address that was given.
"""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from foveal.bundle import inputs
from foveal.bundle.predictor import Unreadable
from foveal.core.errors import FovealError, ImageError, NotFoundError, UsageError
from foveal.core.types import Detection, Label, Sighting
from foveal.data.decode import LIMITS
from foveal.data.stacks import STACK_LIMITS, is_stacked
from foveal.serve.arrays import arrays
from foveal.serve.connection import Answer, Connection
from foveal.serve.refusal import error_of

Picture = str | Path | bytes
Told = Label | Sighting | Unreadable
_BINARY = "application/octet-stream"
_TOGETHER_BYTES = 8 * 2**20
_UNUSABLE = frozenset({413, 415, 422})  # of a single picture: it is refused, not the request


@dataclass(frozen=True)
class Model:
    """A recognizer that a server has.

    Attributes:
        name: What `model=` is given.
        digest: Of its bundle.
        classes: In the order of its outputs.
        task: What it is for: `classify`, `detect` …
    """

    name: str
    digest: str
    classes: tuple[str, ...]
    task: str = "classify"


class Client:
    """A connection that is kept open between questions. Not for several threads at once: give each its own.

    >>> with Client("http://127.0.0.1:8080") as client:  # doctest: +SKIP
    ...     [answer] = client.predict("a.jpg")
    """

    def __init__(
        self,
        url: str,
        *,
        model: str | None = None,
        token: str | None = None,
        timeout: float = 30.0,
        patience: float = 0.0,
        together: int = 32,
    ) -> None:
        """Connect to nothing yet.

        Args:
            url: As the server prints it, `http://127.0.0.1:8080`; a path in front of the server's own may
                follow, where a proxy asks for one.
            model: Which of its recognizers; None: the first.
            token: What the server was started with, where it needs one.
            timeout: Seconds that any one step may take: to connect, to send, to wait for more.
            patience: How long to wait, in seconds, for one more try where a server that is busy says when to
                come back; 0: never.
            together: Pictures in one request, at most; no more than the server's `--max-pictures`.

        Raises:
            UsageError: That is no such address, or no token.
        """
        self._connection = Connection(url, token=token, timeout=timeout)
        self._model, self._patience, self._together = model, patience, max(1, together)

    def predict(self, pictures: Picture | Iterable[Picture]) -> list[Told]:
        """Return one answer for each picture, in their order: a class, or what is where on it.

        One that cannot be used, here or there, becomes `Unreadable` and the rest goes on. Several go
        together.

        Args:
            pictures: One or several of: a path, the bytes of a picture file.

        Raises:
            TemporaryError: Nobody answers (`unreachable`), or the server is busy or stopping.
            UsageError: The token is missing or wrong, or something else is given.
            NotFoundError: The server has no such recognizer.
            FovealError: The server made a mistake; `code` says which.
        """
        listed = [pictures] if isinstance(pictures, str | Path | bytes) else list(pictures)
        answers: dict[int, Told] = {}

        def readable() -> Iterator[tuple[int, bytes]]:
            for index, item in enumerate(listed):
                try:
                    yield index, _content(item)
                except (ImageError, NotFoundError) as error:
                    answers[index] = Unreadable(inputs.source(item, index), error)

        for group in _groups(readable(), self._together):
            for (index, _), said in zip(group, self._predictions([c for _, c in group]), strict=True):
                answers[index] = _read(said, inputs.source(listed[index], index))
        return [answers[index] for index in range(len(listed))]

    def models(self) -> list[Model]:
        """Return the recognizers that the server has, the first first; errors as for `predict`."""
        document = self._asked("GET", "/v1/models").json()
        return [
            Model(one["name"], one["digest"], tuple(one["classes"]), one.get("task", "classify"))
            for one in document["models"]
        ]

    def ready(self) -> bool:
        """Return whether the server would answer now; False also where nobody is there."""
        try:
            return self._connection.ask("GET", "/v2/health/ready").status == 200
        except FovealError:
            return False

    def infer(self, images: NDArray[np.uint8]) -> dict[str, NDArray[Any]]:
        """Return the outputs of the graph for pictures at model size, through the Open Inference Protocol.

        Args:
            images: uint8 (N, height, width, channels), as `preprocess` returns them, N ≥ 1.

        Returns:
            `probabilities` and `logits`, float32 (N, K), and whatever else the recognizer answers, by name; a
            detector `boxes`, float32 (N, K, 4), `scores` and `labels`.

        Raises:
            UsageError: Another dtype or shape; else as for `predict`.
        """
        if images.dtype != np.uint8 or images.ndim != 4:
            raise UsageError(f"infer needs uint8 (N, H, W, C); got {images.dtype} {images.shape}")
        name = self._model or self.models()[0].name
        pixels = np.ascontiguousarray(images).tobytes()
        tensor = {
            "name": "images",
            "datatype": "UINT8",
            "shape": list(images.shape),
            "parameters": {"binary_data_size": len(pixels)},
        }
        question = {"parameters": {"binary_data_output": True}, "inputs": [tensor]}
        head = json.dumps(question).encode()
        answer = self._asked(
            "POST", f"/v2/models/{name}/infer", body=head + pixels, kind=_BINARY, head=len(head)
        )
        return arrays(answer.json(), answer.body[answer.head :])

    def close(self) -> None:
        """Close the connection; the next question opens another one."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _predictions(self, contents: list[bytes]) -> list[dict[str, Any] | ImageError]:
        query = {} if self._model is None else {"model": self._model}
        if len(contents) > 1:
            kind, body = _multipart(contents)
            answer = self._asked("POST", "/v1/predict", query=query, body=body, kind=kind)
        else:
            answer = self._answered("POST", "/v1/predict", query=query, body=contents[0], kind=_BINARY)
            if answer.status != 200:
                error = error_of(answer)
                if answer.status in _UNUSABLE and isinstance(error, ImageError):
                    return [error]
                raise error
        found: list[dict[str, Any] | ImageError] = answer.json()["predictions"]
        return found

    def _asked(self, method: str, path: str, **request: Any) -> Answer:
        answer = self._answered(method, path, **request)
        if answer.status != 200:
            raise error_of(answer)
        return answer

    def _answered(self, method: str, path: str, **request: Any) -> Answer:
        """Ask, and once more where the server says when to come back and there is patience for it."""
        answer = self._connection.ask(method, path, **request)
        wait = answer.retry_after
        if answer.status in (429, 503) and wait is not None and 0 < self._patience >= wait:
            time.sleep(wait)
            return self._connection.ask(method, path, **request)
        return answer


def _content(item: Picture) -> bytes:
    if isinstance(item, str | Path):
        item = inputs.content(Path(item))
    if not isinstance(item, bytes):
        raise UsageError(f"a picture is a path or the bytes of a file; got {type(item).__name__}")
    most = (STACK_LIMITS if is_stacked(item) else LIMITS).content_bytes
    if len(item) > most:
        raise ImageError(f"more than the {most} bytes allowed", code="too_many_bytes")
    return item


def _groups(waiting: Iterable[tuple[int, bytes]], most: int) -> Iterator[list[tuple[int, bytes]]]:
    group: list[tuple[int, bytes]] = []
    size = 0
    for index, content in waiting:
        if group and (len(group) == most or size + len(content) > _TOGETHER_BYTES):
            yield group
            group, size = [], 0
        group.append((index, content))
        size += len(content)
    if group:
        yield group


def _multipart(contents: list[bytes]) -> tuple[str, bytes]:
    """Return content type and body of a form with a field `image` for each picture."""
    boundary = uuid.uuid4().hex
    pieces = []
    for index, content in enumerate(contents):
        head = f'Content-Disposition: form-data; name="image"; filename="{index}"'
        head += "\r\nContent-Type: application/octet-stream"
        pieces.append(f"--{boundary}\r\n{head}\r\n\r\n".encode() + content + b"\r\n")
    return f"multipart/form-data; boundary={boundary}", b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _read(said: dict[str, Any] | ImageError, source: str) -> Told:
    if isinstance(said, ImageError):
        return Unreadable(source, said)
    if "error" in said:
        error = said["error"]
        return Unreadable(source, ImageError(error["message"], code=error["code"], hint=error.get("hint")))
    if "label" not in said:
        return _sighting(said, source)
    return Label(
        source=source,
        label=said["label"],
        confidence=said["confidence"],
        abstain=said["abstain"],
        set=tuple(said["set"]),
        scores=dict(said["scores"]),
        unknown=said.get("unknown"),
    )


def _sighting(said: dict[str, Any], source: str) -> Sighting:
    """Return what is where as a predictor tells it, without the class of each pixel, which is not sent."""
    objects = tuple(
        Detection(
            label=one["label"],
            confidence=one["confidence"],
            box=tuple(one["box"]),
            outline=one.get("mask"),
            attributes=dict(one.get("attributes", {})),
        )
        for one in said.get("objects", ())
    )
    areas, size = said.get("areas"), (said["width"], said["height"])
    with_objects = "objects" in said
    return Sighting(
        source,
        *size,
        objects,
        None if areas is None else dict(areas),
        with_objects=with_objects,
        score=said.get("score"),
    )
