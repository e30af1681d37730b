"""Callbacks for training: annealed hard layers, and progress on stderr."""

from codeword.callbacks.anneal_temperature import AnnealTemperature as AnnealTemperature
from codeword.callbacks.progress import EpochBar as EpochBar
from codeword.callbacks.progress import EpochLines as EpochLines
