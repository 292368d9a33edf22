from pruning.runtime.progress import ignore_progress, part_of


def test_a_part_reports_its_share_of_the_whole():
    shares: list[float] = []
    report = part_of(shares.append, 0.5, 0.75)
    inner = part_of(report, 0.0, 0.5)
    for share in (0.0, 1.0):
        inner(share)
        report(share)
    assert shares == [0.5, 0.5, 0.625, 0.75]


def test_progress_may_be_ignored():
    assert ignore_progress(0.5, "anything") is None
