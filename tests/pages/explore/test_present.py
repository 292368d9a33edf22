import pytest

from tests.pages.common import button, opened

LENET = {"network": "lenet5", "dataset": "digits"}


def labels(at) -> list[str]:
    return [each.label for each in at.main.metric]


def test_the_presentation_is_begun_and_left_and_is_in_the_link():
    at = opened(**LENET, sparsity="0.5")
    button(at, "Present").click().run()
    assert not at.exception and not at.title
    assert labels(at) == ["Test accuracy", "Sparsity"]
    assert dict(at.query_params)["present"] == "True"
    button(at, "Leave").click().run()
    assert at.title[0].value == "Explore"
    assert "present" not in dict(at.query_params)


@pytest.mark.parametrize(
    "label, sparsity", [("+1%", 0.51), ("-1%", 0.49), ("+10%", 0.6), ("-10%", 0.4)]
)
def test_the_value_is_moved(label, sparsity):
    at = opened(**LENET, sparsity="0.5", present="True")
    button(at, label).click().run()
    assert at.session_state["recipe"].last_step.value == sparsity
    assert at.main.metric[1].value == f"{sparsity:.1%}"


@pytest.mark.parametrize("start, label, end", [("0.95", "+10%", 1.0), ("0.004", "-1%", 0.0)])
def test_the_value_stays_in_its_range(start, label, end):
    at = opened(**LENET, sparsity=start, present="True")
    button(at, label).click().run()
    assert at.session_state["recipe"].last_step.value == end


@pytest.mark.parametrize("picture", ["Distribution", "Curve", "Heatmap", "Mask"])
def test_each_picture_is_shown_alone(picture):
    at = opened(**LENET, sparsity="0.5", present="True")
    at.session_state["picture"] = picture
    at.run()
    assert not at.exception
    headings = [each.value for each in at.main.markdown if each.value.startswith("## ")]
    assert len(headings) == 1


def test_a_rule_without_a_share_has_no_buttons():
    at = opened(**LENET, sigma="1.5", present="True")
    assert not at.exception
    assert [each.label for each in at.main.button if "%" in each.label] == []


def test_a_recovery_is_presented():
    at = opened(network="lenet5", dataset="digits", sparsity="0.5", recovery="reconstruct")
    at.session_state["presenting"] = True
    at.run()
    assert not at.exception
    assert labels(at)[0] == "Test accuracy"
