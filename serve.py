"""Serve the application: ``python serve.py [options of "streamlit run"]``.

Until the first visitor has run ``app.py``, Streamlit takes a folder named ``pages`` for its older
kind of multipage application and answers a direct link to a page with "Page not found". The flag
that ``st.navigation`` clears in that first run is cleared here before the server starts.

What the first visitor would wait for is loaded before the server answers, and classification gets
a process of its own.
"""

import gc
import logging
import os
import signal
import sys
import traceback
from pathlib import Path

from pruning.runtime.process import configure_process

configure_process()  # before torch is imported

from streamlit.runtime.pages_manager import PagesManager  # noqa: E402
from streamlit.web import cli  # noqa: E402

import pruning.engine.evaluate  # noqa: E402
import pruning.figures.accuracy_curve  # noqa: E402, F401
from pruning.engine import store  # noqa: E402
from pruning.engine.network_file import delete_files  # noqa: E402
from pruning.engine.own_files import load_own_from_environment  # noqa: E402
from pruning.engine.trained_network import card_of  # noqa: E402
from pruning.inference.classification_process import start_process  # noqa: E402
from pruning.inference.device import device_of_sweeps  # noqa: E402
from pruning.runtime.errors import PrunescopeError  # noqa: E402

APP = Path(__file__).with_name("asgi.py")


def main(options: list[str]) -> None:
    """Start the server.

    Parameters
    ----------
    options : list of str
        Options of ``streamlit run``.
    """
    _check_store()
    _load_own()
    gc.collect()
    gc.freeze()  # a full collection of the imported modules takes 0.3 s, in which no page is drawn
    start_process(fork=True)
    _check_device()  # looks for a GPU, which a process must not have done before it forks
    PagesManager.uses_pages_directory = False
    # The server handles the signal first, and then sends it again to what is set here.
    signal.signal(signal.SIGTERM, _end)
    try:
        cli.main(["run", str(APP), *options])
    except SystemExit as end:
        _exit(end.code)
    except BaseException:
        traceback.print_exc()
        _exit(1)
    _exit(0)


def _end(number: int, frame: object) -> None:
    raise SystemExit(0)


def _check_store() -> None:
    """End where the address of the store is not valid; whether it answers is found out later."""
    try:
        store.location()
    except PrunescopeError as error:
        _exit(str(error))


def _check_device() -> None:
    """End where sweeps cannot be evaluated as the environment says."""
    try:
        device_of_sweeps()
    except PrunescopeError as error:
        _exit(str(error))


def _load_own() -> None:
    """Register the network and the data that the command ``app`` was started with.

    Its accuracy is measured once, before the first page needs it.
    """
    try:
        own = load_own_from_environment()
        if own is not None:
            print("Prunescope: measuring the accuracy of the network", file=sys.stderr)
            card_of(*own)
    except (PrunescopeError, ValueError) as error:
        _exit(str(error))


def _exit(code: int | str | None) -> None:
    """End at once.

    The interpreter's own end would wait for computations, or abort in one. Whatever must not be
    lost has been written whole.
    """
    if isinstance(code, str):
        print(code, file=sys.stderr)
        code = 1
    delete_files()
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


if __name__ == "__main__":
    main(sys.argv[1:])
