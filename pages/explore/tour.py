"""A guided tour: ten states of Explore, each with a question and an answer."""

from dataclasses import dataclass

import streamlit as st

from pages.state.available import available_checkpoints
from pages.state.session import session
from pages.state.url import show_recipe
from pruning.recipe.recipe import Recipe
from pruning.recipe.step import Step

NETWORK = "lenet5"
RECOVERY = ("reconstruct",)
NEXT_PAGES = {
    "pages/learn/page.py": "Learn: a course with questions",
    "pages/inside/page.py": "Inside: which images and units change",
    "pages/compare/page.py": "Compare: recipes side by side",
    "pages/curves/page.py": "Curves: whole ranges of sparsities",
    "pages/sensitivity/page.py": "Sensitivity: each layer alone",
    "pages/retrain/page.py": "Retrain: train what remains",
    "pages/agreement/page.py": "Agreement: do criteria choose the same units?",
    "pages/own/page.py": "Your network: prune a network of your own.",
}


@dataclass(frozen=True)
class Stop:
    """A stop of the tour.

    Parameters
    ----------
    title : str
        Heading.
    steps : tuple of Step
        Of the recipe that Explore shows.
    text : str
        What is shown.
    question : str
        What to look for.
    answer : str
        Below the question, closed at first.
    recovery : tuple of str
        Of the recipe.
    pinned : tuple of Step
        Steps of the state that is pinned for comparison; empty if none is.
    """

    title: str
    steps: tuple[Step, ...]
    text: str
    question: str
    answer: str
    recovery: tuple[str, ...] = ()
    pinned: tuple[Step, ...] = ()

    def pinned_recipe(self, dataset: str) -> Recipe | None:
        """Return the recipe of the state that is pinned at this stop.

        Parameters
        ----------
        dataset : str
            As of `recipe`.

        Returns
        -------
        Recipe or None
            None if nothing is pinned.
        """
        return Recipe(NETWORK, dataset, steps=self.pinned) if self.pinned else None

    def recipe(self, dataset: str) -> Recipe:
        """Return the recipe of this stop.

        Parameters
        ----------
        dataset : str
            One on which LeNet-5 is trained.

        Returns
        -------
        Recipe
            Of LeNet-5.
        """
        return Recipe(NETWORK, dataset, steps=self.steps, recovery=self.recovery)


FILTERS = Step(method="filter", value=0.3, scope="layer")
STOPS = (
    Stop(
        "The dense network",
        (Step(value=0.0),),
        "LeNet-5 with all its weights: two convolutions and three fully connected layers.",
        "Which layer has most of the weights, and which needs most multiply-accumulates? "
        "The table at the bottom says both.",
        "*fc1* has most of the weights; *conv2* needs most multiply-accumulates, because each of "
        "its weights is used at every position of the image. Removing weights and removing work "
        "are different aims.",
    ),
    Stop(
        "Half of the weights",
        (Step(value=0.5),),
        "The half with the smallest magnitudes is set to zero, wherever it is.",
        "Does the accuracy differ from that of the dense network? Read the two lines below it.",
        "By a few images at most, and the test finds no evidence of a difference. Small weights "
        "contribute little: a trained network has many that it does not need.",
    ),
    Stop(
        "Four fifths",
        (Step(value=0.8),),
        "80% are removed. The heatmap shows each output unit of each layer.",
        "Which layers have lost most, and which least?",
        "The large fully connected layers have lost most. The first convolution has kept most of "
        "its weights, because they are large: with the scope *global*, all layers are compared.",
    ),
    Stop(
        "The same share in each layer",
        (Step(value=0.8, scope="layer"),),
        "The same sparsity, but now every layer loses 80%, the first convolution included. The "
        "stop before is pinned as A: the cards compare it with this state, B.",
        "Is the accuracy higher or lower than that of A? Why? The heatmap shows where B removes "
        "more (orange) and where less.",
        "Much lower. Where weights are removed matters as much as how many: with the scope "
        "*global*, layers compete, and those with large weights are spared.",
        pinned=(Step(value=0.8),),
    ),
    Stop(
        "At random",
        (Step(value=0.5, criterion="random"),),
        "Half of the weights again, chosen at random instead of by magnitude.",
        "How far is the accuracy below that of A, which removes as many by magnitude?",
        "It is far lower. A criterion is good if it is far above this control; try others, at the "
        "same sparsity.",
        pinned=(Step(value=0.5),),
    ),
    Stop(
        "Too far",
        (Step(value=0.95),),
        "95% by magnitude. The curve at the bottom is measured at many sparsities.",
        "From which sparsity on does the curve fall? Move the slider there and back.",
        "The curve is flat for long and bends between 80% and 90%: up to the bend, pruning costs "
        "little. Retraining moves the bend to the right, as the page *Retrain* shows.",
    ),
    Stop(
        "Whole filters",
        (FILTERS,),
        "30% of the output channels of each layer but the last are removed, with their biases. "
        "What is left can be stored as a smaller and faster network, not only as a sparser one.",
        "Only about 30% of the weights are gone. Is the accuracy lower than that of A, where half "
        "of the single weights of each layer are removed?",
        "Yes. Units cannot be chosen as finely as weights: good weights leave with each of them.",
        pinned=(Step(value=0.5, scope="layer"),),
    ),
    Stop(
        "Repaired without training",
        (FILTERS,),
        "The same filters, and then the remaining weights of each layer are fitted to the outputs "
        "of the dense network (*Recovery*).",
        "How much of the lost accuracy comes back? A is the state before. No label is used and "
        "no step of training: images only show which inputs each layer receives now.",
        "Nearly all of it. The information was still there; the next layer only expected other "
        "inputs.",
        recovery=RECOVERY,
        pinned=(FILTERS,),
    ),
    Stop(
        "Two steps",
        (FILTERS, Step(value=0.5)),
        "After the filters, half of the weights that are left are removed, and what remains is "
        "fitted again.",
        "How many parameters are left, and at what accuracy? Change the order of the steps in the "
        "sidebar: what changes?",
        "About a third of the parameters, at nearly the accuracy of the dense network. In the "
        "other order the accuracy is about the same, but more parameters are left: the filters "
        "then take weights with them that the first step had removed already.",
        recovery=RECOVERY,
    ),
    Stop(
        "On your own",
        (Step(value=0.5),),
        "Every control is in the sidebar, the address holds what you see, and every word is "
        "explained on the page *What the numbers mean*.",
        "What would you like to know? These pages answer the most common questions:",
        "Choose a network, remove as much as you like, and say what it costs: with its interval.",
    ),
)


def draw_tour_button() -> None:
    """Draw the button that begins the tour, if none is under way."""
    if not session.tour:
        st.button("Guided tour", icon=":material/tour:", on_click=_go_to, args=[1])


def draw_tour() -> None:
    """Draw the current stop of the tour, if one is under way."""
    if not session.tour:
        return
    stop = STOPS[session.tour - 1]
    is_last = session.tour == len(STOPS)
    with st.container(border=True, key="tour"):
        st.markdown(f"## {session.tour} of {len(STOPS)}: {stop.title}")
        st.markdown(stop.text)
        st.markdown(f"**What do you see?** {stop.question}")
        if is_last:
            for page, label in NEXT_PAGES.items():
                st.page_link(page, label=label)
        with st.expander("An answer", key=f"answer {session.tour}"):
            st.markdown(stop.answer)
        with st.container(horizontal=True):
            st.button("Back", on_click=_go_to, args=[session.tour - 1], disabled=session.tour == 1)
            if not is_last:
                st.button("Next", type="primary", on_click=_go_to, args=[session.tour + 1])
            st.button("Show this state again", on_click=_go_to, args=[session.tour])
            st.button(
                "End the tour", on_click=_go_to, args=[0], help="What the page shows remains."
            )


def _go_to(number: int) -> None:
    """Show a stop, in a callback; 0 ends the tour and leaves the recipe as it is."""
    session.tour = number
    session.pinned = None
    if number and session.recipe is not None:
        stop, dataset = STOPS[number - 1], tour_dataset(session.recipe)
        session.pinned = stop.pinned_recipe(dataset)
        show_recipe(stop.recipe(dataset))


def tour_dataset(recipe: Recipe) -> str:
    """Choose the dataset of the tour: that of the page if it is of LeNet-5, else the best there is.

    Parameters
    ----------
    recipe : Recipe
        What the page shows.

    Returns
    -------
    str
        A dataset on which LeNet-5 is trained.
    """
    available = available_checkpoints()[NETWORK]
    is_suitable = recipe.network == NETWORK and recipe.dataset in available
    return recipe.dataset if is_suitable else available[-1]
