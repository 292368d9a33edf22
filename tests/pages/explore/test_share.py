from urllib.parse import parse_qs, urlsplit

from pages.explore import share
from tests.pages.common import button, opened


def test_the_link_and_its_code_are_shown_on_request():
    at = opened(network="lenet5", dataset="digits", sparsity="0.37")
    assert not at.code
    button(at, "Share").click().run()
    assert not at.exception
    [code] = at.code
    query = parse_qs(urlsplit(code.value).query)
    assert query["sparsity"] == ["0.37"] and query["network"] == ["lenet5"]


def test_an_address_that_is_too_long_has_no_code(monkeypatch):
    monkeypatch.setattr(share, "current_link", lambda: f"http://localhost/?{'x' * 3_000}")
    at = opened(network="lenet5", dataset="digits")
    button(at, "Share").click().run()
    assert not at.exception
    assert "The address is too long for a QR code." in [each.value for each in at.caption]
