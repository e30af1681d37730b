"""What all objectives answer, and what an autoencoder trains because of it."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.settings import SettingsObject
from codeword.training.batches import Batches


class Networks(NamedTuple):
    """One autoencoder as four Keras models that share all weights.

    Attributes:
        model: From a row to the head's output.
        encoder: From a row to code values.
        decoder: From code values to the head's output.
        symbolizer: From a row to symbols and margins.
    """

    model: Any
    encoder: Any
    decoder: Any
    symbolizer: Any


class Rows(NamedTuple):
    """Rows as values, and as they enter the network.

    Attributes:
        values: Shape `(n, ...)`.
        entered: Same shape, float32.
    """

    values: NDArray[Any]
    entered: NDArray[Any]


class Given(NamedTuple):
    """What an objective makes its task of.

    Attributes:
        networks: The autoencoder.
        code: Code kind.
        rows: Training rows.
        held_out: Rows to validate on, or None.
        loss: Keras loss between rows and the head's output.
        metrics: Keras metrics of the head's output.
        batch_size: Number of rows per batch, without partners.
        seed: Seed of shuffling and all other choices.
    """

    networks: Networks
    code: CodeKind
    rows: Rows
    held_out: Rows | None
    loss: Any
    metrics: list[Any]
    batch_size: int
    seed: int


class Task(NamedTuple):
    """What `training.recipe.fit` takes: a network, its batches, losses and metrics.

    Attributes:
        model: Keras model that shares its weights with the autoencoder.
        batches: Training batches.
        loss: One loss, or losses by name of the model's output.
        metrics: As `loss`.
        validation: Batches of held-out rows, or None.
    """

    model: Any
    batches: Batches
    loss: Any
    metrics: Any
    validation: Batches | None


class Objective(SettingsObject, ABC):
    """What a code is for, and therefore how the autoencoder is trained."""

    def check_code(self, code: CodeKind) -> None:
        """Refuse a code kind that cannot serve this objective.

        Raises:
            ParameterError: If the code has no Hamming distance and the objective needs one.
        """

    @abstractmethod
    def noise_for(self, code: CodeKind) -> float:
        """Return the noise before the code in training, as set or as measured best."""

    @abstractmethod
    def batch_size_for(self, num_rows: int) -> int:
        """Return the batch size that measured best."""

    @abstractmethod
    def epochs_for(self, steps_per_epoch: int) -> int:
        """Return the maximum number of epochs that measured best."""

    @abstractmethod
    def task(self, given: Given) -> Task:
        """Return what is trained."""
