"""The parameters of an address: a mistyped one would change nothing without a word, so it is refused."""

from starlette.requests import Request

from foveal.serve.problems import HttpError

_SHOWN = 40  # letters of a name that is not known


async def parameters(request: Request) -> None:
    """Look at what stands behind the `?` of an address that is part of the described interface.

    Raises:
        HttpError: `unknown_parameter`, or `bad_request`: one is there twice.
    """
    given = [name for name, _ in request.query_params.multi_items()]
    route = request.scope["route"]
    if not given or not route.include_in_schema:
        return
    known = sorted(field.alias for field in route.dependant.query_params)
    hint = f"known here: {', '.join(known)}" if known else "this address takes none"
    for name in given:
        if name not in known:
            raise HttpError("unknown_parameter", f"there is no parameter {name[:_SHOWN]!r} here", hint=hint)
    if len(set(given)) < len(given):
        raise HttpError("bad_request", "a parameter of the address is there twice", hint="give each once")
