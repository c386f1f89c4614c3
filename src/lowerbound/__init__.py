"""Deep latent-variable models, learned with the variational lower bound.

L(x) = E_{q(z|x)} [log p(x | z)] − KL(q(z | x) ‖ p(z))  ≤  log p(x)
"""

__version__ = "0.1.0"
