"""Metrics for outputs of few values, and for targets with missing entries."""

from codeword.metrics.exact_match import ExactMatch as ExactMatch
from codeword.metrics.masked import Masked as Masked
