"""Headings of tables."""

import pandas as pd

from pages.state.tables import column_config


def test_known_columns_have_words_for_headings():
    table = pd.DataFrame({"accuracy_low": [0.5], "something else": [1]})
    config = column_config(table)
    assert list(config) == ["accuracy_low"]
    assert config["accuracy_low"]["label"] == "95% interval from"
