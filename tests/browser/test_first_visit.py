"""What a new visitor, a teacher and somebody with a phone see."""

import pytest

from tests.browser.conftest import follow, settle

LENET = "?network=lenet5&dataset=digits"
PAGES = (
    *("", "about", "learn", "inside", "compare", "curves", "sensitivity", "retrain", "agreement"),
    "own",
)
CONTRAST = """(selector) => {
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const mix = (front, back, alpha) => front.map(
    (value, i) => alpha * value + (1 - alpha) * back[i]);
  const light = rgb => {
    const parts = rgb.map(value => value / 255).map(
      value => value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const app = document.querySelector('[data-testid=stApp]');
  const back = parse(getComputedStyle(app).backgroundColor).slice(0, 3);
  let least = Infinity, count = 0;
  for (const element of document.querySelectorAll(selector)) {
    const style = getComputedStyle(element);
    const isSvg = element instanceof SVGElement;
    const colour = parse(isSvg ? style.fill : style.color);
    let alpha = colour.length > 3 ? colour[3] : 1;
    for (let node = element; node; node = node.parentElement) {
      alpha *= Number(getComputedStyle(node).opacity);
    }
    const [one, two] = [light(mix(colour.slice(0, 3), back, alpha)), light(back)];
    least = Math.min(least, (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05));
    count += 1;
  }
  return [count, least];
}"""
"""Number of the elements, and the least contrast of their text (WCAG 2.2), on the background."""


@pytest.mark.slow
def test_a_phone_shows_every_page_without_scrolling_sideways(visit):
    page = visit("", width=390, height=844)
    for path in PAGES:
        follow(page, path)
        title = page.get_by_test_id("stMain").get_by_role("heading", level=1)
        title.wait_for()
        assert not page.get_by_test_id("stSidebarUserContent").is_visible(), path
        page.wait_for_timeout(700)
        widths = "e => [e.scrollWidth, e.clientWidth]"
        content, window = page.get_by_test_id("stMain").evaluate(widths)
        assert content <= window, path
        assert page.title() == f"{title.inner_text()} · Prunescope"


@pytest.mark.parametrize("width", [768, 900, 1400])
def test_the_page_of_definitions_is_never_hidden_in_the_menu(visit, width):
    page = visit(LENET, width=width, height=900)
    page.get_by_role("link", name="What the numbers mean").first.click()
    settle(page)
    assert page.url.endswith("/about")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_small_text_has_contrast(visit, scheme):
    page = visit(f"{LENET}&sparsity=0.5", scheme=scheme)
    page.wait_for_selector(".js-plotly-plot .xtick text")
    for selector in (
        "[data-testid=stCaptionContainer] p",
        ".js-plotly-plot .xtick text",
        ".js-plotly-plot .ytick text",
        ".js-plotly-plot .xtitle",
        ".js-plotly-plot .ytitle",
    ):
        count, contrast = page.evaluate(CONTRAST, selector)
        assert count and contrast >= 4.5, selector


def test_a_lecture_is_presented_with_the_keyboard(visit):
    page = visit(f"{LENET}&sparsity=0.5", width=1280, height=720)
    page.get_by_role("button", name="Present").wait_for()
    page.wait_for_timeout(1000)
    page.keyboard.press("p")
    page.get_by_role("button", name="Leave").wait_for()
    settle(page)
    assert not page.get_by_test_id("stSidebar").is_visible()
    height = page.get_by_test_id("stMain").evaluate("e => [e.scrollHeight, e.clientHeight]")
    assert height[0] <= height[1]  # nothing is below the screen
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**sparsity=0.51*")
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_url("**sparsity=0.41*")
    settle(page)
    page.keyboard.press("Escape")
    page.get_by_role("heading", name="Explore", level=1).wait_for()


def test_the_tour_is_taken_and_its_answers_are_closed(revisit):
    page = revisit(LENET)
    page.get_by_role("button", name="Guided tour").click()
    page.get_by_text("1 of 10: The dense network").wait_for()
    page.get_by_role("button", name="Next").click()
    page.get_by_text("2 of 10: Half of the weights").wait_for()
    answer = page.get_by_text("a trained network has many that it does not need")
    assert not answer.is_visible()
    page.get_by_text("An answer").click()
    answer.wait_for()
    assert "tour=2" in page.url


def test_the_link_is_shared_as_text_and_as_a_code(revisit):
    page = revisit(f"{LENET}&sparsity=0.5")
    page.get_by_role("button", name="Share").click()
    code = page.get_by_role("dialog").get_by_test_id("stCode")
    code.wait_for()
    assert code.inner_text().strip() == page.url
    picture = page.get_by_role("img", name="QR code of the address")
    assert picture.evaluate("e => e.complete && e.naturalWidth > 100")


def test_a_state_is_pinned_and_compared(visit):
    page = visit(f"{LENET}&sparsity=0.5", width=1400, height=900)
    page.get_by_role("button", name="Pin", exact=True).click()
    page.get_by_text("B is the same as A").wait_for()
    slider = page.get_by_test_id("stSidebar").get_by_role("slider").first
    slider.focus()
    for _ in range(4):
        page.keyboard.press("PageUp")
    page.get_by_text("B: ").first.wait_for()
    page.get_by_text("Weights by Magnitude, 90% of weights").wait_for()
    assert page.locator("path.kept-in-a").count() == 1
    page.get_by_role("heading", name="Share removed, B minus A").wait_for()
    page.get_by_text("removed in B only").wait_for()
    address = page.url
    page.get_by_role("button", name="Swap A and B").click()
    page.locator(".st-key-pin").get_by_text("Weights by Magnitude, 50% of weights").wait_for()
    settle(page)
    page.goto(address)
    page.get_by_text("Weights by Magnitude, 90% of weights").wait_for()
    page.get_by_role("button", name="Unpin").click()
    page.get_by_role("button", name="Pin", exact=True).wait_for()
    page.locator("path.kept-in-a").wait_for(state="detached")


def test_a_phone_shows_two_states_without_scrolling_sideways(visit):
    pin = "network%3Dlenet300%26dataset%3Ddigits%26sparsity%3D0.7"
    page = visit(f"{LENET}&sparsity=0.5&pin={pin}", width=390, height=844)
    page.get_by_text("LeNet-300-100 on Digits").wait_for()
    page.wait_for_timeout(1500)
    widths = "e => [e.scrollWidth, e.clientWidth]"
    content, window = page.get_by_test_id("stMain").evaluate(widths)
    assert content <= window


def test_back_leaves_every_page_with_one_press(revisit):
    page = revisit(LENET)
    names = ["Curves", "Compare", "Sensitivity", "Explore", "Agreement", "Explore"]
    for name in names:
        page.get_by_role("link", name=name).first.click()
        page.get_by_test_id("stMain").get_by_role("heading", name=name, level=1).wait_for()
        settle(page)
    for name in [*reversed(names[:-1]), "Explore"]:
        page.go_back()
        page.get_by_test_id("stMain").get_by_role("heading", name=name, level=1).wait_for()
        settle(page)
