"""The state of a visitor's session: one typed class whose fields are the keys of the session."""

from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar, overload

import streamlit as st

from pruning.data.own_image import OwnImage
from pruning.experiments.curve_request import DEFAULT_POINTS, DEFAULT_SEEDS
from pruning.recipe.recipe import Recipe
from pruning.runtime.jobs import Job

T = TypeVar("T")


class Field(Generic[T]):
    """A field of `SessionState`: a key of ``st.session_state`` with a type and a default.

    Parameters
    ----------
    default : callable
        ``default()`` gives the value of a new session.
    """

    def __init__(self, default: Callable[[], T]) -> None:
        self.default = default
        self.key = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self.key = name

    @overload
    def __get__(self, instance: None, owner: type) -> "Field[T]": ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> "Field[T] | T":
        if instance is None:
            return self
        if self.key not in st.session_state:
            st.session_state[self.key] = self.default()
        return st.session_state[self.key]

    def __set__(self, instance: object, value: T) -> None:
        st.session_state[self.key] = value

    def __delete__(self, instance: object) -> None:
        st.session_state.pop(self.key, None)

    def is_set(self) -> bool:
        """Return whether the session has a value of this field.

        Returns
        -------
        bool
            False until the field is first read or set.
        """
        return self.key in st.session_state

    def of(self, *parts: object) -> str:
        """Return the key of one member of a family of widgets, such as those of one column.

        Parameters
        ----------
        *parts : object
            What distinguishes the member.

        Returns
        -------
        str
            A key of ``st.session_state``.
        """
        return ", ".join([self.key, *(str(part) for part in parts)])


def optional() -> Any:
    """Make a field that is None in a new session.

    Returns
    -------
    Field
        The field.
    """
    return Field(lambda: None)


class SessionState:
    """What is remembered of a visitor between two runs of a page, one field per key.

    Fields that belong to a widget have the widget's key. A field whose name ends in ``_widgets``
    is a family: ``SessionState.column_widgets.of(column, "method")``.
    """

    # The visitor
    visitor: Field[str] = Field(str)
    """Random name of the visitor, the first part of every subscription."""
    message: Field[str | None] = optional()
    """Message to show in the next run of a page."""
    shown_message: Field[str | None] = optional()
    """Message that the current run of the page has shown."""
    widget_pages: Field[dict[str, str]] = Field(dict)
    """Page on which each persistent widget was last drawn, by key."""

    # Work in the background
    stopped_tasks: Field[dict[str, Hashable]] = Field(dict)
    """Key of the work that was cancelled or failed, by the name of the task."""
    partial_results: Field[dict[str, tuple[Hashable, Any]]] = Field(dict)
    """Key and partial result of cancelled work, by the name of the task."""
    followed_jobs: Field[dict[str, Job]] = Field(dict)
    """Last job of each task, by the name of the task."""
    last_move: Field[float] = Field(float)
    """Time of the last run of Explore or Inside, for debouncing."""

    # The recipe of Explore, Sensitivity and Agreement
    recipe: Field[Recipe | None] = optional()
    opened_recipe: Field[Recipe | None] = optional()
    """Recipe that a click on another page opens on Explore."""
    active_step: Field[int] = Field(int)
    """Index of the step that the sidebar shows."""
    visited: Field[list[Any]] = Field(list)
    """Settings that were evaluated on Explore (`VisitedPoint`), for its curve."""
    live_releases: Field[int] = Field(int)
    """Number of releases of the live threshold that Explore has taken over."""

    # Widgets of the sidebar
    network: Field[str | None] = optional()
    dataset: Field[str | None] = optional()
    method: Field[str | None] = optional()
    criterion: Field[str | None] = optional()
    variant: Field[str | None] = optional()
    grouping: Field[str | None] = optional()
    rule: Field[str | None] = optional()
    scope: Field[str | None] = optional()
    recovery: Field[str | None] = optional()
    """What happens to the remaining weights: ``none``, or a name in ``RECOVERIES``."""
    alike: Field[str | None] = optional()
    """Scope of rules that compare each score by itself: ``global`` or ``custom``."""
    layer_widgets: Field[None] = optional()
    """Family: layers that take part, by network, method and grouping."""
    pattern: Field[str | None] = optional()
    value: Field[float | None] = optional()
    """Value of the plain slider."""
    step: Field[float | None] = optional()
    """Value of the slider with uneven steps."""
    slider_shape: Field[Any] = optional()
    """Rule, scores and range that the slider was made for."""
    table: Field[Any] = optional()
    """Values of single layers, before they are edited."""
    table_shape: Field[Any] = optional()
    table_version: Field[int] = Field(int)
    table_widgets: Field[None] = optional()
    """Family: the editor of single layers, by version."""
    calibration: Field[int | None] = optional()
    seed: Field[int | None] = optional()

    # Explore
    tour: Field[int] = Field(int)
    """Stop of the guided tour, from 1; 0 without a tour."""
    presenting: Field[bool] = Field(bool)
    """Whether the page is drawn for a projector."""
    picture: Field[str | None] = optional()
    """Picture of the presentation."""

    pinned: Field[Recipe | None] = optional()
    """State A, with which the page compares what it shows."""

    # Widgets of Explore
    both: Field[bool] = Field(bool)
    """Whether pictures show A and B, not their difference."""
    histogram: Field[str | None] = optional()
    histogram_of: Field[str | None] = optional()
    histogram_method: Field[str | None] = optional()
    """Method for which ``histogram_of`` was chosen."""
    log: Field[bool] = Field(bool)
    mask: Field[str | None] = optional()
    default_mask: Field[str | None] = optional()
    """Mask that is shown without a choice; a link does not carry it."""
    file_kind: Field[str | None] = optional()
    file_form: Field[str | None] = optional()
    """Whether a file holds the smaller network, or the one with zeros."""
    why: Field[bool] = Field(bool)
    clicked: Field[tuple[str, int] | None] = optional()
    """Layer and output unit of the last click in a figure."""
    click_pending: Field[bool] = Field(bool)
    """Whether the click has yet to be shown by the widgets of the unit inspector."""
    clicks: Field[int] = Field(int)
    """Number of units that were clicked."""
    curve_clicked: Field[bool] = Field(bool)
    """Whether a point of the curve was clicked that the page does not show yet."""
    unit_group: Field[str | None] = optional()
    unit: Field[Any] = optional()
    unit_input: Field[Any] = optional()
    unit_channel: Field[Any] = optional()
    unit_row: Field[Any] = optional()
    unit_column: Field[Any] = optional()

    # Inside
    section: Field[str | None] = optional()
    """Part of the page that is shown."""
    after: Field[str | None] = optional()
    """Name of the network that is compared with the dense one."""
    changes: Field[str | None] = optional()
    """Which of the changed images are shown."""
    image: Field[int] = Field(int)
    """Index of the test image that is shown."""
    inside_layer: Field[str | None] = optional()
    image_source: Field[str | None] = optional()
    """Whether the image is one of the test images, or the visitor's own."""
    own_image: Field[OwnImage | None] = optional()
    """Image that the visitor has drawn or uploaded."""
    ink: Field[str] = Field(str)
    """What was drawn on the canvas, as the browser has sent it."""
    picture_widgets: Field[None] = optional()
    """Family: the uploader of a picture, by number."""
    pictures: Field[int] = Field(int)
    """Number of pictures that were uploaded: the key of the next uploader."""

    # Learn
    lesson: Field[str | None] = optional()
    """Name of the lesson that is shown; empty for the list of all."""
    slide: Field[int] = Field(int)
    """Number of the slide of the presentation, from 1; 0 for the whole lesson."""
    printing: Field[bool] = Field(bool)
    """Whether the print view is shown."""
    answers: Field[dict[str, dict[int, bool]]] = Field(dict)
    """Whether the first answer to a question was right, by lesson and number of the question."""
    question_widgets: Field[None] = optional()
    """Family: the chosen answer, by lesson and number of the question."""
    live_widgets: Field[None] = optional()
    """Family: widgets of the live parts, by part and name."""

    # Compare
    comparison: Field[list[Recipe]] = Field(list)
    column_ids: Field[list[str]] = Field(list)
    column_widgets: Field[None] = optional()
    """Family: widgets of one column, by the column's id and a name."""
    column_slider_shapes: Field[dict[str, Any]] = Field(dict)
    budget: Field[str | None] = optional()
    share_widgets: Field[None] = optional()
    """Family: the slider that drives all columns, by kind of budget."""
    uploads: Field[int] = Field(int)
    """Number of files that were opened: the key of the next uploader."""
    upload_widgets: Field[None] = optional()
    """Family: the uploader, by number."""

    # Curves
    curve_recipes: Field[list[Recipe]] = Field(list)
    """Recipes that a link asked for."""
    curve_names_widgets: Field[None] = optional()
    """Family: names of the chosen recipes, by network and dataset."""
    curve_spacing: Field[str | None] = optional()
    curve_points: Field[int] = Field(lambda: DEFAULT_POINTS)
    curve_seeds: Field[int] = Field(lambda: DEFAULT_SEEDS)
    curve_precision_widgets: Field[None] = optional()
    """Family: precision of a point, by the speed of the network."""
    curves_x: Field[str | None] = optional()
    curves_y: Field[str | None] = optional()
    curves_published: Field[bool] = Field(bool)
    curves_retrained: Field[bool] = Field(bool)

    # Sensitivity
    lose: Field[float] = Field(lambda: 1.0)

    # Retrain
    retrain_schedule: Field[str | None] = optional()
    retrain_widgets: Field[None] = optional()
    """Family: settings of a run, by network, dataset, schedule and name."""
    selected_run: Field[str] = Field(str)
    """Name of the run whose details are shown; empty for none."""
    runs_x: Field[str | None] = optional()
    checkpoint: Field[str | None] = optional()
    """Trained network of the sidebar: ``shipped``, or the name of a run."""

    # Your network
    own_data: Field[str | None] = optional()
    """Dataset of the network; `UPLOADED` for images that are being uploaded."""
    own_opened: Field[str | None] = optional()
    """Dataset that the next run of the page chooses."""
    own_source: Field[str | None] = optional()
    """Where the network comes from."""
    architecture: Field[str | None] = optional()
    """Architecture as JSON, as it is being edited."""
    own_example: Field[str] = Field(str)
    """Architecture that the page has proposed."""
    own_pair: Field[tuple[str, str] | None] = optional()
    """Network and dataset that were made ready last."""
    own_files: Field[int] = Field(int)
    """Number of files that were read: part of the keys of the next uploaders."""
    own_widgets: Field[None] = optional()
    """Family: uploaders and settings of files, by name."""

    # Agreement
    agreement_widgets: Field[None] = optional()
    """Family: the criteria to compare, by method."""
    agreement_sparsity: Field[float] = Field(lambda: 50.0)


session = SessionState()
"""The session of the visitor for whom the current thread runs a page."""
