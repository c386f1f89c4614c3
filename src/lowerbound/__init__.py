"""Deep latent-variable models, learned with the variational lower bound.

L(x) = E_{q(z|x)} [log p(x | z)] − KL(q(z | x) ‖ p(z))  ≤  log p(x)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lowerbound.estimator import VariationalAutoencoder

__all__ = ["VariationalAutoencoder"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # The command line imports this package long before anybody needs torch, which the estimator imports.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from lowerbound.estimator import VariationalAutoencoder

    return VariationalAutoencoder
