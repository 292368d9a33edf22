import numpy as np

from pruning.figures.named_bars import alt_of_named_bars, named_bars


def test_one_series_has_no_legend():
    figure = named_bars(["a", "b"], {"": [0.25, 0.5]}, title="accuracy", is_share=True)
    [bar] = figure.data
    assert np.allclose(bar.y, [0.25, 0.5]) and list(bar.text) == ["25.0%", "50.0%"]
    assert figure.layout.showlegend is False
    assert figure.layout.yaxis.title.text == "accuracy"


def test_several_series():
    figure = named_bars(["a"], {"x": [1], "y": [2]}, title="size")
    assert [bar.name for bar in figure.data] == ["x", "y"]
    assert figure.layout.showlegend
    text = alt_of_named_bars(["a"], {"x": [1], "y": [2]}, "size")
    assert text == "Bars of the size: x: a 1; y: a 2."
    assert alt_of_named_bars(["a"], {"": [1]}, "size") == "Bars of the size: a 1."
