"""Callbacks for training hard layers."""

from codeword.callbacks.anneal_temperature import AnnealTemperature as AnnealTemperature
