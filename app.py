"""The front door: page configuration and navigation. Nothing else."""

from pathlib import Path

import streamlit as st

from pruning.environment import check_torch
from pruning.errors import PrunescopeError


def main() -> None:
    st.set_page_config("Prunescope", page_icon=str(Path(__file__).parent / "assets" / "icon.svg"), layout="wide", initial_sidebar_state="expanded")
    st.html(Path(__file__).parent / "assets" / "style.html")
    try:
        check_torch()
    except PrunescopeError as error:
        st.error(str(error))
        st.stop()
    pages = [
        st.Page("pages/explore.py", title="Explore", icon=":material/tune:", default=True),
        st.Page("pages/compare.py", title="Compare", icon=":material/compare:"),
        st.Page("pages/curves.py", title="Curves", icon=":material/show_chart:"),
        st.Page("pages/sensitivity.py", title="Sensitivity", icon=":material/thermostat:"),
        st.Page("pages/agreement.py", title="Agreement", icon=":material/join_inner:"),
        st.Page("pages/about.py", title="What the numbers mean", icon=":material/menu_book:", url_path="about"),
    ]
    chosen = st.navigation(pages, position="top")
    st.session_state["entered"] = True
    if wanted := st.session_state.pop("wanted", None):  # the first visitor of a new server came by another door
        path, query = wanted
        st.switch_page(next((page for page in pages if page.url_path == path), pages[0]), query_params=query)
    chosen.run()


if __name__ == "__main__":
    main()
