"""Every kind of bad input that we know of, made by code from one seeded picture: 83 rows, by number.

`CATALOGUE[n]` says what is sent and what has to come of it, in the library, in a batch and from a server.
Rows that other tests cover name them instead. The rules behind it: a picture gives its pixels or an error
with a code, never both and never anything else; a request gives its answer or a problem with a 4xx status.
"""

from bad_inputs import artefacts, broken, http, peculiar
from bad_inputs.row import Case, Row, Talk

CATALOGUE: dict[int, Row] = {
    row.number: row for module in (broken, peculiar, http, artefacts) for row in module.ROWS
}

__all__ = ["CATALOGUE", "Case", "Row", "Talk"]
