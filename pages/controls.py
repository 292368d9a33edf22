"""The sidebar: what pages share. It reads and shows a recipe; the link, the widgets and the recipe always agree."""

import math
import re
import uuid
from dataclasses import replace

import streamlit as st

from pruning import checkpoints, datasets, download, experiment
from pruning.criteria import CRITERIA
from pruning.datasets import DATASETS
from pruning.errors import PrunescopeError
from pruning.jobs import Jobs
from pruning.networks import NETWORKS, layer_names
from pruning.recipe import Recipe, criteria_for, rules_for
from pruning.rules import RULES, SCOPES, value_for, views
from pruning.units import METHODS

KEEP = {"persist_state": "session"}


@st.cache_resource
def jobs() -> Jobs:
    return Jobs()


def plain(text: str) -> str:
    """Text that may come from a link, as Markdown that shows it and does nothing else."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text[:300])


def visitor() -> str:
    return st.session_state.setdefault("visitor", uuid.uuid4().hex)


def recipe() -> Recipe | None:
    """Draw the controls and give the recipe they stand for; None, and a message, where they stand for none."""
    before = st.session_state.get("recipe") or _from_link()
    if before is None:
        return None
    with st.sidebar:
        try:
            after = _draw(before)
        except (ValueError, PrunescopeError) as error:
            st.error(f"{str(error)[:1].upper()}{str(error)[1:]}.")
            return None
    st.session_state["recipe"] = after
    if st.query_params.to_dict() != after.to_query():
        st.query_params.from_dict(after.to_query())
    return after


def _there() -> dict[str, list[str]]:
    """The networks that can be shown, each with the datasets that are there and that it was trained on."""
    there: dict[str, list[str]] = {}
    for network, dataset in checkpoints.shipped():
        if datasets.available(dataset):
            there.setdefault(network, []).append(dataset)
    return there


def _from_link() -> Recipe | None:
    """What the address bar asks for; what it gets wrong is said, and the page opens with the defaults."""
    there = _there()
    if not there:
        st.error("There is no checkpoint: train one with `python -m pruning train lenet5 digits`.")
        return None
    network = "lenet5" if "lenet5" in there else next(iter(there))
    default = Recipe(network=network, dataset=there[network][-1])
    try:
        asked = Recipe.from_query(st.query_params.to_dict(), default)
        if "dataset" not in st.query_params and asked.dataset not in there.get(asked.network, []):
            asked = replace(asked, dataset=there.get(asked.network, [asked.dataset])[-1])
        if asked.dataset not in there.get(asked.network, []):
            reason = ("is not on this machine" if not datasets.available(asked.dataset)
                      else f"has no checkpoint for {NETWORKS[asked.network].label}")
            raise ValueError(f"{DATASETS[asked.dataset].label} {reason}")
    except ValueError as error:
        st.session_state["message"] = f"The link could not be followed: {plain(str(error))}. This is the default instead."
        asked = default
    for name in ("network", "dataset", "method", "criterion", "scope", "rule"):
        st.session_state[name] = getattr(asked, name)
    st.session_state[f"layers of {asked.network}"] = list(asked.chosen_layers)
    return asked


def _choice(label: str, options: list[str], key: str, registry, **more) -> str:
    if st.session_state.get(key) not in options:
        st.session_state[key] = options[-1] if key == "dataset" else options[0]
    return st.selectbox(label, options, key=key, format_func=lambda name: registry[name].label, **KEEP, **more)


def _draw(before: Recipe) -> Recipe:
    there = _there()
    network = _choice("Network", list(there), "network", NETWORKS)
    dataset = _choice("Dataset", there[network], "dataset", DATASETS)
    _card(network, dataset)
    _missing()
    method = _choice("Method", list(METHODS), "method", METHODS, help=_helps(METHODS))
    criterion = _choice("Criterion", criteria_for(method), "criterion", CRITERIA, help=_helps(CRITERIA))
    rule = _choice("Rule", rules_for(criterion), "rule", RULES, help=_helps(RULES))
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
                    rule=before.rule, value=before.value, layers=tuple(layers))
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
    """The same choice as a threshold, a sparsity, a percentile and a multiple of sigma."""
    seen = views(experiment.ranking(asked), experiment.choose(asked))
    span = lambda low, high, form: form.format(low) + (  # noqa: E731
        f" to {form.format(high)}" if form.format(low) != form.format(high) else "")
    st.caption(f"Score below **{span(seen.lowest, seen.highest, '{:.4g}')}**  \n= **{seen.percentile:.2f}th** percentile of "
               f"the {seen.units:,} {METHODS[asked.method].unit}s that take part  \n= **{span(*seen.sigmas, '{:.2f}')}** σ "
               "of the layer's weights")


def _helps(registry) -> str:
    return "  \n".join(f"**{entry.label}**" + (f" ${entry.formula}$" if hasattr(entry, "formula") else "")
                       + f": {entry.help}" for entry in registry.values())


def _card(network: str, dataset: str) -> None:
    card = checkpoints.card(network, dataset)
    with st.expander(f"Checkpoint: {card.test_accuracy:.2%} on test"):
        st.markdown(
            f"Test {card.test_accuracy:.2%} ({card.test_correct:,} of {card.test_images:,}), validation "
            f"{card.validation_accuracy:.2%}.  \n{card.epochs} epochs, batch {card.batch}, {card.seconds:,.0f} s, seed "
            f"{card.seed}.  \n{card.optimizer}; {card.schedule}; {card.augmentation}; {card.precision}; "
            f"torch {card.versions['torch']}.  \nsha256 `{card.weights_sha256[:16]}`")


def _missing() -> None:
    """A button for each dataset that is not there, with the progress of its download."""
    for name, dataset in DATASETS.items():
        if not datasets.available(name):
            megabytes = dataset.download_bytes / 1e6
            if st.button(f"Download {dataset.label} ({megabytes:.0f} MB)", icon=":material/download:", width="stretch"):
                bar = st.progress(0.0, f"Downloading {dataset.label}")
                try:
                    download.download(name, lambda share: bar.progress(share, f"Downloading {dataset.label}"))
                except PrunescopeError as error:
                    st.error(str(error))
                else:
                    st.rerun()
