"""The cheapest refusal: a picture that comes while the queue is full is refused once its head is there.

Under overload most of what a worker does beside pictures is to refuse. What is asked of a request is the same
as on the long way, through `gate` and the application; whatever is not plain goes that way.
"""

from email.utils import formatdate

from starlette.types import Scope

from foveal.serve.gate import LINGER_BYTES, Call, check, request_id
from foveal.serve.problems import MEDIA_TYPE, HttpError
from foveal.serve.service import Service


def turnstile(service: Service, scope: Scope) -> bytes | None:
    """Return the whole answer to a request that is refused for a full queue, or None.

    Its body is still to come: it has a length, and one that is read in vain rather than close the connection.
    """
    if scope["path"] != "/v1/predict" or scope["method"] != "POST" or scope["query_string"]:
        return None
    full = service.full()
    if full is None:
        return None
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"")
    if b"expect" in headers or not length.isdigit() or int(length) > LINGER_BYTES:
        return None
    call = Call(request_id(headers))
    try:
        check(service, scope, headers, call)
    except HttpError:  # something else comes first
        return None
    call.model, call.outcome = service.model(None).name, full.code
    service.enter()
    service.leave(call)
    body = full.body(call.id)
    named = {"date": formatdate(usegmt=True), "content-type": MEDIA_TYPE, "content-length": str(len(body))}
    lines = [f"{name}: {value}" for name, value in (named | full.headers | {"x-request-id": call.id}).items()]
    return "\r\n".join(["HTTP/1.1 503 Service Unavailable", *lines, "", ""]).encode() + body
