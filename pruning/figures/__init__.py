"""One Plotly figure per file: data in, go.Figure out. Each has an ``alt`` that says in words what it shows."""
