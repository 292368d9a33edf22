"""Serve the application: ``python serve.py [options of "streamlit run"]``.

Until the first visitor has run ``app.py``, Streamlit takes a folder named ``pages`` for its older
kind of multipage application and answers a direct link to a page with "Page not found". The flag
that ``st.navigation`` clears in that first run is cleared here before the server starts.
"""

import sys
from pathlib import Path

from streamlit.runtime.pages_manager import PagesManager
from streamlit.web import cli

APP = Path(__file__).with_name("app.py")


def main(options: list[str]) -> None:
    """Start the server.

    Parameters
    ----------
    options : list of str
        Options of ``streamlit run``.
    """
    PagesManager.uses_pages_directory = False
    cli.main(["run", str(APP), *options])


if __name__ == "__main__":
    main(sys.argv[1:])
