"""The table of data kinds: what values the data takes, and everything that follows from it (no Keras).

| kind | values | enters the network as | losses, the default first | a value is |
|---|---|---|---|---|
| `Binary()` | 0 and 1 | the value | binary_crossentropy | logit >= 0 |
| `Levels(values)` | the levels | one-hot | crossentropy, ordinal, bin_insensitive, mse, staircase | best level |
| `UnitInterval(maximum)` | 0 to a maximum | value / maximum | mse, binary_crossentropy | output * maximum |
| `Ratings(low, high)` | the ratings, others missing | residuals, mask | mse of observed ratings | clipped output |
| `Interactions()` | counts above 0, others missing | 1 or 0 | binary_crossentropy of all cells | logit >= 0 |
| `Real()` | any finite number | standardized | mse, mae | undoing the standardization |

The output is linear, except for a sigmoid with the "mse" of `UnitInterval` and a staircase with the "staircase" of
`Levels`. `inference` chooses a kind for an array, and `heads` the scaling, activation and loss. Estimators, `advise`
and `examine` read this table, so that their answers agree.
"""

from codeword.data_kinds.binary import Binary as Binary
from codeword.data_kinds.inference import infer_data_kind as infer_data_kind
from codeword.data_kinds.interactions import Interactions as Interactions
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
