"""What the kernels for pixels and for texels share: one row of a triangle."""

from __future__ import annotations

from ..compiled import compiled


@compiled()
def span(planes, item, count, row, low, high, edge):  # pyright: ignore
    """(low, high) narrowed to the columns, 0 at the first cell's centre, where the middle of ``row`` lies inside the
    first ``count`` edges of triangle ``item``, widened by ``edge``; high < low where there are none."""
    for i in range(count):
        slope = planes[item, i, 0]
        value = planes[item, i, 2] + planes[item, i, 1] * (row + 0.5)
        if slope > 0:
            low = max(low, -value / slope - 0.5 - edge)
        elif slope < 0:
            high = min(high, -value / slope - 0.5 + edge)
        elif value < 0:
            high = -2.0
    return low, high
