"""Figures as one HTML page that needs nothing else."""

import html
from collections.abc import Mapping

import plotly.graph_objects as go


def page(title: str, figures: Mapping[str, go.Figure]) -> str:
    """A page with each figure under its heading; plotly.js, 4 MB, is in it once."""
    parts = [
        f"<h2>{html.escape(name)}</h2>" + figure.to_html(full_html=False, include_plotlyjs=not i)
        for i, (name, figure) in enumerate(figures.items())
    ]
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<body style="font-family: sans-serif; margin: 2rem">{"".join(parts)}</body></html>'
    )
