"""The cheapest way to give each of some rows a column of its own.

Source: Crouse, "On Implementing 2D Rectangular Assignment Algorithms", IEEE Transactions on Aerospace and
Electronic Systems 2016 (shortest augmenting paths, after Jonker & Volgenant, 1987). Exact, O(n³) at worst.
"""

import numpy as np
from numpy.typing import NDArray

from foveal.core.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def assign(cost: NDArray[np.floating]) -> tuple[Ints, Ints]:
    """Return rows, rising, and their columns with the smallest possible sum of costs.

    Args:
        cost: Finite, (R, C).

    Returns:
        int64 (min(R, C),) each.

    Raises:
        UsageError: It is not such.
    """
    table = np.asarray(cost, np.float64)
    if table.ndim != 2 or not np.isfinite(table).all():
        raise UsageError(f"need finite costs (R, C); got {cost.dtype} {cost.shape}")
    if table.shape[0] > table.shape[1]:
        columns, rows = assign(table.T)
        order = np.argsort(rows)
        return rows[order], columns[order]
    if table.size == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    search = _Search(table)
    for row in np.flatnonzero(search.column_of < 0).tolist():
        search.add(row)
    return np.arange(len(table)), search.column_of


def pairs(benefit: Floats, allowed: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Return rows, rising, and columns of the allowed pairs, none twice, with the largest sum of benefits.

    Args:
        benefit: (R, C), above 0 where allowed.
        allowed: bool (R, C).
    """
    in_row, in_column = allowed.sum(axis=1), allowed.sum(axis=0)
    alone = allowed & (in_row == 1)[:, None] & (in_column == 1)  # nothing competes: most pairs, mostly
    rows, columns = np.nonzero(alone)
    some, others = np.flatnonzero(in_row), np.flatnonzero(in_column)
    some, others = np.setdiff1d(some, rows), np.setdiff1d(others, columns)
    part = np.ix_(some, others)
    one, other = assign(np.where(allowed[part], -benefit[part], 0.0))
    kept = allowed[part][one, other]
    rows = np.concatenate([rows, some[one[kept]]])
    columns = np.concatenate([columns, others[other[kept]]])
    order = np.argsort(rows)
    return rows[order], columns[order]


class _Search:
    """An assignment that is optimal for the rows that are in it.

    Prices of rows and columns never add up to more than the cost, and to just that where a pair is assigned;
    columns without a row cost 0. That proves it optimal.
    """

    def __init__(self, cost: Floats) -> None:
        """Begin with the rows whose cheapest column is wanted by no row before."""
        self._cost = cost
        self._row_price, self._column_price = cost.min(axis=1), np.zeros(cost.shape[1])
        self.column_of = np.full(cost.shape[0], -1, np.int64)
        self._row_of = np.full(cost.shape[1], -1, np.int64)
        wanted, first = np.unique(cost.argmin(axis=1), return_index=True)
        self.column_of[first], self._row_of[wanted] = wanted, first

    def add(self, row: int) -> None:
        """Assign one row more along the shortest path to a free column, moving others."""
        columns = len(self._row_of)
        length, origin = np.full(columns, np.inf), np.full(columns, -1, np.int64)
        done = np.zeros(columns, np.bool_)
        current, shortest, visited = row, 0.0, [row]
        while True:
            reached = shortest + self._cost[current] - self._row_price[current] - self._column_price
            better = ~done & (reached < length)
            length[better], origin[better] = reached[better], current
            sink = int(np.where(done, np.inf, length).argmin())
            shortest = float(length[sink])
            done[sink] = True
            if self._row_of[sink] < 0:
                break
            current = int(self._row_of[sink])
            visited.append(current)
        moved = np.array(visited[1:], np.int64)
        self._row_price[row] += shortest
        self._row_price[moved] += shortest - length[self.column_of[moved]]
        self._column_price[done] -= shortest - length[done]
        self._turn(row, sink, origin)

    def _turn(self, row: int, sink: int, origin: Ints) -> None:
        """Give each row on the path its next column."""
        while True:
            taken = int(origin[sink])
            self._row_of[sink] = taken
            self.column_of[taken], sink = sink, int(self.column_of[taken])
            if taken == row:
                return
