"""What the curves are of: network, data, recipes and how finely they are measured; and their link."""

import json
from dataclasses import replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.state.session import keep, plain, registered, segments, there
from pruning.data.datasets import DATASETS
from pruning.experiments.comparison import name_of
from pruning.experiments.curves import Bundle
from pruning.methods.rules import scopes_for
from pruning.methods.units import METHODS
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe, criteria_for

AXES = {"sparsity": "sparsity", "compression": "compression ratio", "macs": "MACs left"}
SHOWN = ["accuracy", "loss"]
USUAL = {"x": next(iter(AXES)), "y": SHOWN[0]}
PRECISIONS = {"full": None, "± 0.5 points": 0.005, "± 1 point": 0.01, "± 2 points": 0.02}


def chosen() -> list[Recipe]:
    """The recipes to draw, of one network and dataset; in a new session those of the link."""
    query = st.query_params.to_dict()
    if "curves of" not in st.session_state or get_script_run_ctx().is_history_navigation:
        st.session_state["curves of"] = []
        if "recipes" in query:
            _read(query)
    found = there()
    with st.sidebar:
        if st.session_state.get("network") not in found:
            st.session_state["network"] = "lenet5" if "lenet5" in found else next(iter(found))
        network = registered("Network", list(found), "network", NETWORKS)
        dataset = registered("Dataset", found[network], "dataset", DATASETS, otherwise=-1)
        options = {_name(recipe): recipe for recipe in _options(network, dataset)}
        given = [
            r for r in st.session_state["curves of"] if (r.network, r.dataset) == (network, dataset)
        ]
        if (
            (mine := st.session_state.get("recipe"))
            and (mine.network, mine.dataset) == (network, dataset)
            and mine.scope != "custom"
        ):
            given = [*given, replace(mine, value=0.5) if mine.rule == "sparsity" else mine]
        options |= {_name(recipe): recipe for recipe in given}
        key = f"curves of {network}, {dataset}"
        usual = [
            _name(recipe)
            for recipe in (
                Recipe(network, dataset),
                Recipe(network, dataset, criterion="random"),
                Recipe(network, dataset, method="filter", scope="layer"),
            )
        ]
        if key not in st.session_state or not set(st.session_state[key]) <= set(options):
            kept = [name for name in st.session_state.get(key, []) if name in options]
            st.session_state[key] = (
                kept or [_name(r) for r in given if r in st.session_state["curves of"]] or usual
            )
        names = st.multiselect(
            "Recipes",
            list(options),
            max_selections=12,
            **keep(key),
            help="Method by criterion, and the scope. Random is the control that every curve needs; what Explore "
            "shows is among them.",
        )
    return [options[name] for name in names]


def _options(network: str, dataset: str) -> list[Recipe]:
    return [
        Recipe(network, dataset, method=method, criterion=criterion, scope=scope)
        for method in METHODS
        for criterion in criteria_for(network, method)
        for scope in scopes_for("sparsity", method)
        if scope != "custom"
    ]


def _name(recipe: Recipe) -> str:
    return name_of(recipe, seed=recipe.seed != 0)


def bundle_of(recipes: list[Recipe]) -> Bundle | None:
    """How finely they are measured."""
    with st.sidebar:
        st.session_state.setdefault("curve points", 11)
        spacing = segments(
            "Points",
            ["even", "ratios"],
            "curve spacing",
            help="Even sparsities, or the compression ratios 1, 2, 4, 8, 16, 32.",
        )
        points = st.slider("How many", 2, 50, **keep("curve points")) if spacing == "even" else 0
        st.session_state.setdefault("curve seeds", 3)
        seeds = st.slider("Seeds of what is random", 1, 10, **keep("curve seeds"))
        slow = (
            bool(recipes)
            and NETWORKS[recipes[0].network].slow
            and DATASETS[recipes[0].dataset].test_images > 1000
        )
        key = _precision_key(recipes[0]) if recipes else "curve precision"
        st.session_state.setdefault(key, "± 2 points" if slow else "full")
        precision = st.selectbox(
            "Precision of a point",
            list(PRECISIONS),
            **keep(key),
            help="Half of the 95% interval's width at which a point is good enough; full: all test images.",
        )
    if not recipes:
        st.info("Choose a recipe.")
        return None
    return Bundle(
        tuple(_plain(recipe) for recipe in recipes), points, seeds, precision=PRECISIONS[precision]
    )


def _precision_key(recipe: Recipe) -> str:
    """Slow networks have a choice of their own."""
    return f"curve precision of {'slow' if NETWORKS[recipe.network].slow else 'fast'} networks"


def _plain(recipe: Recipe) -> Recipe:
    """Without what makes no difference to a curve, so that it is computed once for everybody."""
    return (
        replace(recipe, images=None)
        if recipe.rule != "sparsity"
        else replace(recipe, value=0.5, images=None)
    )


def put_link(asked: Bundle) -> None:
    """Let the address bar say what is shown."""
    query = {
        "recipes": json.dumps(
            [recipe.to_dict() for recipe in asked.recipes], separators=(",", ":")
        ),
        "points": str(asked.points),
        "seeds": str(asked.seeds),
    } | ({"precision": str(asked.precision)} if asked.precision else {})
    axes = {name: st.session_state.get(f"curves {name}") for name in USUAL}
    query |= {name: value for name, value in axes.items() if value not in (None, USUAL[name])}
    query |= {"published": "True"} if st.session_state.get("curves published") else {}
    if st.query_params.to_dict() != query:
        st.query_params.from_dict(query)


def _read(query: dict[str, str]) -> None:
    """Take over what a link asks for; what is wrong with it is said, and the page opens with the usual."""
    try:
        content = json.loads(query["recipes"])
        if not isinstance(content, list):
            raise ValueError("recipes must be a list")
        precision = float(query["precision"]) if "precision" in query else None
        asked = Bundle(
            tuple(Recipe.from_dict(one) for one in content),
            int(query.get("points", 11)),
            int(query.get("seeds", 3)),
            precision=precision,
        )
        first = asked.recipes[0]
        if first.dataset not in there().get(first.network, []):
            raise ValueError(f"{first.network} on {first.dataset} is not on this machine")
        if precision not in PRECISIONS.values():
            raise ValueError(
                f"precision must be one of {', '.join(str(v) for v in PRECISIONS.values() if v)}"
            )
        axes = {name: query.get(name, usual) for name, usual in USUAL.items()}
        for name, known in (("x", list(AXES)), ("y", SHOWN)):
            if axes[name] not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}")
    except (ValueError, RecursionError, TypeError) as error:
        st.session_state["message"] = f"The link could not be followed: {plain(str(error))}."
        return
    st.session_state.update(
        {
            "network": first.network,
            "dataset": first.dataset,
            "curves of": list(asked.recipes),
            "curve seeds": asked.seeds,
            "curve spacing": "even" if asked.points else "ratios",
            "curve points": asked.points or 11,
            "curves x": axes["x"],
            "curves y": axes["y"],
            "curves published": query.get("published") == "True",
            _precision_key(first): next(
                name for name, value in PRECISIONS.items() if value == precision
            ),
        }
    )
    st.session_state.pop(f"curves of {first.network}, {first.dataset}", None)
