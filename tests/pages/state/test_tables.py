"""Headings of tables."""

import pandas as pd
from streamlit.testing.v1 import AppTest

from pages.state.tables import column_config


def test_known_columns_have_words_for_headings():
    table = pd.DataFrame({"accuracy_low": [0.5], "something else": [1]})
    config = column_config(table)
    assert list(config) == ["accuracy_low"]
    assert config["accuracy_low"]["label"] == "95% interval from"


def test_intervals_are_hidden_if_every_accuracy_is_complete():
    table = pd.DataFrame({"accuracy_low": [0.5, 0.6], "accuracy_high": [0.5, 0.6]})
    assert column_config(table) == {"accuracy_low": None, "accuracy_high": None}
    table["accuracy_high"] = [0.5, 0.7]
    assert None not in column_config(table).values()


def script() -> None:
    from pages.state.tables import Download, draw_downloads

    draw_downloads(
        "points",
        [
            Download("As text", "txt", "text/plain", "1, 2"),
            Download("As JSON", "json", "application/json", lambda: "[1, 2]"),
        ],
    )


def test_a_button_for_each_download():
    at = AppTest.from_function(script).run()
    assert not at.exception
    buttons = at.get("download_button")
    assert [button.proto.label for button in buttons] == ["As text", "As JSON"]
