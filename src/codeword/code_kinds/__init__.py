"""The table of code kinds: what the middle of a network may be, its symbols and its bytes (no Keras).

| kind | a symbol is | value that the decoder sees | bytes per row |
|---|---|---|---|
| `Bits(n)` | a sign, 0 or 1 | -1 or +1 | n / 8, rounded up |
| `Scalars(n, steps)` | a step, 0 to steps - 1 | equally spaced from -3 to +3 | n for 256 steps |
| `Choices(n, size)` | a chosen index, 0 to size - 1 | its one-hot vector | n for 256 entries |
| `Residual(n, size)` | an entry of the n-th codebook, 0 to size - 1 | its number | n for 256 entries |
| `Floats(n)` | a float32, the baseline to compare with | itself | 4 n |
"""

from codeword.code_kinds.kind import CodeKind as CodeKind
from codeword.code_kinds.kinds import Bits as Bits
from codeword.code_kinds.kinds import Choices as Choices
from codeword.code_kinds.kinds import Floats as Floats
from codeword.code_kinds.kinds import Residual as Residual
from codeword.code_kinds.kinds import Scalars as Scalars
from codeword.code_kinds.kinds import scalar_values as scalar_values
from codeword.code_kinds.naming import code_kind_from_config as code_kind_from_config
from codeword.code_kinds.naming import parse_code_kind as parse_code_kind
