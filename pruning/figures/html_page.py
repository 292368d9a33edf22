"""Figures as one HTML page that needs no other file."""

import html
from collections.abc import Mapping

import plotly.graph_objects as go


def html_page(title: str, figures: Mapping[str, go.Figure]) -> str:
    """Write figures into one page, each under its heading.

    Parameters
    ----------
    title : str
        Title of the page.
    figures : mapping of str to go.Figure
        Figures by heading.

    Returns
    -------
    str
        HTML; plotly.js, 4 MB, is included once.
    """
    sections: list[str] = []
    for heading, figure in figures.items():
        is_first = not sections
        content = figure.to_html(full_html=False, include_plotlyjs=is_first)
        sections.append(f"<h2>{html.escape(heading)}</h2>{content}")
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<body style="font-family: sans-serif; margin: 2rem">{"".join(sections)}</body></html>'
    )
