"""The files of the lessons, and their parser."""

import re

import pytest

from pages.learn.lesson_file import Link, Live, Question, Text, lessons, parse_lesson
from pages.learn.live import LIVE_PARTS

CONTENT = """# A title
> The idea.

Some text.

::: question
What is it,
really?
- this
+ that
> Because
> it is so.
:::

::: live toy_matrix
::: open explore?sparsity=0.5 | Try it

## Papers

- One (1990)
"""
ARTICLE_TERMS = {
    "why": ("quantisation", "distillation", "sparsity", "retrained"),
    "thresholds": ("absolute", "relative", "sigma", "deviation", "largest over"),
    "neurons": ("activations", "largest activity divided by", "validate", "node pruning"),
    "structured": ("filters", "perceptual loss", "L_1", "L_2"),
    "layers": ("sub-network", "perceptual loss", "leave-one-out"),
    "entropy": ("Gini", "entropy", "feature pruning", "repeat until"),
    "gradients": ("error", "Training subtracts", "layers", "while training"),
    "penalties": ("L_1", "L_2", "cross-validation", "regularisation", "sparsification"),
    "scopes": ("global", "ERK"),
    "recovery": ("Retrain", "Iterative", "shortens training", "Structured pruning loses"),
    "judging": ("overfitting", "generalisation", "validation"),
    "automation": ("weights, then neurons, then layers", "Which method for which use", "phone"),
}
"""What the source articles of the course treat, by the lesson that treats it."""


def test_a_lesson_is_parsed():
    lesson = parse_lesson("name", 3, CONTENT)
    assert (lesson.title, lesson.idea, lesson.number) == ("A title", "The idea.", 3)
    text, question, live, link, papers = lesson.blocks
    assert text == Text("Some text.")
    assert question == Question("What is it, really?", ("this", "that"), 1, "Because it is so.")
    assert live == Live("toy_matrix")
    assert link == Link("explore", "sparsity=0.5", "Try it")
    assert isinstance(papers, Text)
    assert lesson.questions == (question,)
    assert lesson.slides == ((text, question), (live, link), (papers,))


@pytest.mark.parametrize(
    "content",
    [
        "A title\n> The idea.",
        "# A title\nThe idea.",
        "# A title\n> The idea.\n::: video x",
        "# A title\n> The idea.\n::: question\nWhat?\n- this\n- that\n> Because.\n:::",
        "# A title\n> The idea.\n::: question\nWhat?\n- this\n+ that\n:::",
        "# A title\n> The idea.\n::: question\nWhat?\n- this\n+ that\n> Because.",
    ],
)
def test_other_files_are_refused(content):
    with pytest.raises(ValueError, match=r"lesson|block|question"):
        parse_lesson("name", 1, content)


def test_there_are_twelve_lessons_and_every_live_part_is_in_one():
    assert len(lessons()) == 12
    assert [lesson.number for lesson in lessons().values()] == list(range(1, 13))
    used = []
    for lesson in lessons().values():
        used += [block.name for block in lesson.blocks if isinstance(block, Live)]
    assert sorted(used) == sorted(LIVE_PARTS)


@pytest.mark.parametrize("name", lessons())
def test_every_lesson_has_its_parts(name):
    lesson = lessons()[name]
    text = "\n".join(block.markdown for block in lesson.blocks if isinstance(block, Text))
    assert re.search(r"^\$\$$", text, re.M)
    assert text.count("$") % 2 == 0
    assert any(isinstance(block, Live) for block in lesson.blocks)
    assert any(isinstance(block, Link) for block in lesson.blocks)
    assert 2 <= len(lesson.questions) <= 3 or name in ("recovery", "judging", "automation")
    papers = text.partition("## Papers")[2]
    assert re.search(r"\(\d{4}\)", papers)
    assert "https://" in papers


@pytest.mark.parametrize("name", ARTICLE_TERMS)
def test_the_terms_of_the_articles_are_in_their_lessons(name):
    lesson = lessons()[name]
    parts = [lesson.idea]
    for block in lesson.blocks:
        if isinstance(block, Text):
            parts.append(block.markdown)
        elif isinstance(block, Question):
            parts += [block.prompt, block.explanation, *block.answers]
    text = " ".join(" ".join(parts).split()).lower()
    missing = [term for term in ARTICLE_TERMS[name] if term.lower() not in text]
    assert not missing
