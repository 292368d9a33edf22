"""Inside in a browser: images that are clicked, and digits that are drawn."""

import pytest

from tests.browser.conftest import settle

LENET = "network=lenet5&dataset=digits&sparsity=0.8"


def draw(page, points) -> None:
    """Move the pen over the canvas, in shares of its size."""
    canvas = page.locator("canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    positions = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*positions[0])
    page.mouse.down()
    for position in positions[1:]:
        page.mouse.move(*position, steps=8)
    page.mouse.up()


@pytest.mark.slow
def test_a_drawn_digit_is_predicted_and_is_in_the_link(visit):
    page = visit(f"inside?{LENET}&show=image", width=390)
    page.get_by_text("Your own", exact=True).click()
    check_drawing(page)
    page.set_viewport_size({"width": 1400, "height": 1000})
    page.wait_for_timeout(500)
    check_drawing(page)


def check_drawing(page) -> None:
    """Draw a one on the empty canvas, add a stroke, and take both away."""
    draw(page, [(0.5, 0.15), (0.5, 0.85)])
    page.wait_for_function("location.search.includes('drawn=')")
    settle(page)
    predictions = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert "1" in predictions
    link = page.url
    draw(page, [(0.2, 0.15), (0.8, 0.15)])
    page.wait_for_function(f"location.href !== {link!r}")
    page.get_by_role("button", name="Undo").click()
    page.wait_for_function(f"location.href === {link!r}")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!location.search.includes('drawn=')")


def test_a_changed_image_is_followed_through_the_network(revisit):
    page = revisit(f"inside?{LENET}")
    first = page.locator("[role=listitem] button").first
    first.wait_for()
    number = first.get_attribute("aria-label").split(",")[0].removeprefix("Test image ")
    first.click()
    page.wait_for_function(f"location.search.includes('image={number}')")
    settle(page)
    assert page.get_by_role("spinbutton").input_value() == number
    assert page.get_by_role("heading", name="Feature maps of conv1").is_visible()


def test_a_point_of_the_curve_is_shown_on_explore(revisit):
    page = revisit("?network=lenet300&dataset=digits&scope=layer&sparsity=0.5")
    page.get_by_text("Click one to go to it").wait_for(timeout=60_000)
    chart = page.locator(".st-key-curve .js-plotly-plot")
    chart.scroll_into_view_if_needed()
    position = chart.evaluate(
        """plot => {
          const index = plot.data.findIndex(trace => trace.name === "curve");
          const layout = plot._fullLayout, box = plot.getBoundingClientRect();
          const trace = plot.calcdata[index];
          const point = trace[3];
          return [box.left + layout._size.l + layout.xaxis.c2p(point.x),
                  box.top + layout._size.t + layout.yaxis.c2p(point.y), point.x];
        }"""
    )
    page.mouse.click(*position[:2])
    page.wait_for_function("!location.search.includes('sparsity=0.5&')")
    settle(page)
    shown = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert f"{position[2]:.2%}" in shown
