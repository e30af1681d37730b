"""Losses for outputs of few values, and for targets of which some are missing."""

from codeword.losses.bin_insensitive import BinInsensitive as BinInsensitive
from codeword.losses.level_loss import LevelCrossentropy as LevelCrossentropy
from codeword.losses.level_loss import LevelSquaredError as LevelSquaredError
from codeword.losses.level_loss import OrdinalCrossentropy as OrdinalCrossentropy
from codeword.losses.masked import Masked as Masked
