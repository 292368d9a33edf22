"""The application driven without a browser."""

import json
import time

from streamlit.testing.v1 import AppTest


def opened(**query: str) -> AppTest:
    at = AppTest.from_file("../../app.py", default_timeout=60)
    at.query_params.update(query)
    return settled(at.run())


def settled(at: AppTest) -> AppTest:
    """Wait for scores that are computed off the page."""
    deadline = time.time() + 60
    while not at.exception and any("This is done once" in text.value for text in at.main.markdown):
        assert time.time() < deadline
        time.sleep(0.1)
        at.run()
    return at


def numbers(at: AppTest) -> dict[str, str]:
    assert not at.exception
    return {metric.label: metric.value for metric in at.metric}


def charts(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def shown(outcome) -> dict[str, str]:
    macs = f"{outcome.macs / 1e6:.2f} M" if outcome.macs >= 1e6 else f"{outcome.macs:,}"
    return {
        "Test accuracy": f"{outcome.accuracy.value:.2%}",
        "Sparsity": f"{outcome.sparsity:.2%}",
        "Parameters left": f"{outcome.parameters:,}",
        "MACs left": macs,
    }
