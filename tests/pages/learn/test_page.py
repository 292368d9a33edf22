"""The page Learn, on built-in data."""

from urllib.parse import parse_qsl

import pytest

from pages.learn.lesson_file import Link, Live, lessons
from tests.pages.common import button, charts
from tests.pages.driver import click, finished, opened_page

pytestmark = pytest.mark.usefixtures("no_downloads", "no_curve")

LINKS = [
    (name, block)
    for name, lesson in lessons().items()
    for block in lesson.blocks
    if isinstance(block, Link)
]


FOLDERS = {"about": "glossary"}
"""Folders of pages whose address has another name."""


def lesson_page(name: str, **query: str):
    return finished(opened_page("learn", lesson=name, **query))


@pytest.mark.parametrize("name", lessons())
def test_every_live_part_runs(name):
    at = lesson_page(name)
    assert not at.error and not at.warning
    assert at.title[0].value == f"{lessons()[name].number}. {lessons()[name].title}"
    parts = [block for block in lessons()[name].blocks if isinstance(block, Live)]
    assert len(charts(at)) + len(at.dataframe) + len(at.metric) + bool(name == "structured") >= len(
        parts
    )
    assert all(chart.proto.alt for chart in at.get("plotly_chart"))


@pytest.mark.parametrize("name", lessons())
@pytest.mark.parametrize("is_right", [True, False])
def test_every_answer_scores(name, is_right):
    at = lesson_page(name)
    lesson = lessons()[name]
    for number, question in enumerate(lesson.questions):
        radio = at.main.radio(key=f"question_widgets, {name}, {number}")
        assert len(radio.options) == len(question.answers)
        chosen = question.correct if is_right else (question.correct + 1) % len(question.answers)
        radio.set_value(chosen).run()
        at = at.main.button(key=f"reveal question_widgets, {name}, {number}").click().run()
        boxes = at.success if is_right else at.info
        assert question.explanation in boxes[-1].value or number + 1 < len(boxes)
    count = len(lesson.questions)
    right = count if is_right else 0
    captions = [caption.value for caption in at.main.caption]
    assert f"{right} of {count} questions right at the first attempt." in captions


def test_only_the_first_answer_counts():
    at = lesson_page("why")
    question = lessons()["why"].questions[0]
    radio = at.main.radio(key="question_widgets, why, 0")
    radio.set_value((question.correct + 1) % len(question.answers)).run()
    at.main.button(key="reveal question_widgets, why, 0").click().run()
    at.main.radio(key="question_widgets, why, 0").set_value(question.correct).run()
    captions = [caption.value for caption in at.main.caption]
    assert "0 of 1 questions right at the first attempt." in captions


@pytest.mark.parametrize("name, link", LINKS)
def test_every_link_is_followed(name, link):
    query = dict(parse_qsl(link.query, strict_parsing=bool(link.query)))
    at = opened_page(FOLDERS.get(link.page, link.page), **query)
    assert not at.exception and not at.warning and not at.error
    for key, value in query.items():
        shown = dict(at.query_params).get(key, value)
        assert shown == value or float(shown) == float(value)


def test_the_list_and_the_neighbours_of_a_lesson():
    at = opened_page("learn")
    assert at.title[0].value == "Learn"
    at = lesson_page("thresholds")
    at = click(at, "Next lesson")
    assert at.title[0].value.startswith("3. ")
    assert dict(at.query_params)["lesson"] == "neurons"
    at = click(at, "Previous lesson")
    assert at.title[0].value.startswith("2. ")
    assert click(at, "All lessons").title[0].value == "Learn"


def test_the_presentation_goes_from_slide_to_slide():
    at = click(lesson_page("thresholds"), "Present")
    assert dict(at.query_params)["slide"] == "1"
    assert button(at, "Back").disabled
    count = len(lessons()["thresholds"].slides)
    for _ in range(count - 1):
        at = click(at, "Next")
    assert button(at, "Next").disabled
    assert any(caption.value == f"Slide {count} of {count}" for caption in at.main.caption)
    at = click(at, "Leave")
    assert "slide" not in at.query_params


def test_the_print_view_has_all_texts_and_the_answers_at_the_end():
    at = click(lesson_page("entropy"), "Print")
    texts = [element.value for element in at.main.markdown]
    last = texts.index("## Answers")
    question = lessons()["entropy"].questions[0]
    assert any(question.prompt in text for text in texts[:last])
    assert any(question.explanation in text for text in texts[last:])
    assert not at.main.radio
    at = click(at, "Leave the print view")
    assert at.main.radio


def test_all_lessons_are_printed():
    at = click(opened_page("learn"), "Print all lessons")
    assert len(at.title) == 12


@pytest.mark.parametrize("query", [{"lesson": "x"}, {"slide": "-1"}, {"print": "perhaps"}])
def test_a_bad_link_is_described(query):
    at = opened_page("learn", **query)
    assert not at.exception
    assert "The link could not be followed" in at.warning[0].value
