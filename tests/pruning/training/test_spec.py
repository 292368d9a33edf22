import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pruning.recipe.recipe import Recipe
from pruning.training.schedules import SCHEDULES
from pruning.training.spec import RunSpec, default_spec, spec_from_dict, spec_to_dict

RECIPE = Recipe.one_step("lenet300", "digits", value=0.9)


@st.composite
def specs(draw) -> RunSpec:
    return default_spec(
        RECIPE,
        draw(st.sampled_from(list(SCHEDULES))),
        epochs=draw(st.integers(1, 100)),
        rounds=draw(st.integers(1, 10)),
        learning_rate=draw(st.floats(1e-4, 1)),
        seed=draw(st.integers(0, 9)),
        distillation=draw(st.floats(0, 1)),
    )


@given(specs())
def test_a_specification_survives_json_and_keeps_its_name(spec):
    read = spec_from_dict(json.loads(json.dumps(spec_to_dict(spec))))
    assert read == spec and read.name == spec.name


@given(specs(), specs())
def test_names_are_equal_where_specifications_are(one, other):
    assert (one.name == other.name) == (one == other)


def test_settings_without_effect_are_dropped():
    one = default_spec(RECIPE, "finetune", epochs=3, rounds=4, temperature=9.0)
    assert one == default_spec(RECIPE, "finetune", epochs=3, rounds=1)
    rewound = [
        default_spec(RECIPE, "finetune", epochs=3, rewind_rate=True, learning_rate=rate)
        for rate in (0.1, 0.2)
    ]
    assert rewound[0] == rewound[1]


def test_a_limit_on_the_test_images_is_dropped():
    recipe = Recipe.one_step("lenet300", "digits", value=0.9, max_test_images=10)
    assert default_spec(recipe, "finetune").recipe == RECIPE


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"epochs": 0}, "epochs must be a whole number from 1 to 1000, not 0"),
        ({"epochs": 2.5}, "epochs must be a whole number"),
        ({"epochs": True}, "epochs must be a whole number"),
        ({"learning_rate": float("nan")}, "learning_rate must be a number"),
        ({"learning_rate": 0}, "learning_rate must be a number"),
        ({"distillation": 2}, "distillation must be a number from 0 to 1"),
        ({"seed": -1}, "seed must be a whole number"),
        ({"batch_size": 1}, "batch_size must be a whole number from 2"),
        ({"rewind_rate": 1}, "rewind_rate must be true or false"),
        ({"options": (("speed", 1),)}, "no option 'speed'"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(changes, message):
    with pytest.raises(ValueError, match=message):
        default_spec(RECIPE, "finetune", **changes)


def test_what_a_schedule_does_not_do_is_refused():
    with pytest.raises(ValueError, match="gradual has no learning-rate rewinding"):
        default_spec(RECIPE, "gradual", rewind_rate=True)
    recovered = Recipe.one_step("lenet300", "digits", recovery=("reconstruct",))
    with pytest.raises(ValueError, match="lottery does not use recoveries"):
        default_spec(recovered, "lottery")
    with pytest.raises(ValueError, match="unknown schedule 'fast'"):
        default_spec(RECIPE, "fast")


@pytest.mark.parametrize(
    "content, message",
    [
        ([], "a run is an object"),
        ({"recipe": {}, "schedule": "finetune"}, "epochs is missing"),
        ({"recipe": {}, "schedule": "finetune", "epochs": 1, "x": 1}, "unknown field 'x'"),
        ({"recipe": {}, "schedule": "finetune", "epochs": 1, "options": []}, "options must be"),
    ],
)
def test_bad_files_are_refused(content, message):
    with pytest.raises(ValueError, match=message):
        spec_from_dict(content)
