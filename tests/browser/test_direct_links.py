"""A direct link to every page works as the first request to a new server."""

import pytest
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from tests.browser.conftest import run_async, serving, settle
from tests.browser.test_refusals import connected, messages_of

DIGITS = "network=lenet5&dataset=digits"
COLUMNS = "%5B%7B%22network%22%3A%22lenet300%22%2C%22dataset%22%3A%22digits%22%7D%5D"
NOT_FOLLOWED = "could not be followed"


def answers(address: str, link: str) -> list[ForwardMsg]:
    """What a new server sends to a browser that opens a link; an exception on the page fails."""
    page, _, query = link.partition("?")

    async def visit() -> list[ForwardMsg]:
        async with connected(address) as connection:
            return [message async for message in messages_of(connection, page, query)]

    return run_async(visit())


def texts_of(messages: list[ForwardMsg]) -> list[str]:
    """The texts of all elements, as they are sent."""
    return [str(message.delta.new_element) for message in messages if message.HasField("delta")]


@pytest.mark.slow
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
def test_the_first_request_of_a_new_server_can_be_any_page(link, text):
    with serving() as address:
        messages = answers(address, link)
    texts = texts_of(messages)
    assert any(text in element for element in texts)
    assert not any(NOT_FOLLOWED in element for element in texts)
    assert not any(message.HasField("page_not_found") for message in messages)
    [navigation, *_] = [m.navigation for m in messages if m.HasField("navigation")]
    path = link.partition("?")[0]
    [shown] = [
        page
        for page in navigation.app_pages
        if page.page_script_hash == navigation.page_script_hash
    ]
    assert shown.url_pathname == path or (shown.is_default and not path)
    assert "Explore" in [page.page_name for page in navigation.app_pages]  # by app.py


@pytest.mark.slow
def test_a_browser_shows_another_page_than_the_first_one_of_a_new_server(browser):
    with serving() as address:
        context = browser.new_context(viewport={"width": 1400, "height": 1000})
        page = context.new_page()
        page.goto(f"{address}/compare?budget=macs%3D0.5&columns={COLUMNS}")
        main = page.locator("[data-testid=stMain]")
        main.get_by_text("Compare").first.wait_for(timeout=60_000)
        settle(page)
        assert page.url.partition("?")[0] == f"{address}/compare"
        assert page.get_by_role("link", name="Explore").count()  # the navigation of app.py
        assert not page.get_by_text(NOT_FOLLOWED).count()
        assert not page.locator("[data-testid=stDialog]").count()  # "Page not found"
        context.close()
