"""The application, started from a program on one network."""

import urllib.request

import pytest

import pruning


@pytest.mark.slow
def test_the_application_answers_until_it_is_closed(trained, digits):
    with pruning.explore(trained, digits, opens_browser=False) as dashboard:
        assert urllib.request.urlopen(dashboard.url, timeout=30).status == 200
        folder = dashboard._folder
        assert (folder / "network.json").is_file()
    assert not folder.exists()
    with pytest.raises(OSError):
        urllib.request.urlopen(dashboard.url, timeout=5)


def test_what_does_not_fit_is_refused_before_anything_starts(trained, digits):
    x, y = digits
    with pytest.raises(ValueError, match="has 10 outputs, but Own data has 20 classes"):
        pruning.explore(trained, (x, y * 2 + 1), opens_browser=False)
