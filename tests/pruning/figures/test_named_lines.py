import numpy as np

from pruning.figures.named_lines import alt_of_named_lines, named_lines


def test_a_line_for_each_series():
    series = {"one": [0, 1], "two": [1, 0.5]}
    figure = named_lines(
        [1, 10], series, x_title="x", y_title="y", is_share=True, log_x=True, stepped=True
    )
    assert [trace.name for trace in figure.data] == ["one", "two"]
    assert np.allclose(figure.data[1].y, [1, 0.5])
    assert figure.data[0].line.shape == "hv"
    assert figure.layout.xaxis.type == "log"
    text = alt_of_named_lines([1, 10], series, "x", "y")
    assert text == "y against x: one from 0 at 1 to 1 at 10; two from 1 at 1 to 0.5 at 10."
