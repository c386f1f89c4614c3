"""The evaluation's JSON and its summary."""

import dataclasses
import json
import math

import pytest

from lowerbound.errors import UserError
from lowerbound.evaluation import Evaluation

FOUND = Evaluation(
    examples=10_000,
    negative_elbo=89.126,
    negative_elbo_error=0.251,
    distortion=64.0,
    rate=25.126,
    nll_examples=1_000,
    particles=5_000,
    nll=85.5,
    nll_error=0.8,
    effective_sample_size=31.25,
    effective_sample_size_low=2.04,
    latent_dim=3,
    active_units=2,
    kl_per_dimension=(12.5, 12.6, 0.1 + 0.2),
    bits_per_dimension=0.1573,
    seed=0,
    seconds=61.0,
    protocol="−ELBO: one draw of z; ±: one standard error.",
    warnings=("Only 2 of 3 latent dimensions are active.",),
)


@pytest.mark.parametrize("found", [FOUND, dataclasses.replace(FOUND, bits_per_dimension=None, warnings=())])
def test_json_is_read_back_equal(found):
    assert Evaluation.from_json(found.to_json()) == found
    assert Evaluation.from_json(found.to_json().encode()) == found


def test_json_has_the_names_of_the_fields_and_readable_text():
    text = FOUND.to_json()
    assert list(json.loads(text)) == [field.name for field in dataclasses.fields(Evaluation)]
    assert "−ELBO" in text
    assert text.endswith("}\n")


def changed(**fields):
    return json.dumps(json.loads(FOUND.to_json()) | fields)


def without(name):
    figures = json.loads(FOUND.to_json())
    del figures[name]
    return json.dumps(figures)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "Invalid JSON"),
        (FOUND.to_json()[:200], "Invalid JSON"),
        (b"\xff\xfe\x00", "Invalid JSON"),
        ("[1, 2]", "object"),
        (without("nll"), "nll: "),
        (changed(extra=1), "extra: "),
        (changed(nll="85.5"), "nll: "),
        (changed(examples=3.5), "examples: "),
        (changed(kl_per_dimension=[1.0, "two"]), "kl_per_dimension.1: "),
        (changed(nll=math.nan), "nll: "),
        (changed(rate=None), "rate: "),
    ],
)
def test_damaged_json_is_refused_in_one_sentence(text, words):
    with pytest.raises(UserError) as error:
        Evaluation.from_json(text, source="runs/first/evaluation.json")
    message = str(error.value)
    assert message.startswith("runs/first/evaluation.json is damaged (")
    assert words in message
    assert message.endswith("): evaluate the model again.")
    assert "\n" not in message


def test_the_summary_states_every_figure_with_error_unit_and_protocol():
    assert FOUND.summary() == [
        "−ELBO                  89.13 ± 0.25 nats         10,000 examples",
        "  distortion + rate    64.00 + 25.13 nats",
        "NLL                    85.50 ± 0.80 nats         1,000 examples, 5,000 importance samples each",
        "                       0.157 bits per dimension",
        "effective sample size  31.2 of 5,000             lowest 5 %: below 2.0",
        "active units           2 of 3",
        "Warning: Only 2 of 3 latent dimensions are active.",
    ]
