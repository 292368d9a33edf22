"""Questions that are answered before the result is revealed."""

from random import Random

import streamlit as st

from pages.learn.lesson_file import Lesson, Question
from pages.state.session import SessionState, session


def draw_question(lesson: Lesson, number: int) -> None:
    """Draw a question: an answer is chosen, then the right one is revealed with an explanation.

    Parameters
    ----------
    lesson : Lesson
        The lesson.
    number : int
        Index of the question.
    """
    question = lesson.questions[number]
    is_answered = number in session.answers.get(lesson.name, {})
    key = SessionState.question_widgets.of(lesson.name, number)
    order = list(range(len(question.answers)))
    Random(key).shuffle(order)  # the same for everybody
    with st.container(border=True, key=f"question-{lesson.name}-{number}"):
        chosen = st.radio(
            f"**Predict.** {question.prompt}",
            order,
            index=None,
            format_func=lambda index: question.answers[index],
            key=key,
        )
        if not is_answered:
            st.button(
                "Reveal",
                key=f"reveal {key}",
                disabled=chosen is None,
                on_click=_reveal,
                args=[lesson.name, number, question, key],
            )
            return
        _draw_result(lesson, number, question)


def _reveal(lesson: str, number: int, question: Question, key: str) -> None:
    """Score the answer, in a callback; only the first one counts."""
    chosen = st.session_state.get(key)
    if chosen is None:
        return
    answers = {name: dict(results) for name, results in session.answers.items()}
    answers.setdefault(lesson, {}).setdefault(number, chosen == question.correct)
    session.answers = answers


def _draw_result(lesson: Lesson, number: int, question: Question) -> None:
    right = question.answers[question.correct]
    if session.answers[lesson.name][number]:
        st.success(f"**Right.** {question.explanation}", icon=":material/check:")
    else:
        st.info(f"**The answer is: {right}** {question.explanation}", icon=":material/lightbulb:")


def score(lesson: Lesson) -> tuple[int, int]:
    """Count the answers of this session to the questions of a lesson.

    Parameters
    ----------
    lesson : Lesson
        The lesson.

    Returns
    -------
    right : int
        Number of right first answers.
    answered : int
        Number of answers.
    """
    results = session.answers.get(lesson.name, {})
    return sum(results.values()), len(results)
