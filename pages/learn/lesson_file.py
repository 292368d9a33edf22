"""Lessons as Markdown files: text, live parts, questions and links.

A file begins with a title and the idea of the lesson::

    # Weights and thresholds
    > A threshold decides, not a number of weights.

Then follow text and blocks. A block begins with three colons:

- ``::: live NAME`` is a live part, a name in ``LIVE_PARTS``;
- ``::: open PAGE?QUERY | LABEL`` is a link to another page;
- ``::: question`` ends with a line of three colons. Its first lines are the question, lines with
  ``-`` are wrong answers, the one with ``+`` is the right one, and lines with ``>`` explain it.

A heading of the second level begins a new slide of the presentation.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "assets" / "lessons"
FENCE = ":::"
MAX_TEXT_OF_PART = 250
"""Characters of the text that a live part or a question follows on the same slide."""


@dataclass(frozen=True)
class Text:
    """Markdown."""

    markdown: str


@dataclass(frozen=True)
class Live:
    """A live part, a name in ``LIVE_PARTS``."""

    name: str


@dataclass(frozen=True)
class Link:
    """A link to another page."""

    page: str
    query: str
    label: str


@dataclass(frozen=True)
class Question:
    """A question with several answers.

    Parameters
    ----------
    prompt : str
        The question.
    answers : tuple of str
        What can be chosen.
    correct : int
        Index of the right answer.
    explanation : str
        Shown with the result.
    """

    prompt: str
    answers: tuple[str, ...]
    correct: int
    explanation: str


Block = Text | Live | Link | Question


@dataclass(frozen=True)
class Lesson:
    """A lesson.

    Parameters
    ----------
    name : str
        In links.
    number : int
        From 1.
    title, idea : str
        Heading, and one sentence below it.
    blocks : tuple of Block
        What follows.
    """

    name: str
    number: int
    title: str
    idea: str
    blocks: tuple[Block, ...]

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions of the lesson."""
        return tuple(block for block in self.blocks if isinstance(block, Question))

    @property
    def slides(self) -> tuple[tuple[Block, ...], ...]:
        """The blocks in parts that fit a projector.

        A heading of the second level begins a part. A live part or a question begins one, too,
        unless only a short text stands before it.
        """
        slides: list[list[Block]] = [[]]
        for block in self.blocks:
            if slides[-1] and _begins_slide(block, slides[-1]):
                slides.append([])
            slides[-1].append(block)
        return tuple(tuple(slide) for slide in slides)


def _begins_slide(block: Block, slide: list[Block]) -> bool:
    """Return whether a block does not belong to the slide that stands before it."""
    if isinstance(block, Link):
        return False
    has_part = any(isinstance(each, Live | Question) for each in slide)
    if isinstance(block, Text):
        return has_part or block.markdown.startswith("## ")
    length = sum(len(each.markdown) for each in slide if isinstance(each, Text))
    return has_part or length > MAX_TEXT_OF_PART


@lru_cache(maxsize=1)
def lessons() -> dict[str, Lesson]:
    """Read all lessons.

    Returns
    -------
    dict of str to Lesson
        By name, in the order of their files.
    """
    read = {}
    for number, path in enumerate(sorted(FOLDER.glob("*.md")), 1):
        name = path.stem.partition("-")[2]
        read[name] = parse_lesson(name, number, path.read_text("utf-8"))
    return read


def parse_lesson(name: str, number: int, content: str) -> Lesson:
    """Parse the file of a lesson.

    Parameters
    ----------
    name : str
        Name of the lesson.
    number : int
        Its number.
    content : str
        The file.

    Returns
    -------
    Lesson
        The lesson.

    Raises
    ------
    ValueError
        The file has not the form that the module describes.
    """
    title, idea, *lines = content.strip().splitlines()
    if not title.startswith("# ") or not idea.startswith("> "):
        raise ValueError(f"{name}: a lesson begins with a title and its idea")
    blocks = _parse_blocks(name, lines)
    return Lesson(name, number, title.removeprefix("# "), idea.removeprefix("> "), blocks)


def _parse_blocks(name: str, lines: list[str]) -> tuple[Block, ...]:
    blocks: list[Block] = []
    text: list[str] = []

    def end_text() -> None:
        markdown = "\n".join(text).strip()
        if markdown:
            blocks.append(Text(markdown))
        text.clear()

    waiting = iter(lines)
    for line in waiting:
        if line.startswith("## "):
            end_text()
        if not line.startswith(FENCE):
            text.append(line)
            continue
        end_text()
        kind, _, argument = line.removeprefix(FENCE).strip().partition(" ")
        if kind == "live":
            blocks.append(Live(argument))
        elif kind == "open":
            blocks.append(_parse_link(argument))
        elif kind == "question":
            blocks.append(_parse_question(name, _until_fence(waiting)))
        else:
            raise ValueError(f"{name}: a block must be live, open or question, not {kind!r}")
    end_text()
    return tuple(blocks)


def _until_fence(waiting: Iterator[str]) -> list[str]:
    lines = []
    for line in waiting:
        if line.strip() == FENCE:
            return lines
        lines.append(line.strip())
    raise ValueError("a question ends with a line of three colons")


def _parse_link(argument: str) -> Link:
    address, _, label = argument.partition(" | ")
    page, _, query = address.partition("?")
    return Link(page, query, label)


def _parse_question(name: str, lines: list[str]) -> Question:
    prompt = [line for line in lines if line[:2] not in ("- ", "+ ", "> ")]
    answers = [line for line in lines if line[:2] in ("- ", "+ ")]
    explanation = [line[2:] for line in lines if line.startswith("> ")]
    correct = [index for index, line in enumerate(answers) if line.startswith("+ ")]
    if len(correct) != 1 or len(answers) < 2 or not explanation:
        raise ValueError(f"{name}: a question has one right answer, others, and an explanation")
    return Question(
        " ".join(prompt).strip(),
        tuple(line[2:] for line in answers),
        correct[0],
        " ".join(explanation),
    )
