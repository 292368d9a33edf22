"""Whatever a link or a file says, a page opens: with a sentence, and without an exception."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pages.state.messages import MAX_MESSAGE
from tests.pages.driver import opened_page

PAGES = (
    *("explore", "learn", "inside", "compare", "curves", "sensitivity", "agreement", "retrain"),
    *("glossary", "own"),
)
KEYS = (
    *("after", "at", "changes", "drawn", "image", "lesson", "print", "show", "slide", "source"),
    *("both", "budget", "calibration", "checkpoint", "columns", "criterion", "dataset", "earlier"),
    *("grouping", "layers", "log", "lose", "mask", "measure", "method", "n_m", "network"),
    *(
        "pin",
        "points",
        "precision",
        "present",
        "published",
        "recipes",
        "recovery",
        "retrained",
        "run",
        "scope",
    ),
    *("seed", "seeds", "sigma", "sparsity", "threshold", "tour", "values", "x", "y"),
)
MAX_SENTENCES = 3

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3)
    ),
    max_leaves=8,
)
texts = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["", "nan", "-1", "1e999", "../../etc/passwd", "<script>alert(1)</script>"]),
    st.floats().map(str),
    documents.map(json.dumps),
    st.integers(1, 30_000).map(lambda depth: "[" * depth),
)
links = st.dictionaries(st.sampled_from(KEYS), texts, max_size=5)

pytestmark = [pytest.mark.usefixtures("no_downloads", "no_curve"), pytest.mark.slow]
few_examples = settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def assert_opened(at) -> None:
    """The page has its title, no exception, and at most a few short messages."""
    assert not at.exception
    messages = [*at.warning, *at.error]
    assert len(messages) <= MAX_SENTENCES
    assert all(len(message.value) < 3 * MAX_MESSAGE for message in messages)


@pytest.mark.parametrize("page", PAGES)
@few_examples
@given(query=links)
def test_any_link_opens_the_page(page, query):
    assert_opened(opened_page(page, **query))


@few_examples
@given(content=st.binary(max_size=200) | texts.map(lambda text: text.encode("utf-8", "replace")))
def test_any_file_is_read_or_refused(content):
    at = opened_page("compare", network="lenet300", dataset="digits", sparsity="0.5")
    file = ("comparison.json", content, "application/json")
    assert_opened(at.sidebar.get("file_uploader")[0].set_value(file).run())


@few_examples
@given(text=texts | documents.map(json.dumps))
def test_any_architecture_is_drawn_or_refused(text):
    assert_opened(opened_page("own").main.text_area[0].set_value(text).run())


@pytest.fixture
def own_image():
    """Inside, where a picture can be uploaded."""
    at = opened_page("inside", network="lenet300", dataset="digits", show="image")
    return at.main.button_group(key="image_source").set_value("Your own").run()


@few_examples
@given(content=st.binary(max_size=200))
def test_any_picture_is_read_or_refused(own_image, content):
    file = ("digit.png", content, "image/png")
    assert_opened(own_image.main.get("file_uploader")[0].set_value(file).run())
