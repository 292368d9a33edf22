"""Lessons in a browser: formulas, predictions that are revealed, progress, presentation, print."""

import pytest

from pages.learn.lesson_file import lessons
from tests.browser.conftest import follow, settle


@pytest.mark.slow
def test_the_formulas_of_every_lesson_are_drawn(revisit):
    page = revisit("learn")
    for number, name in enumerate(lessons(), 1):
        follow(page, f"learn?lesson={name}")
        page.get_by_role("heading", name=f"{number}. ", level=1).wait_for()
        page.locator(".katex").first.wait_for()
        assert page.locator(".katex-error").count() == 0, name
        text = page.get_by_test_id("stMarkdownContainer").first.inner_text()
        assert "$" not in text, name


def answer(page, number: int, text: str) -> None:
    question = page.locator(f".st-key-question-why-{number}")
    question.get_by_text(text, exact=True).click()
    settle(page)
    question.get_by_role("button", name="Reveal").click()
    settle(page)


def test_an_answer_is_revealed_and_remembered_by_the_browser(visit):
    page = visit("learn?lesson=why")
    progress = page.locator(".lesson", has_text="Why networks are pruned")
    assert progress.locator(".score").inner_text() == ""
    answer(page, 0, "as large as before")
    assert page.get_by_text("Right.").is_visible()
    answer(page, 1, "twice as fast")
    assert page.get_by_text("The answer is: no faster").is_visible()
    page.wait_for_function("localStorage.getItem('prunescope-lessons').includes('why')")
    page.reload()
    settle(page)
    progress.wait_for()
    assert progress.locator(".score").inner_text().startswith("1 of 2")
    page.get_by_role("button", name="Forget my answers").click()
    settle(page)
    page.reload()
    settle(page)
    progress.wait_for()
    assert progress.locator(".score").inner_text() == ""


def test_the_list_opens_a_lesson(revisit):
    page = revisit("learn")
    page.locator(".lesson", has_text="How to judge").click()
    page.wait_for_function("location.search.includes('lesson=judging')")
    settle(page)
    assert page.get_by_role("heading", level=1).inner_text() == "11. How to judge"


def test_the_presentation_is_moved_by_keys_and_fits_a_projector(visit):
    page = visit("learn?lesson=thresholds", width=1280, height=720)
    page.get_by_role("button", name="Present").wait_for()
    page.wait_for_timeout(1000)
    page.keyboard.press("p")
    page.get_by_text("Slide 1 of").wait_for()
    assert not page.get_by_test_id("stSidebarUserContent").is_visible()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Slide 2 of").wait_for()
    page.keyboard.press("ArrowLeft")
    page.get_by_text("Slide 1 of").wait_for()
    page.keyboard.press("Escape")
    page.get_by_text("Slide 1 of").wait_for(state="detached")


WIDTH, HEIGHT = 1280, 720
CUT_OFF = """
() => [...document.querySelectorAll(".st-key-slide .js-plotly-plot")].filter((plot) => {
  const drawn = plot.querySelector("svg").getBoundingClientRect();
  const place = plot.closest("[data-testid=stPlotlyChart]").getBoundingClientRect();
  return drawn.right > place.right + 1 || drawn.bottom > place.bottom + 1;
}).length
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gradients", "scopes", "judging"])
def test_slides_fit_a_projector_and_no_figure_is_cut_off(revisit, name):
    page = revisit("learn")
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    figures = 0
    for number in range(1, len(lessons()[name].slides) + 1):
        follow(page, f"learn?lesson={name}&slide={number}")
        page.get_by_text(f"Slide {number} of").wait_for()
        settle(page)
        assert page.get_by_test_id("stMain").evaluate("main => main.scrollHeight") <= HEIGHT
        figures += page.locator(".st-key-slide .js-plotly-plot").count()
        assert page.evaluate(CUT_OFF) == 0
    assert figures > 0


def test_the_print_view_hides_the_controls_on_paper(visit):
    page = visit("learn?lesson=why&print=True")
    page.get_by_role("heading", name="Answers").wait_for()
    page.emulate_media(media="print")
    assert not page.get_by_test_id("stHeader").is_visible()
    assert not page.get_by_role("button", name="Leave the print view").is_visible()
