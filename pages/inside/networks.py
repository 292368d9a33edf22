"""The networks that Inside compares, and the predictions of all of them."""

from collections.abc import Callable
from dataclasses import dataclass

from pages.state.background_task import (
    Task,
    TaskProgress,
    draw_task,
    partial_result,
    start,
    wait_for,
)
from pages.state.session import SessionState
from pages.state.visitor import jobs
from pages.state.widgets import segments
from pruning.engine.masked_network import MaskedNetwork
from pruning.engine.prune import has_cached_scores, prune
from pruning.engine.recover import has_cached_recovery
from pruning.experiments.feature_maps import LayerActivity, measure_activity
from pruning.experiments.predictions import (
    PredictionSet,
    Stage,
    known_predictions,
    predict,
    stages,
)
from pruning.inference.predictions import PredictionChange, Predictions
from pruning.methods.criteria import CRITERIA
from pruning.models import NETWORKS
from pruning.recipe.recipe import Recipe, max_calibration_images
from pruning.runtime.progress import ShareReport

PREDICTIONS_TASK = "predictions"
ACTIVITY_TASK = "activity"
NETWORKS_TASK = "networks"
DONE = "done"
"""Result of a task whose results are in a cache."""
PATIENCE_FOR_NETWORKS_S = 1.0
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
    def repaired(self) -> int | None:
        """Index of the last stage that a recovery or training has repaired; None if there is none.

        The stage before it is what pruning alone has left.
        """
        repaired = [index for index, stage in enumerate(self.stages) if stage.is_repaired]
        has_pruned = bool(repaired) and repaired[-1] > 1
        return repaired[-1] if has_pruned else None

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
        Its partial results are a `PredictionSet`; the result is in the cache, see
        `await_predictions`.
    """
    recipes = compared.recipes

    def work(report: Callable[[TaskProgress], None]) -> str:
        def report_set(share: float, predictions: PredictionSet | None) -> None:
            report(TaskProgress(share, predictions))

        predict(recipes, report_set)
        report(TaskProgress(1.0))  # the finished job holds no predictions
        return DONE

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


def start_predictions(compared: Compared) -> None:
    """Begin to classify the test images, if the predictions are not known.

    Parameters
    ----------
    compared : Compared
        The networks.
    """
    if known_predictions(compared.recipes) is None:
        task = predictions_task(compared)
        jobs().forget(task.key)  # of predictions that the cache has dropped
        start(task)


def await_predictions(compared: Compared) -> PredictionSet | None:
    """Return the predictions of all networks, after `start_predictions`.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    PredictionSet or None
        Those of the first images while the others are classified; None if there are none yet.
    """
    known = known_predictions(compared.recipes)
    if known is not None:
        return known
    task = predictions_task(compared)
    wait_for(task, None, enough=is_estimate_ready(compared.recipes[0]))
    return known_predictions(compared.recipes) or partial_result(task)


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
    usual = SLOW_ACTIVITY_IMAGES if NETWORKS[recipe.network].slow else ACTIVITY_IMAGES
    return min(usual, max_calibration_images(recipe.dataset))


def networks_task(compared: Compared) -> Task:
    """Return the task that prunes and recovers both networks.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    Task
        The networks are in the caches of the engine afterwards.
    """
    recipes = compared.pair

    def work(report: Callable[[TaskProgress], None]) -> str:
        for index, recipe in enumerate(recipes):
            prune(recipe, _part_report(report, index)).recover(_part_report(report, index))
        return DONE

    return Task(
        name=NETWORKS_TASK,
        key=(NETWORKS_TASK, recipes),
        work=work,
        label="Prune",
        starts_itself=True,
        subject="The network",
    )


def _part_report(report: Callable[[TaskProgress], None], index: int) -> ShareReport:
    """Report the share of the first or the second of two equal parts."""
    return lambda share: report(TaskProgress((index + share) / 2))


def await_networks(compared: Compared) -> bool:
    """Prune and recover both networks in the background, or draw the progress.

    Parameters
    ----------
    compared : Compared
        The networks.

    Returns
    -------
    bool
        Whether `network_of` takes no time for both.
    """
    if all(_is_ready(recipe) for recipe in compared.pair):
        return True
    task = networks_task(compared)
    jobs().forget(task.key)  # of networks that the caches have dropped
    if wait_for(task, PATIENCE_FOR_NETWORKS_S) is None:
        draw_task(task)
        return False
    return True


def _is_ready(recipe: Recipe) -> bool:
    scored = all(
        has_cached_scores(prefix) or not CRITERIA[prefix.last_step.criterion].needs_data
        for prefix in recipe.prefixes()
    )
    return scored and has_cached_recovery(recipe)


def activity_task(compared: Compared) -> Task:
    """Return the task that measures how active the units of both networks are.

    Parameters
    ----------
    compared : Compared
        The networks, after `await_networks`.

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
            part = _part_report(report, index)
            network = prune(recipe).recover(part).network
            results.append(measure_activity(network, recipe.dataset, images, part))
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
    """Return the network of a stage, after `await_networks`.

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
