import numpy as np

from pruning.figures.class_matrix import (
    alt_of_class_accuracy,
    alt_of_confusion,
    class_accuracy_figure,
    confusion_figure,
)

CLASSES = ("cat", "dog")
CONFUSION = np.array([[8, 2], [0, 9]])


def test_errors_have_colours_and_the_diagonal_has_none():
    errors, diagonal = confusion_figure(CONFUSION, CLASSES).data
    assert np.isnan(errors.z[0][0]) and errors.z[0][1] == 2
    assert [list(row) for row in errors.text] == [["8", "2"], ["", "9"]]
    assert np.isnan(diagonal.z[0][1]) and diagonal.z[1][1] == 0
    assert (errors.zmin, errors.zmax) == (0, 2)


def test_a_difference_is_around_zero():
    errors, _ = confusion_figure(np.array([[-3, 3], [1, -1]]), CLASSES, is_difference=True).data
    assert (errors.zmin, errors.zmax) == (-3, 3)
    assert [list(row) for row in errors.text] == [["-3", "+3"], ["+1", "-1"]]


def test_no_errors():
    errors, _ = confusion_figure(np.diag([3, 4]), CLASSES).data
    assert errors.zmax > errors.zmin
    assert alt_of_confusion(np.diag([3, 4]), CLASSES).endswith("none.")


def test_alt_names_the_largest_errors():
    assert alt_of_confusion(CONFUSION.copy(), CLASSES).endswith("cat as dog: 2.")


def test_a_line_for_each_class():
    before, after = np.array([0.9, 0.8]), np.array([0.5, np.nan])
    lines, first, second = class_accuracy_figure(before, after, CLASSES, ("dense", "pruned")).data
    assert list(lines.x) == ["cat", "cat", None, "dog", "dog", None]
    assert list(first.y) == [0.9, 0.8]
    assert second.name == "pruned"
    assert "cat 90.0% to 50.0%" in alt_of_class_accuracy(before, after, CLASSES)


def test_alt_of_a_difference():
    text = alt_of_confusion(np.array([[-3, 3], [-1, 1]]), CLASSES, is_difference=True)
    assert text == (
        "Difference of two confusion matrices, largest errors: cat as dog: +3; dog as cat: -1."
    )
