import plotly.graph_objects as go

from pruning.figures.html_page import html_page


def test_a_page_needs_no_other_file():
    first, second = (go.Figure([{"type": "scatter", "y": [value]}]) for value in (41, 42))
    text = html_page("A <b> title", {"One & two": first, "Three": second})
    assert text.count("<h2>") == 2 and "One &amp; two" in text and "A &lt;b&gt; title" in text
    assert text.count("plotly.js v") == 1 and "<script src=" not in text
    assert "[41]" in text and "[42]" in text
