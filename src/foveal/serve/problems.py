"""Every way in which a request is refused: a code, its HTTP status, and the body that says so (RFC 9457)."""

import json
from collections.abc import Mapping
from http import HTTPStatus

from foveal.core.errors import FovealError

MEDIA_TYPE = "application/problem+json"

# What is wrong with a picture, by the code of its `ImageError`: 422 but for these.
PICTURES = {
    **dict.fromkeys(
        (
            *("aspect_limit", "bad_image", "color_unsupported", "corrupt", "empty", "metadata_limit"),
            *("not_image", "scan_limit", "too_many_pixels", "truncated"),
        ),
        422,
    ),
    "format_not_allowed": 415,
    "too_many_bytes": 413,
}
# Why a text cannot be asked with, by the code of its `UsageError`.
TEXTS = {"no_text": 422, "bad_text": 422, "no_known_word": 422, "text_too_long": 413}
STATUS = {
    **PICTURES,
    **TEXTS,
    "bad_request": 400,
    "unknown_parameter": 400,
    "bad_json": 400,
    "bad_tensor": 400,
    "bad_multipart": 400,
    "too_many_pictures": 400,
    "host_not_allowed": 400,
    "no_token": 401,
    "cross_site": 403,
    "unknown_model": 404,
    "unknown_class": 404,
    "unknown_index": 404,
    "not_found": 404,
    "no_monitor": 404,
    "method_not_allowed": 405,
    "slow_head": 408,
    "slow_body": 408,
    "body_too_large": 413,
    "request_too_many_pixels": 413,
    "type_not_allowed": 415,
    "encoding_not_allowed": 415,
    "rate_limit": 429,
    "head_too_large": 431,
    "internal": 500,
    "model_output_invalid": 500,
    "busy": 503,
    "overloaded": 503,
    "timed_out": 503,
    "draining": 503,
    "not_ready": 503,
}
GONE = "client_gone"  # an outcome without an answer


class HttpError(Exception):
    """A request is refused.

    Attributes:
        code: One of `STATUS`.
        detail: What is wrong with this request; never a path, a token or a trace.
        hint: What to do about it, or None. Where there is a `retry_after`, to ask again, unless it is given.
        retry_after: Seconds after which to try again, or None.
        headers: Further headers of the answer.
    """

    def __init__(
        self,
        code: str,
        detail: str,
        *,
        hint: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.code, self.detail, self.hint = code, detail, hint
        self.headers = dict(headers or {})
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, round(retry_after)))
            self.hint = hint or "ask again after the seconds of Retry-After"

    @property
    def status(self) -> int:
        """The HTTP status."""
        return STATUS[self.code]

    def body(self, request_id: str) -> bytes:
        """Return the JSON document."""
        document = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "hint": self.hint,
            "request_id": request_id,
        }
        return json.dumps(document).encode()


def of_picture(error: FovealError) -> HttpError:
    """Return the problem of the only picture of a request."""
    return HttpError(error.code if error.code in PICTURES else "bad_image", error.message, hint=error.hint)
