"""Pages other than Explore, driven without a browser."""

import json
import time
from collections.abc import Sequence
from functools import cache

from streamlit.testing.v1 import AppTest

from pruning.recipe.recipe import Recipe
from pruning.recipe.serialization import recipe_to_dict

WAIT_S = 90
INTERVAL_S = 0.2


def opened_page(page: str, **query: str) -> AppTest:
    """Open a page by a link in a new session, without waiting for its work."""
    at = AppTest.from_file("../../app.py", default_timeout=60)
    at._registered_pages = _registered_pages()
    at.query_params.update(query)
    return at.switch_page(f"pages/{page}/page.py").run()


@cache
def _registered_pages() -> dict:
    """Return the pages of the app, which an app has after its first run only."""
    return AppTest.from_file("../../app.py", default_timeout=60).run()._registered_pages


def finished(at: AppTest) -> AppTest:
    """Run the page until no work is in progress."""
    at.run()
    deadline = time.time() + WAIT_S
    while not at.exception and has_button(at, "Cancel"):
        assert time.time() < deadline
        time.sleep(INTERVAL_S)
        at.run()
    assert not at.exception, at.exception
    return at


def has_button(at: AppTest, label: str) -> bool:
    """Return whether the main part of the page has a button."""
    return any(button.label == label for button in at.main.button)


def click(at: AppTest, label: str) -> AppTest:
    """Click the first button with a label, in the main part or the sidebar."""
    buttons = [*at.main.button, *at.sidebar.button]
    [first, *_] = [button for button in buttons if button.label == label]
    return first.click().run()


def warning(at: AppTest) -> str:
    """Return the text of the first warning, without the escapes of Markdown."""
    return at.warning[0].value.replace("\\", "")


def to_json(recipes: Sequence[Recipe]) -> str:
    """Return recipes as they stand in a link."""
    return json.dumps([recipe_to_dict(recipe) for recipe in recipes])
