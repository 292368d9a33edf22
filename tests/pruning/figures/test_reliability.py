import numpy as np
import pytest

from pruning.figures.reliability import alt_of_reliability, reliability_diagram
from pruning.inference.predictions import Predictions


def test_a_point_for_each_bin_with_images():
    probabilities = np.array([[0.6, 0.4], [0.95, 0.05], [0.96, 0.04]], np.float32)
    predictions = Predictions(probabilities, np.array([1, 0, 0]), 3)
    reliabilities = {"dense": predictions.reliability}
    [trace] = reliability_diagram(reliabilities).data
    assert list(trace.x) == pytest.approx([0.6, 0.955])
    assert list(trace.y) == [0, 1]
    assert list(trace.customdata) == [1, 2]
    assert trace.marker.size[1] > trace.marker.size[0]
    error = (0.6 + 2 * 0.045) / 3
    assert alt_of_reliability(reliabilities).endswith(f"dense {error:.1%}.")
