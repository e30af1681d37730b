"""The settings of an `Autoencoder`."""

from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.objectives import Objective
from codeword.settings import TRAINING, instance_of, optional, sizes

SETTINGS = {
    **TRAINING,
    "data": optional(instance_of(DataKind, such_as="Levels([0, 1, 2])")),
    "code": optional(instance_of(CodeKind, such_as="Bits(64)")),
    "objective": optional(instance_of(Objective, such_as="Reconstruct()")),
    "hidden": sizes(),
}
