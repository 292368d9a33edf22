"""What the numbers mean: terms, formulas, and where networks and data come from."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from pages.controls.step_form import SCOPE_LABELS
from pages.state.messages import escape_markdown, render_page, sentence, show_pending_message
from pages.state.visitor import set_active_work
from pruning.cost.macs import dense_cost
from pruning.data import datasets
from pruning.data.datasets import DATASETS, Dataset
from pruning.experiments.reference_table import read_table
from pruning.methods.criteria import CRITERIA
from pruning.methods.criteria.base import Criterion
from pruning.methods.recovery import RECOVERIES, Recovery
from pruning.methods.rules import RULES, SCOPES, Rule
from pruning.methods.units import METHODS
from pruning.models import NETWORKS, checkpoints
from pruning.models.checkpoints import Card
from pruning.runtime.errors import PrunescopeError
from pruning.training.schedules import SCHEDULES

TERMS = {
    "Sparsity": "Removed / all **prunable weights**: the weights of convolution and linear layers; "
    "biases and batch norms are never counted. Always as achieved, not as requested, and over the "
    "whole network even if only some layers take part.",
    "Test accuracy": "Correct / total on the full test set. For a slow network, an estimate from "
    "the first 1,000 test images with its 95% interval (Wilson) is shown first, while the other "
    "images are classified. Of all images, too, the accuracy has such an interval: it says what "
    "other test images of the same kind would give.",
    "Evidence of a difference": "Two networks are compared on the same images: of those that only "
    "one of them classifies correctly, how many are lost by pruning, and how many gained? If "
    "pruning changed nothing, each would be as likely lost as gained (exact test of McNemar 1947). "
    "A change has a colour only if p is below 0.05; one image of 10,000 is no evidence.",
    "Compression": "All parameters / parameters left, masked or effective. It counts numbers, not "
    "bytes: the file of a masked network is smaller only if zeros are encoded compactly.",
    "Effective": "Parameters and MACs without the weights connected to a channel whose output is "
    "always zero or unused (Vysogorets and Kempe 2023): what is nonzero after removal. Compare, "
    "Curves and the planner use it; Explore shows it beside the masked counts, which are of what "
    "the masks keep.",
    "Estimate": "Accuracy on the first images, in an order that follows from their pixels, so that "
    "they are a random sample; always with their number and Wilson's 95% interval.",
    "MACs": "Multiply-accumulates of convolution and linear layers for one image; FLOPs = 2 x "
    "MACs. MACs left are theoretical: ordinary kernels do not skip single zero weights.",
    "Masked and removed": "A neuron, filter or residual block is masked with its weights, its "
    "bias, and the scale and shift of its batch norm, so that its output is zero, as if it were "
    "removed. The weights of the next layer that are connected to it are still counted.",
    "Calibration images": "Training images, never test images, on which criteria measure "
    "activations and gradients, and on which recoveries compute statistics and fits: 1,024 by "
    "default.",
    "Recovery": "What happens to the remaining weights after the last step, without training. The "
    "masks stay the same.",
    "Retraining": "Training of what remains after pruning: masks hold exactly after every step of "
    "the optimizer. Validation images choose, and test images are read once, at the end; compare "
    "runs of equal epochs.",
    "Steps": "A recipe can have several steps: each one scores and prunes the network that the "
    "previous steps left.",
    "Score, criterion": "How important a unit is. Low scores are always removed first.",
    "Threshold": "All units with a lower score are removed, none with a higher one. For an exact "
    "sparsity it is the lowest score that was kept.",
    "Calibration error": "Expected calibration error: mean over the images of |accuracy - "
    "confidence|, in 15 bins of the confidence, which is the probability of the predicted class "
    "(Guo et al. 2017). Nothing to do with calibration images.",
    "Dead unit": "A unit whose output, after the activation function, is zero for all images on "
    "which it was measured.",
    "Percentile": "Share of the units of a layer with a lower score than a unit, in percent.",
    "Overlap (Jaccard)": "Of what two prunings remove: removed by both / removed by at least one. "
    "1 is the same mask; two independent random masks of half of the weights have 1/3.",
    "\N{GREEK SMALL LETTER SIGMA}": "Population standard deviation of all weights of a layer.",
    "Dense": "The network before pruning. Every mask is made from the dense weights, so the result "
    "does not depend on earlier positions of the slider.",
}


def page() -> None:
    """Draw the page."""
    set_active_work()
    st.title("What the numbers mean")
    show_pending_message()
    left, right = st.columns([3, 2], gap="large")
    with left:
        _draw_terms()
        st.markdown("## Rules")
        for rule in RULES.values():
            _draw_formula(rule)
        _draw_scopes_and_methods()
        st.markdown("## Recoveries, without training")
        for recovery in RECOVERIES.values():
            _draw_formula(recovery)
        _draw_schedules()
    with right:
        st.markdown("## Criteria")
        for criterion in CRITERIA.values():
            methods = [METHODS[name].label.lower() for name in criterion.applies_to]
            _draw_formula(criterion, f" For {', '.join(methods)}.")
    _draw_reference_table()
    _draw_networks()
    _draw_datasets()


def _draw_terms() -> None:
    terms = [f"**{term}.** {meaning}" for term, meaning in TERMS.items()]
    st.markdown("\n\n".join(terms))


def _draw_formula(entry: Rule | Criterion | Recovery, note: str = "") -> None:
    st.markdown(
        f"**{entry.label}** ${entry.formula}$  \n{entry.help} *{entry.source}.*{note}",
    )


def _draw_scopes_and_methods() -> None:
    st.markdown("## Scopes and methods")
    entries = []
    for name, text in SCOPES.items():
        label = SCOPE_LABELS.get(name, name)
        in_links = f" (`{name}` in links)" if label != name else ""
        entries.append(f"**{label}**{in_links}: {text}.")
    entries += [f"**{method.label}**: {method.help}" for method in METHODS.values()]
    st.markdown("\n\n".join(entries))


def _draw_schedules() -> None:
    st.markdown("## Schedules of retraining")
    entries = []
    for schedule in SCHEDULES.values():
        entries.append(f"**{schedule.label}**: {schedule.help} *{schedule.source}.*")
    st.markdown("\n\n".join(entries))


def _draw_reference_table() -> None:
    """Draw the accuracy of every criterion, a column per share of units removed."""
    table = pd.DataFrame(read_table().values())
    if table.empty:
        return
    st.markdown("## Every criterion, without retraining")
    table = table.astype({"share": float, "accuracy": float})
    registries: dict[str, Mapping[str, Any]] = {
        "network": NETWORKS,
        "dataset": DATASETS,
        "method": METHODS,
        "criterion": CRITERIA,
    }
    for name, registry in registries.items():
        labels = {key: entry.label for key, entry in registry.items()}
        table[name] = table[name].map(labels)
    index = [*registries, "scope"]
    wide = table.pivot_table("accuracy", index, "share", sort=False)
    wide.columns = [f"{share:.0%} removed" for share in wide.columns]
    percent = st.column_config.NumberColumn(format="percent")
    st.dataframe(
        wide.reset_index(),
        hide_index=True,
        column_config=dict.fromkeys(wide.columns, percent),
    )
    st.caption(
        "Accuracy on the full test set, one seed; share of the units that take part. "
        "`python -m pruning table` measures it again."
    )


def _draw_networks() -> None:
    st.markdown("## Networks")
    try:
        rows = [_network_row(checkpoints.card(*pair)) for pair in checkpoints.shipped()]
    except PrunescopeError as error:
        st.error(escape_markdown(sentence(error)))
        return
    count = partial(st.column_config.NumberColumn, format="localized")
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "test accuracy": st.column_config.NumberColumn(format="percent"),
            "parameters": count(),
            "prunable weights": count(),
            "MACs per image": count(),
        },
    )


def _network_row(card: Card) -> dict[str, str | int | float]:
    cost = dense_cost(card.network, card.dataset)
    return {
        "network": NETWORKS[card.network].label,
        "dataset": DATASETS[card.dataset].label,
        "test accuracy": card.test_accuracy,
        "parameters": cost.parameters,
        "prunable weights": cost.prunable_weights,
        "MACs per image": cost.macs,
        "epochs": card.epochs,
        "source": NETWORKS[card.network].source,
    }


def _draw_datasets() -> None:
    st.markdown("## Data")
    count = partial(st.column_config.NumberColumn, format="localized")
    st.dataframe(
        pd.DataFrame([_dataset_row(dataset) for dataset in DATASETS.values()]),
        hide_index=True,
        column_config={"training": count(), "validation": count(), "test": count()},
    )


def _dataset_row(dataset: Dataset) -> dict[str, str | int]:
    if not dataset.download_bytes:
        state = "built in"
    elif datasets.available(dataset.name):
        state = "downloaded"
    else:
        state = "not downloaded"
    return {
        "dataset": dataset.label,
        "source": dataset.source,
        "training": dataset.train_images - dataset.validation_images,
        "validation": dataset.validation_images,
        "test": dataset.test_images,
        "state": state,
    }


render_page(page)
