"""The link of the page, to copy and as a QR code."""

from urllib.parse import urlencode

import segno
import streamlit as st

SCALE = 4
BORDER = 3


def draw_share_button() -> None:
    """Draw a button that opens a dialog with the link of what the page shows."""
    if st.button("Share", icon=":material/qr_code_2:"):
        _draw_dialog()


@st.dialog("Share what you see")
def _draw_dialog() -> None:
    link = current_link()
    st.caption("This address opens the same state:")
    st.code(link, language=None, wrap_lines=True)
    code = segno.make(link, micro=False)
    svg = code.svg_inline(scale=SCALE, border=BORDER, dark="#000", light="#fff")
    st.html(f"<div role='img' aria-label='QR code of the address'>{svg}</div>")


def current_link() -> str:
    """Return the address of the page with what it shows.

    Returns
    -------
    str
        The address that the browser has opened, with the present query.
    """
    address = (st.context.url or "").partition("?")[0]
    return f"{address}?{urlencode(st.query_params.to_dict())}"
