"""What all figures share. Okabe-Ito for categories, Cividis for amounts; both survive colour blindness."""

KEPT = "#0072B2"  # blue
REMOVED = "#E69F00"  # orange
MARK = "#D55E00"  # vermilion: where you are now
QUIET = "#888888"  # reads on light and on dark
METHOD = {
    "weight": "#0072B2",
    "neuron": "#009E73",
    "filter": "#CC79A7",
    "layer": "#D55E00",
    "feature": "#56B4E9",
}
SHARE = {"colorscale": "Cividis", "zmin": 0, "zmax": 1}  # share removed, on every picture


def layout(*, x: dict, y: dict, height: int, left: int = 62, right: int = 12, **more) -> dict:
    """Axes, height and margins in pixels, and zoom that survives new data of the same kind.

    Figures are made in one piece, ``go.Figure(data=[...], layout=layout(...))``: each later update of a part costs
    milliseconds, and a slider move draws four figures. The margins leave room for what stands in them: where plotly
    has to find them itself, it draws twice.
    """
    axis = {"automargin": False, "zeroline": False}
    return {
        "height": height,
        "margin": {"l": left, "r": right, "t": 34, "b": 50, "autoexpand": False},
        "uirevision": "same",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
        "xaxis": axis | x | {"title": {"text": x["title"], "standoff": 8}},
        "yaxis": axis | y | {"title": {"text": y["title"], "standoff": 8}},
        **more,
    }
