"""The networks that Inside compares, and the predictions of all of them."""

from collections.abc import Callable
from dataclasses import dataclass

from pages.state.background_task import Task, TaskProgress
from pages.state.session import SessionState
from pages.state.widgets import segments
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import prune
from pruning.experiments.feature_maps import LayerActivity, measure_activity
from pruning.experiments.predictions import PredictionSet, Stage, predict, stages
from pruning.inference.predictions import PredictionChange, Predictions
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe

PREDICTIONS_TASK = "predictions"
ACTIVITY_TASK = "activity"
PATIENCE_S = 30.0
"""Age of the predictions up to which estimates of others go before the other images."""
ACTIVITY_IMAGES, SLOW_ACTIVITY_IMAGES = 1_024, 256

Activity = dict[str, LayerActivity]


@dataclass(frozen=True, eq=False)
class Compared:
    """The network before pruning, and the one that is compared with it.

    Parameters
    ----------
    stages : tuple of Stage
        All networks, the dense one first.
    chosen : int
        Index of the one that is compared with the dense one.
    """

    stages: tuple[Stage, ...]
    chosen: int

    @property
    def names(self) -> tuple[str, str]:
        """Names of both."""
        return self.stages[0].name, self.stages[self.chosen].name

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Recipes of all stages."""
        return tuple(stage.recipe for stage in self.stages)

    @property
    def pair(self) -> tuple[Recipe, Recipe]:
        """Recipes of both."""
        return self.stages[0].recipe, self.stages[self.chosen].recipe

    def change(self, predictions: tuple[Predictions, ...]) -> PredictionChange:
        """Return the predictions of both.

        Parameters
        ----------
        predictions : tuple of Predictions
            Of all stages.

        Returns
        -------
        PredictionChange
            The dense network first.
        """
        return PredictionChange(predictions[0], predictions[self.chosen])


def choose_networks(recipe: Recipe) -> Compared:
    """Draw the choice of the network that is compared with the dense one, if there is one.

    Parameters
    ----------
    recipe : Recipe
        The recipe of the sidebar.

    Returns
    -------
    Compared
        By default the last network.
    """
    networks = stages(recipe)
    names = [stage.name for stage in networks[1:]]
    if len(names) == 1:
        return Compared(networks, 1)
    chosen = segments(
        "Compare the dense network with",
        names,
        SessionState.after.key,
        default=len(names) - 1,
        format_func=str.capitalize,
    )
    return Compared(networks, 1 + names.index(chosen))


def predictions_task(compared: Compared) -> Task:
    """Return the task that classifies all test images by all networks.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    Task
        Its result and its partial results are a `PredictionSet`.
    """
    recipes = compared.recipes

    def work(report: Callable[[TaskProgress], None]) -> PredictionSet:
        def report_set(share: float, predictions: PredictionSet | None) -> None:
            report(TaskProgress(share, predictions))

        return predict(recipes, report_set)

    return Task(
        name=PREDICTIONS_TASK,
        key=(PREDICTIONS_TASK, recipes),
        work=work,
        label="Classify the test images",
        starts_itself=True,
        subject="The predictions",
        bar_first=False,
        interval=1.0,
        patience=_patience,
    )


def _patience(progress: TaskProgress | None) -> float:
    has_estimate = progress is not None and progress.partial is not None
    return PATIENCE_S if has_estimate else 0.0


def is_estimate_ready(recipe: Recipe) -> Callable[[PredictionSet, bool], bool]:
    """Return when the predictions of the first images are shown before the others.

    Parameters
    ----------
    recipe : Recipe
        Gives the network.

    Returns
    -------
    callable
        For a fast network, only if other work goes first.
    """
    is_slow = NETWORKS[recipe.network].slow

    def is_ready(predictions: PredictionSet, must_wait: bool) -> bool:
        return is_slow or must_wait

    return is_ready


def activity_images(recipe: Recipe) -> int:
    """Return on how many calibration images the activity of units is measured.

    Parameters
    ----------
    recipe : Recipe
        Gives the network.

    Returns
    -------
    int
        Fewer for slow networks.
    """
    return SLOW_ACTIVITY_IMAGES if NETWORKS[recipe.network].slow else ACTIVITY_IMAGES


def activity_task(compared: Compared) -> Task:
    """Return the task that measures how active the units of both networks are.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    Task
        Its result is a tuple of two `Activity`.
    """
    recipes = compared.pair
    images = activity_images(recipes[0])

    def work(report: Callable[[TaskProgress], None]) -> tuple[Activity, ...]:
        results = []
        for index, recipe in enumerate(recipes):

            def report_share(share: float, index: int = index) -> None:
                report(TaskProgress((index + share) / len(recipes)))

            network = network_of(recipe)
            results.append(measure_activity(network, recipe.dataset, images, report_share))
        return tuple(results)

    return Task(
        name=ACTIVITY_TASK,
        key=(ACTIVITY_TASK, recipes, images),
        work=work,
        label="Measure the activity",
        starts_itself=True,
        subject="The activity of the units",
    )


def network_of(recipe: Recipe) -> MaskedNetwork:
    """Return the network of a stage.

    Parameters
    ----------
    recipe : Recipe
        Recipe of the stage.

    Returns
    -------
    MaskedNetwork
        After its recovery, if it has one; shared and never modified.
    """
    return prune(recipe).recovered
