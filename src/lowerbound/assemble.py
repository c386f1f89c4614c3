"""From a configuration and a dataset to a model, an objective and a preparation."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from lowerbound.config import Config, ModelSettings
from lowerbound.data import Dataset, Preparation, Splits, preparation_for, recommend_likelihood, scale_of, split
from lowerbound.data.rows import rows_at_once
from lowerbound.errors import UserError
from lowerbound.likelihoods import LIKELIHOODS, Likelihood
from lowerbound.models import DRAW, VAE, VQVAE, LatentModel
from lowerbound.nn import DECODERS, ENCODERS, Centre, Conditional
from lowerbound.objectives import OBJECTIVES, Objective
from lowerbound.parts import Part, build, lookup
from lowerbound.posteriors import POSTERIORS, VectorQuantized, check_same_space
from lowerbound.priors import PRIORS

if TYPE_CHECKING:
    from lowerbound.nn.conditional import Head


class Assembly(NamedTuple):
    """Everything that a training needs, and why it is as it is."""

    config: Config
    """The configuration with every "auto" of data and likelihood replaced by what was chosen."""
    splits: Splits
    preparation: Preparation
    """From stored values to what the model sees; for static binarisation the values that `stored` gives are fixed."""
    model: LatentModel
    objective: Objective
    classes: tuple[str, ...]
    """Of a conditional model, what each entry of its context stands for."""
    understood: str
    """What the data is, which likelihood it has, and why, in one line."""


def assemble(dataset: Dataset, config: Config) -> Assembly:
    """Choose what was left to choose, and build every part.

    Args:
        dataset: The data.
        config: The settings.

    Raises:
        UserError: Data, likelihood and binarisation that do not fit together, or a part's setting that does not fit.
    """
    likelihood, binarisation, reason = choose_likelihood(dataset, config)
    config = replace(
        config,
        data=replace(config.data, binarisation=binarisation),
        model=replace(config.model, likelihood=likelihood),
    )
    splits = split(dataset, seed=split_seed(config), validation=config.data.validation, test=config.data.test)
    preparation = preparation_for(_preparation(likelihood), dataset, splits.train)
    mean = mean_of(dataset, splits.train, preparation)

    def examples(n: int) -> Tensor:
        if n > len(splits.train):
            raise ValueError(f"it begins with {n} training data, and there are {len(splits.train)}: ask for fewer.")
        rows = np.random.default_rng(config.seed).choice(splits.train, n, replace=False)
        return preparation.expected(torch.from_numpy(dataset.values[rows])).float()

    classes = classes_for(dataset, config)
    model = build_model(config.model, mean, examples, seed=config.seed, context_dim=len(classes))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        latents, data_size = config.model.latent_dim, len(splits.train)
        objective = build(
            config.objective,
            OBJECTIVES,
            "objective",
            latent_dim=latents,
            data_size=data_size,
            decoder=model.decoder,
        )
    words = likelihood.name.replace("-", " ")
    drawn = {"none": "", "dynamic": " with dynamic binarisation", "static": " with static binarisation"}[binarisation]
    understood = f"{dataset.describe()}; likelihood {words}{drawn}, {reason}"
    if classes:
        understood += f"; given its label, one of {len(classes)}"
    return Assembly(config, splits, preparation, model, objective, classes, understood)


def classes_for(dataset: Dataset, config: Config) -> tuple[str, ...]:
    """The classes that a conditional model is told of; none for any other.

    Raises:
        UserError: The data has no labels, or all the same.
    """
    if config.model.condition == "none":
        return ()
    if len(dataset.classes) < 2:
        there = "labels of one class only" if dataset.classes else "no labels"
        raise UserError(f"model.condition = label needs labels, and {dataset.name} has {there}: leave it out.")
    return dataset.classes


def split_seed(config: Config) -> int:
    """The seed of the split, and of the validation and test sets' binarisation."""
    return config.seed if config.data.split_seed is None else config.data.split_seed


def choose_likelihood(dataset: Dataset, config: Config) -> tuple[Part, str, str]:
    """The likelihood with all its settings, how the data is binarised, and the reason as a clause.

    Raises:
        UserError: A likelihood that there is not, or a binarisation that does not fit it or the data.
    """
    likelihood, binarisation = config.model.likelihood, config.data.binarisation
    recommended = recommend_likelihood(dataset)
    reason = "because it was asked for"
    if likelihood.name == "auto":
        likelihood, reason = Part(recommended.likelihood, likelihood.settings), recommended.reason
    needed = _preparation(likelihood)
    binary = recommended.binarisation == "none" and recommended.likelihood == "bernoulli"
    if needed != "binarise":
        if binarisation not in ("auto", "none"):
            raise UserError(
                f"data.binarisation = {binarisation} is for a Bernoulli likelihood, and model.likelihood is "
                f"{likelihood.name}: leave one of the two out."
            )
        binarisation = "none"
    elif binarisation == "auto":
        binarisation = "none" if binary else "dynamic"
    elif binarisation == "none" and not binary:
        raise UserError(
            f"{dataset.name} is not binary, and the Bernoulli's cross-entropy of grey levels is not a likelihood: set "
            "data.binarisation to dynamic or static, or model.likelihood to discretized-logistic."
        )
    if "levels" in inspect.signature(LIKELIHOODS[likelihood.name]).parameters:
        scale = scale_of(dataset)
        if scale is None:
            raise UserError(
                f"model.likelihood = {likelihood.name} is for whole numbers from 0 to at most 255, and {dataset.name} "
                "holds real values: take gaussian, or continuous-bernoulli for values between 0 and 1."
            )
        likelihood = Part(likelihood.name, {"levels": scale + 1, **likelihood.settings})
    return likelihood, binarisation, reason


def _preparation(likelihood: Part) -> str:
    """Name of the preparation that a likelihood needs."""
    return lookup(likelihood, LIKELIHOODS, "model.likelihood").preparation  # pyright: ignore[reportFunctionMemberAccess]


def mean_of(dataset: Dataset, rows: np.ndarray, preparation: Preparation) -> Float[Tensor, "*event"]:
    """The mean over some rows of what the model sees."""
    total = torch.zeros(preparation.event_shape(dataset.shape), dtype=torch.float64)
    size = rows_at_once(dataset.values)
    for start in range(0, len(rows), size):
        stored = torch.from_numpy(dataset.values[rows[start : start + size]])
        total += preparation.expected(stored).sum(0, dtype=torch.float64)
    return (total / len(rows)).float()


def build_model(
    settings: ModelSettings,
    mean: Float[Tensor, "*event"],
    examples: Callable[[int], Tensor] | None = None,
    *,
    seed: int,
    context_dim: int = 0,
) -> LatentModel:
    """The model that the settings describe, whose p(x | z) starts at the mean of the data.

    The caller's random numbers are left as they were.

    Args:
        settings: With a likelihood other than "auto".
        mean: Of the training data as the model sees it.
        examples: From n to n training data as the model sees them [n, *event], for a prior that begins with some; None:
            the mean takes their place.
        seed: Of the weights.
        context_dim: Entries of the covariate of a conditional model; 0: there is none.

    Raises:
        UserError: An unknown part, or a setting that does not fit, with its full name.
    """
    _check_unused(settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        likelihood = build(settings.likelihood, LIKELIHOODS, "model.likelihood", tuple(mean.shape))
        return build(
            settings.family,
            FAMILIES,
            "model.family",
            likelihood,
            latent_dim=settings.latent_dim,
            mean=mean,
            settings=settings,
            examples=examples or (lambda n: mean.expand(n, *mean.shape)),
            context_dim=context_dim,
        )


def _check_unused(settings: ModelSettings) -> None:
    """Refuse parts that a family has of its own.

    Raises:
        UserError: One was chosen all the same.
    """
    lookup(settings.family, FAMILIES, "model.family")
    if settings.family.name != "vae":
        for name in ("network", "posterior", "prior"):
            chosen = getattr(settings, name)
            if chosen != getattr(ModelSettings(), name):
                raise UserError(
                    f"model.family = {settings.family.name} has a {name} of its own: leave model.{name} = "
                    f"{chosen.name} out, or begin with a recipe of that family."
                )


def _check_conditional(settings: ModelSettings) -> None:
    """Refuse parts that cannot be told of a covariate.

    Raises:
        UserError: One was chosen.
    """
    if "context_dim" not in inspect.signature(lookup(settings.network, ENCODERS, "model.network")).parameters:
        raise UserError(
            f"model.network = {settings.network.name} cannot be told of labels: choose mlp, or leave model.condition "
            "out."
        )
    if "encoder" in inspect.signature(lookup(settings.prior, PRIORS, "model.prior")).parameters:
        raise UserError(
            f"model.prior = {settings.prior.name} is made of posteriors, which would need a label each: choose another "
            "prior, or leave model.condition out."
        )


def _vae(
    likelihood: Likelihood,
    latent_dim: int,
    mean: Float[Tensor, "*event"],
    settings: ModelSettings,
    examples: Callable[[int], Tensor],
    context_dim: int,
) -> VAE:
    """A variational autoencoder of the parts that the settings name."""
    if context_dim:
        _check_conditional(settings)
    posterior = build(settings.posterior, POSTERIORS, "model.posterior", latent_dim)
    encoder = build(
        settings.network,
        ENCODERS,
        "model.network",
        tuple(mean.shape),
        posterior.parameter_shape,
        context_dim=context_dim,
    )
    quantized = isinstance(posterior, VectorQuantized)
    seen = posterior.code_shape if quantized else (latent_dim,)
    decoder = build(
        settings.network, DECODERS, "model.network", seen, likelihood.parameter_shape, context_dim=context_dim
    )
    q = Conditional(Centre(mean, encoder), cast("Head", posterior))
    prior = build(settings.prior, PRIORS, "model.prior", latent_dim, encoder=q, examples=examples)
    check_same_space(posterior, prior)
    p_of_x = Conditional(decoder, likelihood)
    p_of_x.initialise_output(likelihood.initial_parameters(mean))
    return (VQVAE if quantized else VAE)(q, p_of_x, prior, context_dim=context_dim)


FAMILIES: dict[str, Callable[..., LatentModel]] = {"vae": _vae, "draw": DRAW}
"""How a model of each family is made, by the name in the configuration."""
