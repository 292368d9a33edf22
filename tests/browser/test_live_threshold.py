"""The live threshold in a browser: frames while it is dragged, one rerun on release."""

import re

import pytest

from pruning.engine.prune import prune
from pruning.recipe.recipe import Recipe
from tests.browser.conftest import SIZE, settle, sidebar_slider

LENET5 = "?network=lenet5&dataset=digits&sparsity=0.5"
MOVES = 120
COUNT_FRAMES = """() => {
    window.painted = [];
    const bars = HOST.querySelector('.bar-kept');
    let last = bars.getAttribute('d');
    const watch = (time) => {
        const path = HOST.querySelector('.bar-kept').getAttribute('d');
        if (path !== last) { window.painted.push(time); last = path; }
        requestAnimationFrame(watch);
    };
    requestAnimationFrame(watch);
}"""
HOST = (
    "[...document.querySelectorAll('*')].map(node => node.shadowRoot)"
    ".find(shadow => shadow && shadow.querySelector('.live'))"
)

pytestmark = pytest.mark.slow


def in_host(script: str) -> str:
    """A script that finds the component in its shadow root."""
    return script.replace("HOST", f"({HOST})")


@pytest.fixture
def visit_counted(address, browser):
    """Call with a query: a page, and the list of the messages that it has sent."""
    contexts = []

    def go(query: str, **options):
        context = browser.new_context(viewport=SIZE, **options)
        contexts.append(context)
        page, sent = context.new_page(), []

        def listen(socket) -> None:
            socket.on("framesent", lambda payload: sent.append(payload))

        page.on("websocket", listen)
        page.goto(f"{address}/{query}")
        wait_for_threshold(page)
        return page, sent

    yield go
    for context in contexts:
        context.close()


@pytest.fixture
def page(revisit):
    """Explore with half of the weights, not of a new visitor."""
    explore = revisit(LENET5)
    wait_for_threshold(explore)
    assert sparsity_of(summary(explore)) == 50
    return explore


def wait_for_threshold(page) -> None:
    settle(page)
    page.locator(".live .handle[role=slider]").wait_for()
    page.locator("[data-testid=stMetricValue]").first.wait_for()
    settle(page)


def summary(page) -> str:
    """What stands below the histogram, once the next frame is painted."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 50)))")
    return page.locator(".live .summary").inner_text()


def sparsity_of(text: str) -> float:
    found = re.search(r"Sparsity ([\d.]+)%", text)
    assert found, text
    return float(found[1])


def centre_of(page) -> tuple[float, float]:
    box = page.locator(".live .handle[role=slider]").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_dragging_paints_frames_without_a_rerun_and_releases_once(visit_counted):
    page, sent = visit_counted(LENET5)
    x, y = centre_of(page)
    page.evaluate(in_host(COUNT_FRAMES))
    page.mouse.move(x, y)
    page.mouse.down()
    before = len(sent)
    began = page.evaluate("() => performance.now()")
    for move in range(MOVES):
        page.mouse.move(x + move, y)
    took = (page.evaluate("() => performance.now()") - began) / 1000
    assert len(sent) == before
    frames = len(page.evaluate("() => window.painted"))
    assert frames >= min(MOVES - 5, 50 * took), f"{frames} frames in {took:.2f} s"
    assert page.evaluate("() => document.body.classList.contains('prunescope-dragging')")
    dragged = sparsity_of(summary(page))
    assert dragged > 60
    page.mouse.up()
    page.wait_for_timeout(300)
    settle(page)
    page.wait_for_timeout(1500)
    assert not page.evaluate("() => document.body.classList.contains('prunescope-dragging')")
    assert sparsity_of(summary(page)) == pytest.approx(dragged, abs=0.1)
    assert "about" not in summary(page)
    released = [payload for payload in sent[before:] if b"live_threshold" in as_bytes(payload)]
    assert len(released) == 1
    slider = sidebar_slider(page)
    assert float(slider.input_value()) == pytest.approx(dragged, abs=0.1)


def as_bytes(payload: object) -> bytes:
    return payload if isinstance(payload, bytes) else str(payload).encode()


def test_the_browser_agrees_with_python(page):
    x, y = centre_of(page)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y)
    page.mouse.move(x + 41, y)
    page.wait_for_timeout(100)
    text = summary(page)
    share = float(re.search(r"Sparsity ([\d.]+)%", text)[1]) / 100
    removed = int(re.search(r"about ([\d,]+) of", text)[1].replace(",", ""))
    parameters = int(re.search(r"about ([\d,]+) parameters", text)[1].replace(",", ""))
    page.mouse.up()
    pruned = prune(Recipe.one_step("lenet5", "digits", value=share))
    assert removed == pytest.approx(pruned.removed_units, abs=0.001 * 61_470)
    assert parameters == pytest.approx(pruned.masked.parameters, abs=0.001 * 61_470)


def test_keys_move_the_threshold(page):
    handle = page.locator(".live .handle[role=slider]")
    handle.focus()
    page.keyboard.press("PageUp")
    assert sparsity_of(summary(page)) > 50
    assert "%" in handle.get_attribute("aria-valuetext")
    page.keyboard.press("Home")
    page.wait_for_timeout(600)
    settle(page)
    assert sparsity_of(summary(page)) == 0
    page.keyboard.press("End")
    page.wait_for_timeout(600)
    settle(page)
    page.wait_for_timeout(500)
    assert sparsity_of(summary(page)) == 100


def test_touch_drags_too(visit_counted):
    page, _ = visit_counted(LENET5, has_touch=True)
    x, y = centre_of(page)
    client = page.context.new_cdp_session(page)
    touch = [{"x": x, "y": y}]
    client.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": touch})
    for step in range(1, 30):
        moved = [{"x": x + step, "y": y}]
        client.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": moved})
    dragged = sparsity_of(summary(page))
    assert dragged > 55
    client.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.wait_for_timeout(1000)
    settle(page)
    assert sparsity_of(summary(page)) == pytest.approx(dragged, abs=0.1)


def test_two_tabs_have_thresholds_of_their_own(visit_counted):
    first, _ = visit_counted(LENET5)
    second, _ = visit_counted(LENET5)
    x, y = centre_of(first)
    first.mouse.move(x, y)
    first.mouse.down()
    first.mouse.move(x + 60, y)
    first.mouse.up()
    first.wait_for_timeout(1000)
    settle(first)
    assert sparsity_of(summary(first)) > 55
    assert sparsity_of(summary(second)) == 50


def test_the_slider_of_the_sidebar_moves_the_threshold(page):
    slider = sidebar_slider(page)
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1500)
    settle(page)
    page.wait_for_timeout(500)
    expected = float(slider.input_value())
    assert expected > 50
    assert sparsity_of(summary(page)) == pytest.approx(expected, abs=0.06)


def test_measured_accuracies_are_interpolated_while_dragging(page):
    slider = sidebar_slider(page)
    for key in ("Home", "End", "PageDown"):
        slider.focus()
        page.keyboard.press(key)
        page.wait_for_timeout(1500)
        settle(page)
    page.wait_for_timeout(500)
    line = page.locator(".live .accuracy-line")
    assert not line.get_attribute("d")
    page.locator(".live .handle[role=slider]").focus()
    page.keyboard.press("PageDown")
    [points] = re.findall(r"interpolated between (\d+) measured points", summary(page))
    assert int(points) >= 3
    assert line.get_attribute("d").count("L") == int(points) - 1
    page.wait_for_timeout(2000)
    settle(page)
    assert "interpolated" not in summary(page) and not line.get_attribute("d")


@pytest.mark.parametrize("width", [390, 900, 1400])
def test_it_fits_every_width(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    page.wait_for_timeout(700)
    sizes = "node => [node.scrollWidth, node.clientWidth]"
    content, visible = page.locator(".live").evaluate(sizes)
    assert content <= visible + 1
    for number in page.locator(".live svg text").all():
        box = number.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= width
