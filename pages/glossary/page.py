"""What the numbers mean: the words, the formulas, and where networks and data come from."""

import pandas as pd
import streamlit as st

from pages.state.session import only
from pruning.cost.macs import cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS
from pruning.experiments import reference_table as regression
from pruning.methods.criteria import CRITERIA
from pruning.methods.rules import RULES, SCOPES
from pruning.methods.units import METHODS
from pruning.models import NETWORKS, checkpoints
from pruning.runtime.errors import PrunescopeError

WORDS = {
    "Sparsity": "Removed / all **prunable weights**: the weights of convolution and linear layers. Biases and batch norm "
    "are never counted. Always as achieved, not as asked, and over the whole network even where only some "
    "layers take part.",
    "Test accuracy": "Correct / total on the full test set. A slow network first shows an estimate from the first 1,000 "
    "test images with its 95% interval (Wilson), and measures the rest while you look.",
    "Compression": "All parameters / parameters left. It counts numbers, not bytes: a file of a masked network is only "
    "smaller if it stores the zeros cleverly.",
    "Effective": "Parameters and MACs that still make a difference: weights that write or read a channel which says nothing, "
    "or that nobody reads, are not counted. It is what is not zero after removal. Compare, Curves and the "
    "planner use it; Explore counts what the masks leave.",
    "Estimate": "Accuracy of the first images, in an order that their pixels decide, so that they are a random sample; always "
    "with their number and Wilson's 95% interval.",
    "MACs": "Multiply-accumulates of convolution and linear layers for one image; FLOPs = 2 x MACs. MACs left are "
    "theoretical: ordinary kernels do not skip single zero weights.",
    "Masked = removed": "A neuron, filter or residual block is masked with its weights, bias, and batch-norm scale and shift, "
    "so that it says nothing any more. The weights that read it are still counted as there.",
    "Calibration images": "Training images, never test images, that criteria look at when they score what units do: 1,024 "
    "unless another number is chosen. The network does not change meanwhile.",
    "Steps": "A recipe can have several steps: each scores and prunes what the one before has left.",
    "Score, criterion": "How important a unit is. A low score goes first, always.",
    "Threshold": "All units that score below it are removed, none that score above it. For an exact sparsity it is the "
    "lowest score that was kept.",
    "σ": "The standard deviation (population) of all weights of a layer.",
    "Dense": "The network before pruning. Every mask is made from the dense weights, so moving the slider back and forth "
    "never adds up.",
}


def formulas(registry) -> None:
    for entry in registry.values():
        units = getattr(entry, "applies_to", ())
        st.markdown(
            f"**{entry.label}** ${entry.formula}$  \n{entry.help} *{entry.source}.*"
            + (f" For {', '.join(METHODS[name].label.lower() for name in units)}." if units else "")
        )


only()
st.title("What the numbers mean")
words, choices = st.columns([3, 2], gap="large")
with words:
    st.markdown("\n\n".join(f"**{word}.** {meaning}" for word, meaning in WORDS.items()))
    st.markdown("##### Rules")
    formulas(RULES)
    st.markdown("##### Scopes and methods")
    st.markdown(
        "\n\n".join(
            [
                *(f"**{name}**: {text}." for name, text in SCOPES.items()),
                *(f"**{entry.label}**: {entry.help}" for entry in METHODS.values()),
            ]
        )
    )
with choices:
    st.markdown("##### Criteria")
    formulas(CRITERIA)
st.markdown("##### Every criterion, without retraining")
table = pd.DataFrame(regression.read().values())
if len(table):
    table = table.astype({"share": float, "accuracy": float})
    for column, registry in (
        ("network", NETWORKS),
        ("dataset", DATASETS),
        ("method", METHODS),
        ("criterion", CRITERIA),
    ):
        table[column] = table[column].map(lambda name, registry=registry: registry[name].label)
    wide = table.pivot_table(
        "accuracy", ["network", "dataset", "method", "criterion", "scope"], "share", sort=False
    ).reset_index()
    wide.columns = [
        f"{name:.0%} removed" if isinstance(name, float) else name for name in wide.columns
    ]
    st.dataframe(
        wide,
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format="percent")
            for name in wide.columns
            if "removed" in name
        },
    )
    st.caption(
        "Test accuracy on the full test set, one seed; share of the units that take part. `python -m pruning table` "
        "makes it anew."
    )
st.markdown("##### Networks")
try:
    cards = [checkpoints.card(*pair) for pair in checkpoints.shipped()]
except PrunescopeError as error:
    st.error(str(error))
    cards = []
st.dataframe(
    pd.DataFrame(
        [
            {
                "network": NETWORKS[card.network].label,
                "dataset": DATASETS[card.dataset].label,
                "test accuracy": card.test_accuracy,
                "parameters": cost(card.network, card.dataset).parameters,
                "prunable weights": cost(card.network, card.dataset).prunable_weights,
                "MACs per image": cost(card.network, card.dataset).macs,
                "epochs": card.epochs,
                "source": NETWORKS[card.network].source,
            }
            for card in cards
        ]
    ),
    hide_index=True,
    column_config={
        "test accuracy": st.column_config.NumberColumn(format="percent"),
        **{
            name: st.column_config.NumberColumn(format="localized")
            for name in ("parameters", "prunable weights", "MACs per image")
        },
    },
)
st.markdown("##### Data")
st.dataframe(
    pd.DataFrame(
        [
            {
                "dataset": d.label,
                "source": d.source,
                "training": d.train_images - d.validation_images,
                "validation": d.validation_images,
                "test": d.test_images,
                "where": "built in"
                if not d.download_bytes
                else "here"
                if datasets.available(d.name)
                else "not downloaded yet",
            }
            for d in DATASETS.values()
        ]
    ),
    hide_index=True,
)
