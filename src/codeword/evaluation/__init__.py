"""Measures of the quality of codes, and simple baselines (no Keras)."""

from codeword.evaluation.code_usage import CodeUsage as CodeUsage
from codeword.evaluation.code_usage import code_usage as code_usage
from codeword.evaluation.retrieval import mean_average_precision as mean_average_precision
from codeword.evaluation.retrieval import precision_at_k as precision_at_k
from codeword.evaluation.retrieval import recall_at_k as recall_at_k
from codeword.evaluation.symbol_usage import SymbolUsage as SymbolUsage
