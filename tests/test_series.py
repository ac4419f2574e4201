"""Thinned series keep their extremes, whatever comes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from lr_configs.sweeps.series import Series

VALUES = st.lists(st.one_of(st.floats(-1e6, 1e6), st.sampled_from([math.nan, math.inf, -math.inf, 0.0])), min_size=1)


def filled(values: list[float], stretches: int) -> Series:
    series = Series(stretches)
    for x, y in enumerate(values):
        series.add(x, y)
    return series


@given(VALUES, st.integers(2, 9))
def test_what_is_kept(values: list[float], stretches: int) -> None:
    series = filled(values, stretches)
    points = series.points()
    assert len(points) <= 3 * stretches + 2
    assert [x for x, _ in points] == sorted(x for x, _ in points)
    assert all(values[x] == y or (math.isnan(y) and math.isnan(values[x])) for x, y in points)
    assert points[0][0] == 0
    assert points[-1][0] == len(values) - 1
    numbers = [y for y in values if math.isfinite(y)]
    if numbers:
        assert series.least == (values.index(min(numbers)), min(numbers))
        assert series.greatest == (values.index(max(numbers)), max(numbers))
        # A flat run is shown by its ends, so the place may be another one of the same value.
        assert {min(numbers), max(numbers)} <= {y for _, y in points}
    else:
        assert series.least is None
        assert series.greatest is None
    if len(numbers) < len(values):
        assert any(not math.isfinite(y) for _, y in points)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_a_short_series_is_whole_but_for_flat_runs(values: list[float]) -> None:
    points = dict(filled(values, 127).points())
    missing = [x for x in range(len(values)) if x not in points]
    assert all(values[x - 1] == values[x] == values[x + 1] for x in missing)


def test_every_peak_of_a_long_one() -> None:
    peaks = {1234: 2.0, 54321: 3.0, 99999: 4.0, 77777: -1.0}
    points = dict(filled([peaks.get(x, math.sin(x / 9)) for x in range(100_000)], 127).points())
    assert peaks.items() <= points.items()
    assert len(points) <= 256


def test_going_on_from_an_earlier_part() -> None:
    series = Series()
    series.extend([[0, 1.0], [10, 2.0], [20, 3.0]], before=20)
    series.add(20, 5.0)
    assert series.points() == [(0, 1.0), (10, 2.0), (20, 5.0)]
