"""The table of data kinds: what values the data takes, and all that follows from it (no Keras).

| kind | values | enters the network as | losses, the default first | an output becomes a value by |
|---|---|---|---|---|
| `Binary()` | 0 and 1 | itself | binary_crossentropy | logit >= 0 |
| `Levels(values)` | the levels | one-hot | crossentropy, ordinal, bin_insensitive, mse, staircase | best level or bin |
| `UnitInterval()` | 0 to 1 | itself | mse, binary_crossentropy | itself, within 0 to 1 |
| `Ratings(low, high)` | the rated, others missing | residuals, and who rated | mse where rated | the scale's limits |
| `Real()` | any finite number | standardized | mse, mae | undoing the standardization |

The output is linear, but a sigmoid for the "mse" of `UnitInterval` and a staircase for the "staircase" of `Levels`.
Each kind's file says its `activation`, its `loss_call` and, in words, its `meaning`, its `scaling` and `when_to_take`
each loss.

Heads, estimators and advice read this table, so that they cannot drift apart.
"""

from codeword.data_kinds.binary import Binary as Binary
from codeword.data_kinds.inference import infer_data_kind as infer_data_kind
from codeword.data_kinds.kind import DataKind as DataKind
from codeword.data_kinds.kind import LossCall as LossCall
from codeword.data_kinds.kind import Statistics as Statistics
from codeword.data_kinds.levels import Levels as Levels
from codeword.data_kinds.naming import data_kind_from_config as data_kind_from_config
from codeword.data_kinds.naming import data_kind_text as data_kind_text
from codeword.data_kinds.naming import parse_data_kind as parse_data_kind
from codeword.data_kinds.ratings import Ratings as Ratings
from codeword.data_kinds.real import Real as Real
from codeword.data_kinds.unit_interval import UnitInterval as UnitInterval
