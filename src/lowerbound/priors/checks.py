"""What priors and posteriors refuse in the same words."""

from __future__ import annotations


def check_at_least_one(**counts: int) -> None:
    """Refuse counts below one.

    Raises:
        ValueError: With the name of the first that is.
    """
    for name, count in counts.items():
        if count < 1:
            raise ValueError(f"{name} must be at least 1, not {count}.")


def groups_of(latent_dim: int, categories: int | None) -> tuple[int, int]:
    """How a discrete latent vector divides: (groups, categories).

    Args:
        latent_dim: Dimension of z.
        categories: Of each group; None: all of z is one group.

    Raises:
        ValueError: They do not divide it, or there is nothing to choose between.
    """
    check_at_least_one(latent_dim=latent_dim)
    size = latent_dim if categories is None else categories
    if size < 2:
        raise ValueError(f"A choice needs at least 2 categories, not {size}.")
    if latent_dim % size:
        raise ValueError(f"latent_dim = {latent_dim} must be a multiple of categories = {size}.")
    return latent_dim // size, size


def check_temperature(temperature: float) -> None:
    """Refuse a temperature that is not positive.

    Raises:
        ValueError: It is not.
    """
    if not 0 < temperature < float("inf"):
        raise ValueError(f"temperature must be a positive number, it is {temperature}.")
