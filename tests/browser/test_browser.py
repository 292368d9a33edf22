"""The application in a real browser."""

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest

from pruning.engine import prune as experiment
from pruning.experiments.unit_explanation import explain
from pruning.recipe.recipe import Recipe
from tests.browser.conftest import ARTEFACTS, settle

DIGITS = "?network=lenet5&dataset=digits"


def number(page, label: str) -> str:
    metric = page.locator("[data-testid=stMetric]").filter(has_text=label)
    return metric.locator("[data-testid=stMetricValue]").inner_text()


def charts(page):
    return page.locator("[data-testid=stMain] .js-plotly-plot")


def to_another_page_and_back(page) -> None:
    page.get_by_role("link", name="What the numbers mean").click()
    page.get_by_role("heading", name="What the numbers mean").wait_for()
    page.get_by_role("link", name="Explore", exact=False).first.click()
    page.locator("[data-testid=stMetric]").first.wait_for()
    settle(page)


def test_open(visit):
    page = visit()
    assert number(page, "Sparsity") == "50.00%" and charts(page).count() == 4
    assert page.title()


def test_the_slider_by_keyboard_moves_the_numbers_the_pictures_and_the_link(visit):
    page = visit(f"{DIGITS}&sparsity=0.8")
    before = charts(page).nth(1).inner_html()
    slider = page.get_by_role("slider")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('sparsity=0.803')")
    settle(page)
    outcome = experiment.run(Recipe("lenet5", "digits", value=0.803))
    assert number(page, "Test accuracy") == f"{outcome.accuracy.value:.2%}"
    assert number(page, "Sparsity") == "80.30%" and number(page, "MACs left") == f"{outcome.macs:,}"
    assert charts(page).nth(1).inner_html() != before


def test_a_link_shows_the_same_page_in_another_browser(visit):
    first = visit(f"{DIGITS}&scope=layer&layers=conv2,fc1&sparsity=0.6")
    slider = first.get_by_role("slider")
    slider.focus()
    first.keyboard.press("ArrowLeft")
    first.wait_for_function("location.search.includes('sparsity=0.599')")
    settle(first)
    second = visit("?" + first.url.partition("?")[2])
    for label in ("Test accuracy", "Sparsity", "Parameters left", "MACs left"):
        assert number(first, label) == number(second, label)
    assert first.url == second.url


def test_settings_survive_a_change_of_page(visit):
    page = visit(f"{DIGITS}&sigma=1.5")
    before = number(page, "Sparsity")
    to_another_page_and_back(page)
    assert number(page, "Sparsity") == before and "sigma=1.5" in page.url


def test_the_back_button_goes_back(visit):
    page = visit(f"{DIGITS}&sparsity=0.5")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("location.search.includes('sparsity=0.501')")
    settle(page)
    page.go_back()
    page.wait_for_function(
        "location.search.includes('sparsity=0.5&') || location.search.endsWith('sparsity=0.5')"
    )
    settle(page)
    assert number(page, "Sparsity") == "50.00%"


def test_a_layer_that_lost_everything_is_said_beside_the_accuracy(visit):
    page = visit(f"{DIGITS}&sparsity=1.0")
    assert "have lost all their weights" in page.locator("[data-testid=stAlert]").first.inner_text()


def test_the_curve_can_be_computed(visit):
    page = visit(f"{DIGITS}&sparsity=0.45&scope=layer")
    page.get_by_role("button", name="Compute the curve").click()
    page.get_by_role("button", name="Compute the curve").wait_for(state="detached")
    page.locator("[data-testid=stMain] .legendtext", has_text="curve").wait_for(timeout=60_000)
    page.get_by_role("button", name="Cancel").wait_for(state="detached", timeout=60_000)


def test_the_table_can_be_downloaded(visit):
    page = visit(f"{DIGITS}&sparsity=0.5")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download CSV").click()
    lines = Path(waiting.value.path()).read_text().splitlines()
    assert lines[0].startswith("name,kind,shape,weights,kept,sparsity") and len(lines) == 6


@pytest.mark.parametrize("width, scheme", [(1400, "light"), (900, "dark")])
def test_screenshots(visit, width, scheme):
    """Kept for a person to look at; here only that nothing is wider than the window and every chart has its words."""
    many = f"{DIGITS}&method=filter&criterion=taylor&scope=layer&sparsity=0.3&calibration=64"
    steps = quote('[{"method":"layer","criterion":"loss_change","value":0.4}]')
    for name, query, pictures in (
        ("explore", f"{DIGITS}&sparsity=0.8", 4),
        ("steps", f"{many}&earlier={steps}", 4),
        ("agreement", f"agreement{many}", 2),
        ("about", "about", 0),
        ("compare", "compare?budget=macs=0.5", 6),
        ("curves", "curves?points=5", 1),
        ("sensitivity", f"sensitivity{DIGITS}", 2),
    ):
        page = visit(query, width=width, scheme=scheme, height=1500)
        page.wait_for_function(
            f"document.querySelectorAll('[data-testid=stMain] .js-plotly-plot').length == {pictures}"
        )
        page.wait_for_timeout(500)
        page.screenshot(path=ARTEFACTS / f"{name}-{width}-{scheme}.png")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        for label in page.locator("[data-testid=stMetricValue]").all():
            assert label.evaluate("e => e.scrollWidth <= e.clientWidth + 1"), label.inner_text()
        described = page.locator("[data-testid=stPlotlyChart]").all()
        assert len(described) == pictures
        assert all(chart.get_attribute("aria-label") for chart in described)


def test_a_slow_network_shows_an_estimate_and_refines_it_while_the_page_stays_live(visit, real):
    real("cifar10")
    page = visit()
    page.goto(f"{page.url.partition('?')[0]}?network=resnet20&dataset=cifar10&sparsity=0.31")
    estimate = page.get_by_text(
        re.compile("Estimate from the first .* of 10,000 test images, 95% interval")
    )
    estimate.wait_for(timeout=60_000)
    assert number(page, "Test accuracy").startswith("≈")
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowRight")  # supersedes the computation that is under way
    page.wait_for_function("location.search.includes('sparsity=0.311')")
    page.get_by_text(re.compile("of all 10,000 test images are classified correctly")).wait_for(
        timeout=90_000
    )
    settle(page)
    outcome = experiment.run(Recipe("resnet20", "cifar10", value=0.311))
    assert number(page, "Test accuracy") == f"{outcome.accuracy.value:.2%}"


def test_two_visitors_each_see_their_own(visit):
    first, second = visit(f"{DIGITS}&sparsity=0.3"), visit(f"{DIGITS}&sparsity=0.9")
    for page, key in ((first, "ArrowRight"), (second, "ArrowLeft")) * 3:
        page.get_by_role("slider").focus()
        page.keyboard.press(key)
    for page, value in ((first, 0.303), (second, 0.897)):
        page.wait_for_function(f"location.search.includes('sparsity={value}')")
        settle(page)
        outcome = experiment.run(Recipe("lenet5", "digits", value=value))
        assert number(page, "Test accuracy") == f"{outcome.accuracy.value:.2%}"
        assert number(page, "Sparsity") == f"{value:.2%}"


def test_a_click_in_the_heatmap_says_why(visit):
    page = visit(f"{DIGITS}&method=filter&scope=layer&sparsity=0.5")
    drag = charts(page).nth(1).locator(".nsewdrag").first.bounding_box()
    x, y = drag["x"] + 0.4 * drag["width"], drag["y"] + 0.3 * drag["height"]  # conv2, 6 of 16
    page.mouse.move(x, y)
    page.wait_for_timeout(300)
    page.mouse.click(x, y)
    page.get_by_text(re.compile("its score is (not )?below the threshold")).wait_for()
    settle(page)
    why = explain(Recipe("lenet5", "digits", method="filter", scope="layer"), "conv2", 6)
    assert (
        number(page, "Rank") == f"{why.rank} of 16" and number(page, "Score") == f"{why.score:.4g}"
    )
    assert charts(page).count() == 6


def test_a_value_of_one_layer_can_be_edited_and_survives_another_page(visit):
    page = visit(f"{DIGITS}&scope=custom&sparsity=0.5")
    cell = page.locator("[data-testid=stSidebar] [data-testid=stDataFrame] canvas").first
    box = cell.bounding_box()
    for pause in (
        300,
        1500,
        4000,
    ):  # the grid opens its editor when it is ready, and does not say when
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


def test_steps_by_mouse(visit):
    page = visit(f"{DIGITS}&sparsity=0.5")
    page.get_by_role("button", name="Add a step").click()
    page.locator(".st-key-card-1").wait_for()
    settle(page)
    assert number(page, "Sparsity") == "75.00%"
    page.locator(".st-key-remove-step-0 button").first.click()
    page.locator(".st-key-card-1").wait_for(state="detached")
    settle(page)
    assert number(page, "Sparsity") == "50.00%"


def test_a_click_on_a_point_of_a_curve_opens_it_on_explore(visit):
    page = visit(
        f"curves?points=5&seeds=1&recipes={quote('[' + json.dumps({'network': 'lenet300', 'dataset': 'digits'}) + ']')}"
    )
    page.get_by_text("Area under each curve").wait_for(timeout=60_000)
    settle(page)
    page.wait_for_timeout(1000)
    place = page.evaluate("""() => {
      const plot = document.querySelector('.js-plotly-plot'), box = plot.getBoundingClientRect(), all = plot._fullLayout;
      const point = plot.calcdata[plot._fullData.findIndex(trace => trace.mode === 'lines+markers')][3];
      return [box.x + all._size.l + all.xaxis.l2p(point.x), box.y + all._size.t + all.yaxis.l2p(point.y)];
    }""")
    page.mouse.move(*place)
    page.wait_for_timeout(300)
    page.mouse.click(*place)
    page.get_by_text("Accuracy against sparsity").wait_for(timeout=30_000)
    settle(page)
    assert number(page, "Sparsity") == "60.00%" and "sparsity=0.6" in page.url


def test_from_each_page_to_each_other_without_a_complaint(visit):
    """A widget that comes from another page must not begin with its default; the link says which network is shown."""
    page = visit()
    page.evaluate("""() => { window.told = []; new MutationObserver(() => document.querySelectorAll(
        '[data-testid=stAlertContentError], [data-testid=stException]').forEach(e => window.told.push(e.innerText)))
        .observe(document.body, {subtree: true, childList: true, characterData: true}) }""")
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
        page.wait_for_timeout(
            1500
        )  # work that ends draws the page again, with what the browser has sent
        assert "lenet5" in page.url or page.url.endswith("/sensitivity"), (
            f"another network after {name}"
        )
    assert page.evaluate("window.told") == []
