"""The plans for teachers: every link is followed, and the minutes add up."""

import re
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.pages.driver import opened_page

CONTENT = (Path(__file__).parents[3] / "docs" / "teaching.md").read_text()
LINKS = sorted(set(re.findall(r"\(http://localhost:8501([^)]*)\)", CONTENT)))

pytestmark = pytest.mark.usefixtures("no_downloads", "no_curve")


@pytest.mark.parametrize("link", LINKS)
def test_every_link_opens_its_page(link):
    parts = urlsplit(link)
    page = parts.path.strip("/") or "explore"
    at = opened_page(page, **dict(parse_qsl(parts.query, strict_parsing=bool(parts.query))))
    assert not at.exception and not at.warning and not at.error


def test_the_minutes_rise():
    for plan in CONTENT.split("## ")[1:3]:
        minutes = [int(minute) for minute in re.findall(r"^\| (\d+) \|", plan, re.M)]
        assert len(minutes) >= 8
        assert minutes == sorted(minutes) and minutes[0] == 0
