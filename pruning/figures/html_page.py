"""Figures as one HTML page that needs no other file."""

import html
from collections.abc import Mapping

import plotly.graph_objects as go

STYLE = """<style>body { font-family: sans-serif; margin: 2rem; }
table { border-collapse: collapse; }
td, th { padding: 0.2rem 0.8rem 0.2rem 0; text-align: left; white-space: nowrap; }
th { border-bottom: 1px solid; } pre, .wide { overflow: auto; }</style>"""


def html_page(
    title: str,
    figures: Mapping[str, go.Figure],
    sections: Mapping[str, str] | None = None,
    appendix: Mapping[str, str] | None = None,
) -> str:
    """Write figures into one page, each under its heading.

    Parameters
    ----------
    title : str
        Title of the page.
    figures : mapping of str to go.Figure
        Figures by heading.
    sections : mapping of str to str, optional
        HTML by heading, which stands before the figures under the title.
    appendix : mapping of str to str, optional
        HTML by heading, which stands after the figures.

    Returns
    -------
    str
        HTML; plotly.js, 4 MB, is included once.
    """
    parts: list[str] = []
    if sections:
        parts.append(f"<h1>{html.escape(title)}</h1>")
        parts += _section_texts(sections)
    includes_plotly = False
    for heading, figure in figures.items():
        content = figure.to_html(full_html=False, include_plotlyjs=not includes_plotly)
        includes_plotly = True
        parts.append(f"<h2>{html.escape(heading)}</h2>{content}")
    parts += _section_texts(appendix or {})
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"{STYLE}<body>{''.join(parts)}</body></html>"
    )


def _section_texts(sections: Mapping[str, str]) -> list[str]:
    texts = []
    for heading, content in sections.items():
        texts.append(f"<h2>{html.escape(heading)}</h2>{content}")
    return texts
