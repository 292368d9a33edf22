"""Figures of plain dictionaries."""

from pruning.figures.named_bars import named_bars

SIDES = ("l", "r", "t", "b")


def test_an_enlarged_figure_has_larger_text_and_margins_and_the_same_data():
    figure = named_bars(["a", "b"], {"share": [0.25, 0.5]}, title="share")
    before = figure.checked.to_plotly_json()
    larger = figure.enlarged(2.0).checked
    assert larger.to_plotly_json()["data"] == before["data"]
    assert larger.layout.font.size == 24
    assert larger.layout.yaxis.tickfont.size == larger.layout.xaxis.title.font.size == 24
    for side in SIDES:
        assert larger.layout.margin[side] == 2 * figure.layout.margin[side]
    assert figure.checked.to_plotly_json() == before
