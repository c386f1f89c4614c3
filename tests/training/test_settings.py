"""Settings out of range are refused in one sentence."""

from __future__ import annotations

import pytest

from lowerbound.training import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 0),
        ("epochs", 1.5),
        ("max_minutes", 0),
        ("max_minutes", float("inf")),
        ("batch_size", 0),
        ("learning_rate", 0),
        ("learning_rate", float("nan")),
        ("betas", (0.9, 1)),
        ("warmup", 1.1),
        ("decay", "exponential"),
        ("decay_to", -0.1),
        ("clip", 0),
        ("average", 1),
        ("patience", -1),
        ("validate_every", 0),
        ("validate_every", "never"),
        ("max_skipped", -1),
        ("checkpoint_minutes", -1),
        ("device", "gpu"),
        ("precision", "float16"),
        ("compile", "sometimes"),
    ],
)
def test_what_does_not_fit_is_named(name, value):
    with pytest.raises(ValueError, match="must be") as error:
        TrainingSettings(**{name: value})
    assert str(error.value).startswith(f"{name} = {value!r} does not fit: it must be ")
    assert "\n" not in str(error.value)


def test_a_hundred_epochs_are_the_bound_where_none_is_given():
    assert TrainingSettings().epoch_bound == 100
    assert TrainingSettings(epochs=7).epoch_bound == 7
    assert TrainingSettings(max_minutes=1).epoch_bound is None
    assert TrainingSettings(max_minutes=1, epochs=7).epoch_bound == 7
