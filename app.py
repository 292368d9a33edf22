"""The front door: page configuration and navigation. Nothing else."""

from pathlib import Path

import streamlit as st

from pruning.runtime.errors import PrunescopeError
from pruning.runtime.installation import check_torch


def main() -> None:
    st.set_page_config(
        "Prunescope",
        page_icon=str(Path(__file__).parent / "assets" / "icon.svg"),
        layout="wide",
        initial_sidebar_state="expanded",
    )
    st.html(Path(__file__).parent / "assets" / "style.html")
    try:
        check_torch()
    except PrunescopeError as error:
        st.error(str(error))
        st.stop()
    pages = [
        st.Page("pages/explore/page.py", title="Explore", icon=":material/tune:", default=True),
        st.Page(
            "pages/compare/page.py", title="Compare", icon=":material/compare:", url_path="compare"
        ),
        st.Page(
            "pages/curves/page.py", title="Curves", icon=":material/show_chart:", url_path="curves"
        ),
        st.Page(
            "pages/sensitivity/page.py",
            title="Sensitivity",
            icon=":material/thermostat:",
            url_path="sensitivity",
        ),
        st.Page(
            "pages/agreement/page.py",
            title="Agreement",
            icon=":material/join_inner:",
            url_path="agreement",
        ),
        st.Page(
            "pages/glossary/page.py",
            title="What the numbers mean",
            icon=":material/menu_book:",
            url_path="about",
        ),
    ]
    chosen = st.navigation(pages, position="top")
    st.session_state["entered"] = True
    if wanted := st.session_state.pop(
        "wanted", None
    ):  # the first visitor of a new server came by another door
        path, query = wanted
        st.switch_page(
            next((page for page in pages if page.url_path == path), pages[0]), query_params=query
        )
    chosen.run()


if __name__ == "__main__":
    main()
