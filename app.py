"""The entry point: page configuration and navigation."""

from pathlib import Path
from typing import Any

from pruning.runtime.process import configure_process

configure_process()  # before torch is imported

import streamlit as st  # noqa: E402

from pruning.runtime import installation  # noqa: E402
from pruning.runtime.errors import PrunescopeError  # noqa: E402

ASSETS = Path(__file__).parent / "assets"


def main() -> None:
    """Run the page of the URL."""
    pages = [
        _page("explore", "Explore", "tune", url_path=""),
        _page("learn", "Learn", "school"),
        _page("glossary", "What the numbers mean", "menu_book", url_path="about"),
        _page("inside", "Inside", "visibility"),
        _page("compare", "Compare", "compare"),
        _page("curves", "Curves", "show_chart"),
        _page("sensitivity", "Sensitivity", "thermostat"),
        _page("retrain", "Retrain", "model_training"),
        _page("own", "Your network", "upload"),
        _page("agreement", "Agreement", "join_inner"),
    ]
    page = st.navigation(pages, position="top")
    st.set_page_config(
        f"{page.title} · Prunescope",
        page_icon=str(ASSETS / "icon.svg"),
        layout="wide",
        initial_sidebar_state="auto",
    )
    st.logo(ASSETS / "logo.svg", size="large", icon_image=ASSETS / "icon.svg")
    st.html(ASSETS / "style.html")
    with st.container(key="history"):
        st.html(ASSETS / "history.html", unsafe_allow_javascript=True)
    try:
        installation.check_torch()
    except PrunescopeError as error:
        st.error(str(error))
        st.stop()
    page.run()


def _page(folder: str, title: str, icon: str, url_path: str | None = None) -> Any:
    is_default = url_path == ""
    return st.Page(
        f"pages/{folder}/page.py",
        title=title,
        icon=f":material/{icon}:",
        url_path=folder if url_path is None else url_path,
        default=is_default,
    )


if __name__ == "__main__":
    main()
