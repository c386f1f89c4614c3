"""Families and operations that `torch.distributions` lacks."""

from lowerbound.distributions.continuous_bernoulli import ContinuousBernoulli
from lowerbound.distributions.discretized_logistic import DiscretizedLogistic
from lowerbound.distributions.entrywise import entrywise_log_prob
from lowerbound.distributions.kl import entrywise_kl, kl

__all__ = ["ContinuousBernoulli", "DiscretizedLogistic", "entrywise_kl", "entrywise_log_prob", "kl"]
