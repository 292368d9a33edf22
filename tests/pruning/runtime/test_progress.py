"""Progress of a part of the work."""

import pytest

from pruning.runtime.progress import part_of


def test_a_part_reports_its_shares_of_the_whole():
    reported: list[float] = []
    report = part_of(reported.append, 0.2, 0.7)
    for share in (0.0, 0.5, 1.0):
        report(share)
    assert reported[0] == 0.2 and reported[-1] == 0.7, "the ends are exact"
    assert reported[1] == pytest.approx(0.45)


def test_parts_can_have_parts():
    reported: list[float] = []
    inner = part_of(part_of(reported.append, 0.5, 0.75), 0.0, 0.5)
    inner(0.0)
    inner(1.0)
    assert reported == [0.5, 0.625]
