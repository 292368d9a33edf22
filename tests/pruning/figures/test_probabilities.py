import numpy as np

from pruning.figures.probabilities import alt_of_probabilities, probability_bars


def test_a_bar_for_each_class_and_network():
    probabilities = {"dense": np.array([0.9, 0.1]), "pruned": np.array([0.3, 0.7])}
    figure = probability_bars(probabilities, ("cat", "dog"))
    assert [bar.name for bar in figure.data] == ["dense", "pruned"]
    assert np.allclose(figure.data[1].y, [0.3, 0.7])
    text = alt_of_probabilities(probabilities, ("cat", "dog"))
    assert text == "Most probable class: dense cat (90%); pruned dog (70%)."
