"""Learn: a course in lessons, whose live parts run the code of the program."""

import streamlit as st

from pages.learn.lesson_file import Block, Lesson, Link, Live, Question, Text, lessons
from pages.learn.link import follow_link, put_link
from pages.learn.live import LIVE_PARTS, task_name
from pages.learn.progress import draw_progress, open_lesson
from pages.learn.questions import draw_question, score
from pages.state.messages import render_page, show_pending_message
from pages.state.session import session
from pages.state.visitor import set_active_work

PURPOSE = (
    "A course about pruning: twelve lessons, each with one idea, something to try that runs the "
    "real code, questions that are answered before the result is revealed, and the papers."
)
PRESENTATION_STYLE = """<style>
[data-testid="stSidebar"], [data-testid="stSidebarCollapsedControl"],
[data-testid="stExpandSidebarButton"], [data-testid="stHeader"] { display: none; }
[data-testid="stMainBlockContainer"] { padding: 1rem 3rem 0; max-width: 100%; }
html { font-size: clamp(16px, 2.55vh, 48px); }
[data-testid="stLayoutWrapper"]:has(> [class*="st-key-presented"]) { flex: 0 0 45vh !important; }
</style>"""
PRINT_STYLE = """<style>
@media print {
  [data-testid="stSidebar"], [data-testid="stHeader"], .st-key-actions { display: none !important; }
  [data-testid="stApp"], [data-testid="stMain"] { position: static !important; overflow: visible; }
  .st-key-printed { break-inside: auto; }
}
</style>"""


def page() -> None:
    """Draw the page."""
    follow_link()
    lesson = lessons().get(session.lesson or "")
    names = [] if lesson is None else _live_parts(lesson)
    set_active_work(*(task_name(name) for name in names))
    put_link()
    if session.printing:
        _draw_print_view(lesson)
    elif lesson is not None and session.slide:
        _draw_presentation(lesson)
    elif lesson is not None:
        _draw_lesson(lesson)
    else:
        _draw_list()


def _live_parts(lesson: Lesson) -> list[str]:
    return [block.name for block in lesson.blocks if isinstance(block, Live)]


def _draw_list() -> None:
    st.title("Learn")
    st.caption(PURPOSE)
    show_pending_message()
    left, _ = st.columns([3, 2])
    with left:
        draw_progress()
    with st.container(horizontal=True, key="actions"):
        st.button("Print all lessons", icon=":material/print:", on_click=_set_printing, args=[True])
    st.caption(
        "For teachers: `docs/teaching.md` has plans of an hour and of half a day. Every lesson has "
        "a presentation for a projector."
    )


def _draw_lesson(lesson: Lesson) -> None:
    with st.sidebar:
        draw_progress()
    heading, actions = st.columns([3, 2], vertical_alignment="center")
    heading.title(f"{lesson.number}. {lesson.title}")
    with actions.container(horizontal=True, horizontal_alignment="right", key="actions"):
        st.button("All lessons", icon=":material/list:", on_click=open_lesson, args=[""])
        st.button(
            "Present", icon=":material/present_to_all:", shortcut="P", on_click=_go_to, args=[1]
        )
        st.button("Print", icon=":material/print:", on_click=_set_printing, args=[True])
    show_pending_message()
    st.markdown(f"**{lesson.idea}**")
    _draw_blocks(lesson, lesson.blocks)
    _draw_end(lesson)


def _draw_blocks(lesson: Lesson, blocks: tuple[Block, ...]) -> None:
    questions = list(lesson.questions)
    for block in blocks:
        if isinstance(block, Text):
            st.markdown(block.markdown)
        elif isinstance(block, Live):
            with st.container(border=True, key=f"live-{block.name}"):
                LIVE_PARTS[block.name]()
        elif isinstance(block, Question):
            draw_question(lesson, questions.index(block))
        else:
            _draw_link(block)


def _draw_link(link: Link) -> None:
    path = "" if link.page == "explore" else link.page
    query = f"?{link.query}" if link.query else ""
    st.link_button(link.label, f"./{path}{query}", icon=":material/open_in_new:")


def _draw_end(lesson: Lesson) -> None:
    right, answered = score(lesson)
    if answered:
        st.caption(f"{right} of {answered} questions right at the first attempt.")
    names = list(lessons())
    with st.container(horizontal=True, key="neighbours"):
        if lesson.number > 1:
            st.button("Previous lesson", on_click=open_lesson, args=[names[lesson.number - 2]])
        if lesson.number < len(names):
            st.button(
                "Next lesson", type="primary", on_click=open_lesson, args=[names[lesson.number]]
            )


def _draw_presentation(lesson: Lesson) -> None:
    """Draw one slide in large type; the arrow keys go to others."""
    st.html(PRESENTATION_STYLE)
    count = len(lesson.slides)
    number = min(session.slide, count)
    with st.container(key="slide"):
        if number == 1:
            st.title(f"{lesson.number}. {lesson.title}")
            st.markdown(f"**{lesson.idea}**")
        _draw_blocks(lesson, lesson.slides[number - 1])
    with st.container(horizontal=True, key="actions"):
        st.button("Back", shortcut="Left", on_click=_go_to, args=[number - 1], disabled=number == 1)
        st.button(
            "Next", shortcut="Right", on_click=_go_to, args=[number + 1], disabled=number == count
        )
        st.button("Leave", shortcut="Esc", on_click=_go_to, args=[0])
        st.caption(f"Slide {number} of {count}")


def _go_to(slide: int) -> None:
    """Show a slide, in a callback; 0 leaves the presentation."""
    session.slide = slide


def _set_printing(printing: bool) -> None:
    session.printing = printing


def _draw_print_view(lesson: Lesson | None) -> None:
    """Draw lessons to be printed, with their answers at the end."""
    st.html(PRINT_STYLE)
    with st.container(horizontal=True, key="actions"):
        st.button("Leave the print view", on_click=_set_printing, args=[False])
        st.caption("Print this page with your browser; this line is not printed.")
    chosen = list(lessons().values()) if lesson is None else [lesson]
    with st.container(key="printed"):
        for each in chosen:
            _draw_printed(each)
        st.markdown("## Answers")
        for each in chosen:
            _draw_answers(each)


def _draw_printed(lesson: Lesson) -> None:
    st.title(f"{lesson.number}. {lesson.title}")
    st.markdown(f"**{lesson.idea}**")
    number = 0
    for block in lesson.blocks:
        if isinstance(block, Text):
            st.markdown(block.markdown)
        elif isinstance(block, Question):
            number += 1
            answers = [f"- \N{BALLOT BOX} {answer}" for answer in block.answers]
            prompt = f"**Question {lesson.number}.{number}.** {block.prompt}"
            st.markdown("\n".join([prompt, "", *answers]))


def _draw_answers(lesson: Lesson) -> None:
    for number, question in enumerate(lesson.questions, 1):
        answer = question.answers[question.correct]
        st.markdown(f"**{lesson.number}.{number}.** {answer} \N{EM DASH} {question.explanation}")


render_page(page)
