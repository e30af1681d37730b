"""Losses for outputs of few values, for targets that may be missing, for codes that shall be alike, and for choices."""

from codeword.losses.bin_insensitive import BinInsensitive as BinInsensitive
from codeword.losses.chosen_cost import ChosenCost as ChosenCost
from codeword.losses.contrast import Contrast as Contrast
from codeword.losses.level_loss import LevelCrossentropy as LevelCrossentropy
from codeword.losses.level_loss import LevelSquaredError as LevelSquaredError
from codeword.losses.level_loss import OrdinalCrossentropy as OrdinalCrossentropy
from codeword.losses.masked import Masked as Masked
from codeword.losses.neighborhood import Neighborhood as Neighborhood
