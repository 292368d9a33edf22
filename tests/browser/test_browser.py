"""The application in a real browser."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from pruning.engine.evaluate import evaluate
from pruning.engine.prune import prune
from pruning.experiments.unit_explanation import explain_unit
from pruning.recipe.recipe import Recipe
from tests.browser.conftest import ARTEFACTS, FOLLOW, follow, settle, sidebar_slider

DIGITS = "?network=lenet5&dataset=digits"
COLLECT_ERRORS = """() => {
  window.errors = [];
  const selector = '[data-testid=stAlertContentError], [data-testid=stException]';
  const collect = () => document.querySelectorAll(selector).forEach(
    element => window.errors.push(element.innerText));
  new MutationObserver(collect).observe(
    document.body, {subtree: true, childList: true, characterData: true});
}"""
"""Collects the texts of all error messages in ``window.errors``."""
FOURTH_POINT = """() => {
  const plot = document.querySelector('.js-plotly-plot');
  const box = plot.getBoundingClientRect(), layout = plot._fullLayout;
  const index = plot._fullData.findIndex(trace => trace.mode === 'lines+markers');
  const point = plot.calcdata[index][3];
  return [
    box.x + layout._size.l + layout.xaxis.l2p(point.x),
    box.y + layout._size.t + layout.yaxis.l2p(point.y),
  ];
}"""
"""Position of the fourth point of the first curve, in pixels."""

EDITOR_PAUSES_MS = (300, 1500, 4000, 4000)


def number(page, label: str) -> str:
    metric = page.locator("[data-testid=stMetric]").filter(has_text=label)
    return metric.locator("[data-testid=stMetricValue]").inner_text()


def accuracy(network: str, dataset: str, sparsity: float) -> str:
    [evaluation] = evaluate([Recipe.one_step(network, dataset, value=sparsity)])
    return f"{evaluation.accuracy.value:.2%}"


def charts(page):
    return page.locator("[data-testid=stMain] .js-plotly-plot")


def wait_for_charts(page, count: int) -> None:
    selector = "[data-testid=stMain] .js-plotly-plot"
    page.wait_for_function(f"document.querySelectorAll('{selector}').length == {count}")


def to_another_page_and_back(page) -> None:
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_role("heading", name="What the numbers mean").wait_for()
    page.get_by_role("link", name="Explore", exact=False).first.click()
    page.locator("[data-testid=stMetric]").first.wait_for()
    settle(page)


def test_open(visit):
    page = visit()
    assert number(page, "Sparsity") == "50.00%"
    wait_for_charts(page, 3)
    assert page.title()


def test_the_slider_by_keyboard_changes_the_numbers_the_charts_and_the_link(revisit):
    page = revisit(f"{DIGITS}&sparsity=0.8")
    before = charts(page).nth(0).inner_html()
    slider = sidebar_slider(page)
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('sparsity=0.803')")
    settle(page)
    pruned = prune(Recipe.one_step("lenet5", "digits", value=0.803))
    assert number(page, "Test accuracy") == accuracy("lenet5", "digits", 0.803)
    assert number(page, "Sparsity") == "80.30%"
    assert number(page, "MACs left") == f"{pruned.masked.macs:,}"
    assert charts(page).nth(0).inner_html() != before


def test_a_link_shows_the_same_page_in_another_browser(visit):
    first = visit(f"{DIGITS}&scope=layer&layers=conv2,fc1&sparsity=0.6")
    slider = sidebar_slider(first)
    slider.focus()
    first.keyboard.press("ArrowLeft")
    first.wait_for_function("location.search.includes('sparsity=0.599')")
    settle(first)
    second = visit("?" + first.url.partition("?")[2])
    for label in ("Test accuracy", "Sparsity", "Parameters left", "MACs left"):
        assert number(first, label) == number(second, label)
    assert first.url == second.url


def test_settings_are_kept_on_a_change_of_page(revisit):
    page = revisit(f"{DIGITS}&sigma=1.5")
    before = number(page, "Sparsity")
    to_another_page_and_back(page)
    assert number(page, "Sparsity") == before and "sigma=1.5" in page.url


def test_the_back_button_goes_back(revisit):
    page = revisit(f"{DIGITS}&sparsity=0.5")
    sidebar_slider(page).focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('sparsity=0.501')")
    settle(page)
    page.go_back()
    page.wait_for_function(
        "location.search.includes('sparsity=0.5&') || location.search.endsWith('sparsity=0.5')"
    )
    settle(page)
    assert number(page, "Sparsity") == "50.00%"


def test_a_layer_without_weights_has_a_warning_beside_the_accuracy(revisit):
    page = revisit(f"{DIGITS}&sparsity=1.0")
    assert "have lost all their weights" in page.locator("[data-testid=stAlert]").first.inner_text()


def test_the_curve_begins_by_itself(revisit):
    page = revisit(f"{DIGITS}&sparsity=0.45&scope=layer")
    page.locator("[data-testid=stMain] .legendtext", has_text="curve").wait_for(timeout=60_000)
    page.get_by_role("button", name="Cancel").wait_for(state="detached", timeout=60_000)


def test_the_table_can_be_downloaded(revisit):
    page = revisit(f"{DIGITS}&sparsity=0.5")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("name,kind,shape,weights,kept,sparsity") and len(lines) == 6


@dataclass(frozen=True)
class Screen:
    """A page for a screenshot, and its number of charts."""

    name: str
    query: str
    charts: int


MANY = f"{DIGITS}&method=filter&criterion=taylor&scope=layer&sparsity=0.3&calibration=64"
STEPS = quote('[{"method":"layer","criterion":"loss_change","value":0.4}]')
SCREENS = [
    Screen("explore", f"{DIGITS}&sparsity=0.8", 3),
    Screen("inside-image", f"inside{MANY}&show=image&at=conv2", 5),
    Screen("agreement", f"agreement{MANY}", 2),
    Screen("steps", f"{MANY}&earlier={STEPS}", 3),
    Screen("own", "own", 0),
    Screen("inside-units", f"inside{MANY}&show=units", 2),
    Screen("about", "about", 0),
    Screen("inside-classes", f"inside{MANY}&show=classes", 5),
    Screen("compare", "compare?budget=macs=0.5", 6),
    Screen("curves", "curves?points=5", 1),
    Screen("sensitivity", f"sensitivity{DIGITS}", 2),
]
"""Each is another page than the one before, so that all of it is drawn in the width it has then."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme, opened, resized", [("light", 1400, 900), ("dark", 900, 1400)])
def test_screenshots(visit, scheme, opened, resized):
    """Screenshots to look at, in the width of the first visit and after a change of the window."""
    page = visit("about", width=opened, scheme=scheme, height=1500)
    for screen in SCREENS:
        page.set_viewport_size({"width": opened, "height": 1500})
        follow(page, screen.query)
        wait_for_charts(page, screen.charts)
        page.wait_for_timeout(500)
        page.screenshot(path=ARTEFACTS / f"{screen.name}-{opened}-{scheme}.png")
        check_layout(page, screen.charts)
        page.set_viewport_size({"width": resized, "height": 1500})
        page.wait_for_timeout(1000)  # charts are drawn again
        page.screenshot(path=ARTEFACTS / f"{screen.name}-{resized}-{scheme}.png")
        check_layout(page, screen.charts)


def check_layout(page, count: int) -> None:
    """Nothing is wider than the window or cut off, and every chart is described."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for label in page.locator("[data-testid=stMetricValue]").all():
        assert label.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), label.inner_text()
    described = page.locator("[data-testid=stPlotlyChart]").all()
    assert len(described) == count
    assert all(chart.get_attribute("aria-label") for chart in described)


def test_a_slow_network_shows_an_estimate_first_and_the_page_stays_responsive(visit, real):
    real("cifar10")
    page = visit("about")
    page.evaluate(FOLLOW, "/?network=resnet20&dataset=cifar10&sparsity=0.31")
    estimate = page.get_by_text(
        re.compile("Estimate from the first .* of 10,000 test images, 95% interval")
    )
    estimate.wait_for(timeout=60_000)
    assert number(page, "Test accuracy").startswith("≈")
    sidebar_slider(page).focus()
    page.keyboard.press("ArrowRight")  # supersedes the computation that is under way
    page.wait_for_function("location.search.includes('sparsity=0.311')")
    page.get_by_text(re.compile("of all 10,000 test images are classified correctly")).wait_for(
        timeout=90_000
    )
    settle(page)
    assert number(page, "Test accuracy") == accuracy("resnet20", "cifar10", 0.311)
    follow(page, "about")  # the curve is not computed while other tests run


def test_two_visitors_have_separate_settings(visit):
    first, second = visit(f"{DIGITS}&sparsity=0.3"), visit(f"{DIGITS}&sparsity=0.9")
    for page, key in ((first, "ArrowRight"), (second, "ArrowLeft")) * 3:
        sidebar_slider(page).focus()
        page.keyboard.press(key)
    for page, value in ((first, 0.303), (second, 0.897)):
        page.wait_for_function(f"location.search.includes('sparsity={value}')")
        settle(page)
        assert number(page, "Test accuracy") == accuracy("lenet5", "digits", value)
        assert number(page, "Sparsity") == f"{value:.2%}"


def test_a_click_in_the_heatmap_explains_the_unit(revisit):
    page = revisit(f"{DIGITS}&method=filter&scope=layer&sparsity=0.5")
    drag = charts(page).nth(0).locator(".nsewdrag").first.bounding_box()
    x, y = drag["x"] + 0.4 * drag["width"], drag["y"] + 0.3 * drag["height"]  # conv2, 6 of 16
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    page.get_by_text(re.compile("its score is (not )?below the threshold")).wait_for()
    settle(page)
    recipe = Recipe.one_step("lenet5", "digits", method="filter", scope="layer")
    explanation = explain_unit(prune(recipe), "conv2", 6)
    assert number(page, "Rank") == f"{explanation.rank} of 16"
    assert number(page, "Score") == f"{explanation.score:.4g}"
    wait_for_charts(page, 5)


def test_a_value_of_one_layer_can_be_edited_and_is_kept_on_a_change_of_page(revisit):
    page = revisit(f"{DIGITS}&scope=custom&sparsity=0.5")
    cell = page.locator("[data-testid=stSidebar] [data-testid=stDataFrame] canvas").first
    for pause in EDITOR_PAUSES_MS:  # the grid has no sign that its editor is ready
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        page.mouse.dblclick(box["x"] + 0.8 * box["width"], box["y"] + 1.5 * 35)  # conv1
        page.wait_for_timeout(pause)
        page.keyboard.press("Control+A")
        page.keyboard.type("90")
        page.keyboard.press("Enter")
        page.wait_for_timeout(pause)
        settle(page)
        if "conv1%3D0.9" in page.url or "conv1=0.9" in page.url:
            break
    page.wait_for_function("decodeURIComponent(location.search).includes('conv1=0.9')")
    settle(page)
    before = number(page, "Sparsity")
    to_another_page_and_back(page)
    assert number(page, "Sparsity") == before and "conv1" in page.url


def test_steps_by_mouse(revisit):
    page = revisit(f"{DIGITS}&sparsity=0.5")
    page.get_by_role("button", name="Add a step").click()
    page.locator(".st-key-card-1").wait_for()
    settle(page)
    assert number(page, "Sparsity") == "75.00%"
    page.locator(".st-key-remove-step-0 button").first.click()
    page.locator(".st-key-card-1").wait_for(state="detached")
    settle(page)
    assert number(page, "Sparsity") == "50.00%"


def test_a_click_on_a_point_of_a_curve_opens_it_on_explore(revisit):
    recipes = json.dumps([{"network": "lenet300", "dataset": "digits"}])
    page = revisit(f"curves?points=5&seeds=1&recipes={quote(recipes)}")
    page.get_by_text("Mean accuracy of each curve").wait_for(timeout=60_000)
    settle(page)
    page.wait_for_timeout(1000)
    position = page.evaluate(FOURTH_POINT)
    page.mouse.move(*position)
    page.wait_for_timeout(300)
    page.mouse.click(*position)
    page.get_by_text("Accuracy against sparsity").wait_for(timeout=30_000)
    settle(page)
    assert number(page, "Sparsity") == "60.00%" and "sparsity=0.6" in page.url
    page.go_back()
    page.wait_for_url("**/curves?*")  # with one press


def test_no_error_message_on_any_change_of_page(visit):
    """A widget of another page does not begin with its default; the link names the network."""
    page = visit()
    page.evaluate(COLLECT_ERRORS)
    for name in (
        "Sensitivity",
        "Curves",
        "Compare",
        "Explore",
        "Curves",
        "Sensitivity",
        "Explore",
        "Compare",
        "Sensitivity",
    ):
        page.get_by_role("link", name=name).first.click()
        page.wait_for_url(
            lambda url, name=name: ("network=" if name == "Explore" else name.lower()) in url
        )
        settle(page)
        charts(page).first.wait_for()
        # Work that ends draws the page again, with what the browser has sent.
        page.wait_for_timeout(1500)
        assert "lenet5" in page.url or page.url.endswith("/sensitivity"), (
            f"another network after {name}"
        )
    assert page.evaluate("window.errors") == []
