"""The table of code kinds: what the middle of a network may be, its symbols and its bytes (no Keras)."""

from codeword.code_kinds.kinds import SCALAR_RANGE as SCALAR_RANGE
from codeword.code_kinds.kinds import Bits as Bits
from codeword.code_kinds.kinds import Choices as Choices
from codeword.code_kinds.kinds import CodeKind as CodeKind
from codeword.code_kinds.kinds import Floats as Floats
from codeword.code_kinds.kinds import Scalars as Scalars
from codeword.code_kinds.kinds import code_kind_from_config as code_kind_from_config
from codeword.code_kinds.kinds import parse_code_kind as parse_code_kind
from codeword.code_kinds.kinds import scalar_values as scalar_values
