"""The link of the page, to copy and as a QR code."""

import io
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
    try:
        code = segno.make(link, micro=False)
    except segno.DataOverflowError:
        st.caption("The address is too long for a QR code.")
        return
    picture = io.BytesIO()
    code.save(picture, "png", scale=SCALE, border=BORDER)
    st.image(picture, alt="QR code of the address")


def current_link() -> str:
    """Return the address of the page with what it shows.

    Returns
    -------
    str
        The address that the browser has opened, with the present query.
    """
    address = (st.context.url or "").partition("?")[0].rstrip("/")
    return f"{address}/?{urlencode(st.query_params.to_dict())}"
