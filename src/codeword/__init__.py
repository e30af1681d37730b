"""Train neural networks with discrete parts, and use what they produce: exact values, codes and hard choices.

Public names are imported on first use: `import codeword` is quick, and programs that use only codes never load Keras.
"""

import importlib
from typing import TYPE_CHECKING, Any

from codeword.backend import choose_backend

__version__ = "0.1.0"

if TYPE_CHECKING:
    from codeword import activations as activations
    from codeword import callbacks as callbacks
    from codeword import datasets as datasets
    from codeword import evaluation as evaluation
    from codeword import layers as layers
    from codeword import losses as losses
    from codeword import metrics as metrics
    from codeword import objectives as objectives
    from codeword import search as search
    from codeword.advice.advise import advise as advise
    from codeword.autoencoders.autoencoder import Autoencoder as Autoencoder
    from codeword.autoencoders.binarize import binarize as binarize
    from codeword.code_kinds import Bits as Bits
    from codeword.code_kinds import Choices as Choices
    from codeword.code_kinds import Floats as Floats
    from codeword.code_kinds import Residual as Residual
    from codeword.code_kinds import Scalars as Scalars
    from codeword.code_kinds import packing as packing
    from codeword.data_kinds import Binary as Binary
    from codeword.data_kinds import Interactions as Interactions
    from codeword.data_kinds import Levels as Levels
    from codeword.data_kinds import Ratings as Ratings
    from codeword.data_kinds import Real as Real
    from codeword.data_kinds import UnitInterval as UnitInterval
    from codeword.data_kinds import infer_data_kind as infer_data_kind
    from codeword.doctor.examine import examine as examine
    from codeword.files.saved_model import load as load
    from codeword.gates.hard_gate_classifier import HardGateClassifier as HardGateClassifier
    from codeword.gates.hard_gate_regressor import HardGateRegressor as HardGateRegressor
    from codeword.recommenders.rating_autoencoder import RatingAutoencoder as RatingAutoencoder
    from codeword.recommenders.splits import split_ratings as split_ratings
    from codeword.recommenders.splits import split_users as split_users
    from codeword.search import CodeIndex as CodeIndex
    from codeword.search import CodeStore as CodeStore
    from codeword.search import HammingIndex as HammingIndex
    from codeword.search import KeptRows as KeptRows
    from codeword.search import Queries as Queries
    from codeword.training.fit import fit as fit

_MODULE_OF = {
    **dict.fromkeys(("Binary", "Interactions", "Levels", "Ratings", "Real", "UnitInterval"), "codeword.data_kinds"),
    "infer_data_kind": "codeword.data_kinds",
    **dict.fromkeys(("Bits", "Choices", "Floats", "Residual", "Scalars"), "codeword.code_kinds"),
    "advise": "codeword.advice.advise",
    "examine": "codeword.doctor.examine",
    "Autoencoder": "codeword.autoencoders.autoencoder",
    "HardGateClassifier": "codeword.gates.hard_gate_classifier",
    "HardGateRegressor": "codeword.gates.hard_gate_regressor",
    "binarize": "codeword.autoencoders.binarize",
    "RatingAutoencoder": "codeword.recommenders.rating_autoencoder",
    **dict.fromkeys(("split_ratings", "split_users"), "codeword.recommenders.splits"),
    "fit": "codeword.training.fit",
    "load": "codeword.files.saved_model",
    **dict.fromkeys(("CodeIndex", "CodeStore", "HammingIndex", "KeptRows", "Queries"), "codeword.search"),
}
_WINGS = "activations callbacks datasets errors evaluation layers losses metrics objectives search"
_SUBMODULES = {
    **{name: f"codeword.{name}" for name in _WINGS.split()},
    "packing": "codeword.code_kinds.packing",
}

__all__ = sorted([*_MODULE_OF, *_SUBMODULES, "__version__"])  # noqa: PLE0605 - the table above is the list

# Before anyone imports Keras: where only JAX or PyTorch is installed, a bare `import keras` would fail.
choose_backend()


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(importlib.import_module(_MODULE_OF[name]), name)
    if name in _SUBMODULES:
        return importlib.import_module(_SUBMODULES[name])
    raise AttributeError(f"module 'codeword' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
