"""What all figures share. Okabe-Ito for categories, Cividis for amounts; both survive colour blindness."""

import plotly.graph_objects as go

KEPT = "#0072B2"  # blue
REMOVED = "#E69F00"  # orange
MARK = "#D55E00"  # vermilion: where you are now
QUIET = "#888888"  # reads on light and on dark
METHOD = {"weight": "#0072B2", "neuron": "#009E73", "filter": "#CC79A7", "layer": "#D55E00", "feature": "#56B4E9"}
SHARE = {"colorscale": "Cividis", "zmin": 0, "zmax": 1}  # share removed, on every picture


def finish(figure: go.Figure, *, x: str, y: str, height: int, **layout) -> go.Figure:
    """Axis titles, height in pixels, tight margins, and zoom that survives new data of the same kind."""
    figure.update_layout(height=height, margin={"l": 8, "r": 8, "t": 8, "b": 8}, uirevision="same",
                         paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
                         legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}, **layout)
    figure.update_xaxes(title_text=x, title_standoff=8, automargin=True)
    figure.update_yaxes(title_text=y, title_standoff=8, automargin=True)
    return figure
