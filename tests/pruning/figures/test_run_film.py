import numpy as np

from pruning.figures.run_film import alt_of_run_film, run_film
from pruning.training.record import histogram_edges
from tests.pruning.figures.run_records import record

RECORDS = [record(epoch) for epoch in (1, 2, 3)]


def test_there_is_a_frame_for_each_epoch_and_the_last_is_shown_first():
    figure = run_film(RECORDS, 0.1)
    assert [frame.name for frame in figure.frames] == ["1", "2", "3"]
    for frame, one in zip(figure.frames, RECORDS, strict=True):
        assert list(frame.data[0].y) == list(one.histogram)
        assert list(frame.data[1].x) == [one.epoch] * 2
    assert list(figure.data[0].y) == list(RECORDS[-1].histogram)
    assert figure.layout.sliders[0].active == 2


def test_the_heatmap_has_a_row_for_each_layer_and_a_column_for_each_epoch():
    heatmap = run_film(RECORDS, 0.1).data[1]
    assert list(heatmap.y) == ["conv1", "fc1"] and list(heatmap.x) == [1, 2, 3]
    np.testing.assert_allclose(heatmap.z, [[0.05, 0.1, 0.15], [0.1, 0.2, 0.3]], rtol=1e-6)


def test_bars_stand_in_the_middle_of_their_bins():
    edges = histogram_edges(0.1)
    x = run_film(RECORDS, 0.1).data[0].x
    np.testing.assert_allclose(x, (edges[1:] + edges[:-1]) / 2, rtol=1e-5, atol=1e-8)


def test_the_description_names_the_layers():
    assert "conv1 15%, fc1 30%" in alt_of_run_film(RECORDS)
