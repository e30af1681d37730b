"""Losses for outputs of few values, for targets with missing entries, for codes, and for choices.

Each loss is a class for `compile(loss=...)`, and a plain function of `y_true` and `y_pred` that returns the loss of
each row or cell. `Masked` wraps another loss, so it is only a class.
"""

from codeword.losses.bin_insensitive import BinInsensitive as BinInsensitive
from codeword.losses.bin_insensitive import bin_insensitive as bin_insensitive
from codeword.losses.chosen_cost import ChosenCost as ChosenCost
from codeword.losses.chosen_cost import chosen_cost as chosen_cost
from codeword.losses.contrast import Contrast as Contrast
from codeword.losses.contrast import contrast as contrast
from codeword.losses.level_crossentropy import LevelCrossentropy as LevelCrossentropy
from codeword.losses.level_crossentropy import level_crossentropy as level_crossentropy
from codeword.losses.level_squared_error import LevelSquaredError as LevelSquaredError
from codeword.losses.level_squared_error import level_squared_error as level_squared_error
from codeword.losses.masked import Masked as Masked
from codeword.losses.neighborhood import Neighborhood as Neighborhood
from codeword.losses.neighborhood import neighborhood as neighborhood
from codeword.losses.ordinal_crossentropy import OrdinalCrossentropy as OrdinalCrossentropy
from codeword.losses.ordinal_crossentropy import ordinal_crossentropy as ordinal_crossentropy
