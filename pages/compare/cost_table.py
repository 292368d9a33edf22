"""The ledger of a comparison, on request."""

import streamlit as st

from pages.state.background_task import wanted
from pages.state.session import plain
from pruning.cost.report import ledger
from pruning.engine.prune import Outcome


def show_ledger(names: list[str], outcomes: list[Outcome]) -> None:
    st.markdown("##### Ledger: what it really buys")
    recipes = tuple(o.recipe.key for o in outcomes)

    def work(report):
        return tuple(ledger(r, lambda i=i: report(i / len(recipes))) for i, r in enumerate(recipes))

    books = wanted("ledger", ("ledger", recipes), work, "Write the files and measure the latency")
    if books is None:
        st.caption(
            "Counts and real file sizes of dense, masked and removed networks, their peak memory, their measured "
            "latency, and the check that removed and masked networks give the same logits."
        )
        return
    table = books[0].table()[["quantity", "dense"]]
    for name, book in zip(names, books):
        told = book.table()
        table[f"{name}, masked"], table[f"{name}, removed"] = told["masked"], told["removed"]
    st.dataframe(table, hide_index=True)
    st.caption(
        "Masked: what the masks leave, as on Explore. Removed: what is in the built network. The effective counts above "
        "are those of the removed network without the zeros that are still in it."
    )
    for name, book in zip(names, books):
        same = "agree" if book.agrees else "**DO NOT AGREE**"
        st.caption(
            f"{plain(name)}: masked and removed logits {same} (largest difference {book.difference:.1e} on {book.checked:,} test "
            f"images). {' '.join(book.remarks)}"
        )
