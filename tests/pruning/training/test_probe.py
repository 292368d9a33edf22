import pytest

from pruning.training.probe import Speed, measure_speed, speed_key
from tests.pruning.training.common import small_spec


def test_the_estimate_adds_up():
    speed = Speed(step=0.01, steps_per_epoch=100, validation=0.5, scoring=2.0)
    spec = small_spec("iterative", epochs=3, rounds=4)
    assert speed.seconds(spec) == pytest.approx(12 * (100 * 0.01 + 0.5) + 4 * 2.0)


def test_schedules_that_prune_every_few_steps_score_more_often():
    speed = Speed(step=0.0, steps_per_epoch=100, validation=0.0, scoring=1.0)
    spec = small_spec("gradual", epochs=4, options=(("interval", 50), ("pruning_share", 0.5)))
    assert speed.seconds(spec) == 4


def test_the_speed_is_measured_and_progress_never_falls():
    shares = []
    speed = measure_speed(small_spec("finetune"), "cpu", shares.append)
    assert speed.step > 0 and speed.validation > 0 and speed.scoring > 0
    assert speed.steps_per_epoch == 1150 // 64
    assert shares == sorted(shares) and shares[-1] == 1.0


def test_the_teacher_takes_time():
    plain, taught = small_spec("finetune"), small_spec("finetune", distillation=0.5)
    assert speed_key(plain, "cpu") != speed_key(taught, "cpu")
    assert measure_speed(taught, "cpu").step > 0


def test_the_key_does_not_depend_on_the_amount_or_the_schedule():
    one, other = small_spec("finetune", value=0.3), small_spec("gradual", value=0.9)
    assert speed_key(one, "cpu") == speed_key(other, "cpu")
