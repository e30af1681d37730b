"""What a code is for: reconstruct rows, keep groups together, or keep neighbors near."""

from codeword.objectives.keep_groups import KeepGroups as KeepGroups
from codeword.objectives.keep_neighbors import KeepNeighbors as KeepNeighbors
from codeword.objectives.objective import Objective as Objective
from codeword.objectives.reconstruct import Reconstruct as Reconstruct
