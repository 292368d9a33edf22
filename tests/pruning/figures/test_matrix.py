import numpy as np
import pandas as pd

from pruning.figures.matrix import alt_of_matrix, matrix
from tests.pruning.figures.common import titles


def test_unknown_values_are_left_empty():
    table = pd.DataFrame([[1.0, np.nan], [np.nan, 1.0]], ["a", "b"], ["a", "b"])
    figure = matrix(table, title="overlap", low=0)
    [trace] = figure.data
    assert list(trace.text[0]) == ["1.00", "\N{EN DASH}"]
    assert (trace.zmin, trace.zmax) == (0, 1)
    assert titles(figure) == ("criterion", "criterion")
    assert "a and b nan" in alt_of_matrix(table, "overlap")


def test_correlations_have_a_diverging_scale():
    names = [f"criterion {number}" for number in range(13)]
    table = pd.DataFrame(np.eye(13), names, names)
    figure = matrix(table, title="correlation", low=-1, axis_title="column")
    assert figure.data[0].zmin == -1 and figure.data[0].texttemplate == ""
    assert figure.data[0].colorscale[0][1] == "rgb(103,0,31)"  # RdBu
    assert titles(figure) == ("column", "column")
    assert alt_of_matrix(table, "correlation").count("0.00") == 13 * 12 / 2


def test_one_name_only():
    table = pd.DataFrame([[1.0]], ["a"], ["a"])
    assert alt_of_matrix(table, "overlap") == "Matrix of the overlap: nothing to compare."
