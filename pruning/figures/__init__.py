"""Plotly figures, one a module: data in, ``PlainFigure`` out.

Each figure has a function ``alt_of_...`` that describes it in words.
"""
