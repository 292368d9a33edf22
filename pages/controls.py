"""The sidebar: what pages share. The widgets, the recipe and the link always agree."""

import math
from dataclasses import replace

import streamlit as st

from pages.data import offer_download, show_card
from pages.session import KEEP, current, plain, put_link, there
from pruning import datasets, experiment
from pruning.criteria import CRITERIA
from pruning.datasets import DATASETS
from pruning.errors import PrunescopeError
from pruning.networks import NETWORKS, layer_names
from pruning.recipe import Recipe, criteria_for, rules_for
from pruning.registry import Registry
from pruning.rules import RULES, SCOPES, value_for, views
from pruning.units import METHODS


def recipe() -> Recipe | None:
    """Draw the controls and give the recipe they stand for; None, and a message, where they stand for none."""
    before = current()
    if before is None:
        return None
    with st.sidebar:
        try:
            after = _draw(before)
        except (ValueError, PrunescopeError) as error:
            st.error(plain(f"{str(error)[:1].upper()}{str(error)[1:]}."))
            return None
    st.session_state["recipe"] = after
    put_link(after)
    return after


def choice(label: str, options: list[str], key: str, *, otherwise: int = 0, **more) -> str:
    """A selectbox that keeps its value over pages and links; a value that is no option becomes another."""
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[otherwise]
    return st.selectbox(label, options, key=key, **KEEP, **more)


def _registered(label: str, options: list[str], key: str, registry: Registry, **more) -> str:
    return choice(label, options, key, format_func=lambda name: registry[name].label, **more)


def _draw(before: Recipe) -> Recipe:
    found = there()
    network = _registered("Network", list(found), "network", NETWORKS)
    dataset = _registered("Dataset", found[network], "dataset", DATASETS, otherwise=-1)
    show_card(network, dataset)
    for name in DATASETS:
        if not datasets.available(name):
            offer_download(name)
    method = _registered("Method", list(METHODS), "method", METHODS, help=_helps(METHODS))
    criterion = _registered("Criterion", criteria_for(method), "criterion", CRITERIA, help=_helps(CRITERIA))
    rule = _registered("Rule", rules_for(criterion), "rule", RULES, help=_helps(RULES))
    scope = st.segmented_control(
        "Scope", list(SCOPES), key="scope", required=True, disabled=not RULES[rule].scopes, **KEEP,
        help="  \n".join(f"**{name}**: {text}." for name, text in SCOPES.items())
        + "  \nOnly the sparsity rule lets layers compete; the others look at each score by itself.")
    value_place = st.container()
    names = layer_names(network)
    with st.expander("Layers that take part"):
        key = f"layers of {network}"
        st.session_state.setdefault(key, list(names))
        layers = st.multiselect("Layers", names, key=key, label_visibility="collapsed", placeholder="Choose layers",
                                **KEEP)
    asked = replace(before, network=network, dataset=dataset, method=method, criterion=criterion, scope=scope,
                    layers=tuple(layers))
    if rule != before.rule:
        asked = _same_sparsity(asked, rule)
    with value_place:
        asked = replace(asked, value=_slider(asked))
        _views(asked)
    return asked


def _same_sparsity(asked: Recipe, rule: str) -> Recipe:
    """The other rule, with the value that removes as many: threshold and sparsity are two views of one thing."""
    ranking = experiment.ranking(asked)
    count = sum(cut.count for cut in experiment.choose(asked).values())
    value = count / ranking.units if rule == "sparsity" else value_for(RULES[rule], ranking, count, asked.scope)
    return replace(asked, rule=rule, value=float(f"{value:.4g}"))


def _slider(asked: Recipe) -> float:
    rule = RULES[asked.rule]
    share = rule.largest == 1.0
    limit = 1.0 if share else rule.limit(experiment.ranking(asked))
    step = 0.001 if share else 10.0 ** math.floor(math.log10(limit / 200))
    limit = 1.0 if share else math.ceil(limit / step) * step
    scale = 100.0 if share else 1.0  # shares are shown in percent
    shape = (asked.rule, limit, step)
    if st.session_state.get("slider shape") != shape or "value" not in st.session_state:
        st.session_state["slider shape"] = shape  # a slider whose range changes forgets its value: tell it again
        st.session_state["value"] = min(asked.value, limit) * scale
    digits = max(0, -math.floor(math.log10(step * scale)))
    value = st.slider(rule.label, 0.0, limit * scale, step=step * scale, key="value",
                      format=f"%.{digits}f" + ("%%" if share else ""), help=f"${rule.formula}$", **KEEP)
    return min(limit, round(value / scale, 9))


def _views(asked: Recipe) -> None:
    """The same choice as a threshold, a percentile (the sparsity) and a multiple of sigma."""
    seen = views(experiment.ranking(asked), experiment.choose(asked))

    def span(low: float, high: float, form: str) -> str:
        low, high = form.format(low), form.format(high)
        return low if low == high else f"{low} to {high}"

    unit = METHODS[asked.method].unit
    st.caption(f"Score below **{span(seen.lowest, seen.highest, '{:.4g}')}**  \n= **{seen.percentile:.2f}%** (percentile) "
               f"of the {seen.units:,} {unit}s that take part  \n= **{span(*seen.sigmas, '{:.2f}')}** σ of the layer's "
               "weights")


def _helps(registry: Registry) -> str:
    return "  \n".join(f"**{entry.label}**" + (f" ${entry.formula}$" if hasattr(entry, "formula") else "")
                       + f": {entry.help}" for entry in registry.values())
