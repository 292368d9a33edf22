"""A direct link to every page works as the first request to a new server."""

import pytest

from tests.browser.conftest import serving, settle

DIGITS = "network=lenet5&dataset=digits"
COLUMNS = "%5B%7B%22network%22%3A%22lenet300%22%2C%22dataset%22%3A%22digits%22%7D%5D"


@pytest.mark.parametrize(
    "link, text",
    [
        (f"?{DIGITS}&sparsity=0.8", "80.00%"),
        (f"compare?budget=macs%3D0.5&columns={COLUMNS}", "Compare"),
        ("curves?points=5", "Curves"),
        (f"sensitivity?{DIGITS}", "Sensitivity"),
        (f"agreement?{DIGITS}", "Agreement"),
        ("own", "Your network"),
        ("about?x=1", "What the numbers mean"),
    ],
)
def test_the_first_request_of_a_new_server_can_be_any_page(browser, link, text):
    with serving() as address:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = context.new_page()
        page.goto(f"{address}/{link}")
        main = page.locator("[data-testid=stMain]")
        main.get_by_text(text).first.wait_for(timeout=60_000)
        settle(page)
        path = link.partition("?")[0]
        assert page.url.partition("?")[0] == f"{address}/{path}"
        assert page.get_by_role("link", name="Explore").count()  # the navigation of app.py
        assert not page.get_by_text("could not be followed").count()
        assert not page.locator("[data-testid=stDialog]").count()  # "Page not found"
        context.close()
