"""Callbacks for training: annealed hard layers, and progress on stderr."""

from codeword.callbacks.anneal_temperature import AnnealTemperature as AnnealTemperature
from codeword.callbacks.epoch_bar import EpochBar as EpochBar
from codeword.callbacks.epoch_lines import EpochLines as EpochLines
