"""What all objectives answer, and what an autoencoder trains because of it."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from numpy.typing import NDArray

from codeword.code_kinds import CodeKind
from codeword.settings import SettingsObject
from codeword.training.batches import Batches


class OwnTraining(NamedTuple):
    """What is trained instead of an autoencoder that would not learn by its reconstructions."""

    model: Any  # from a row to numbers of which `loss` makes the loss; shares its weights with the autoencoder
    loss: Any  # function of rows and what the model returns
    start: Callable[[NDArray[Any], int], None]  # sets first weights, given rows as they enter the network and a seed
    finish: Callable[[NDArray[Any]], None]  # completes the weights after training, given the same rows


class Networks(NamedTuple):
    """One autoencoder as four Keras models that share all weights."""

    model: Any  # from a row to the head's output
    encoder: Any  # from a row to code values
    decoder: Any  # from code values to the head's output
    symbolizer: Any  # from a row to symbols and margins
    own_training: OwnTraining | None = None


class Rows(NamedTuple):
    """Rows as values, and as they enter the network."""

    values: NDArray[Any]  # (n, ...)
    entered: NDArray[Any]  # (n, ...), float32


class Given(NamedTuple):
    """What an objective makes its task of."""

    networks: Networks
    code: CodeKind
    rows: Rows
    held_out: Rows | None
    loss: Any  # Keras loss between rows and the head's output
    metrics: list[Any]  # Keras metrics of the head's output
    batch_size: int  # without partners
    seed: int  # of shuffling and all other choices


class Task(NamedTuple):
    """The arguments of `training.recipe.fit` that depend on the objective."""

    model: Any  # shares its weights with the autoencoder
    batches: Batches
    loss: Any
    metrics: Any
    validation: Batches | None
    loss_weights: dict[str, float] | None = None


class Objective(SettingsObject, ABC):
    """What a code is for, and therefore how the autoencoder is trained.

    Attributes:
        keep_distances: Whether rows must enter the network with the distances that they have.
        finds_nearest: Whether the share of the nearest rows that codes find says how good they are.
    """

    keep_distances: ClassVar[bool] = False
    finds_nearest: ClassVar[bool] = False

    def check_code(self, code: CodeKind) -> None:
        """Refuse a code kind that cannot serve this objective.

        Raises:
            ParameterError: If the code has no Hamming distance and the objective needs one.
        """

    def hidden_for(self, code: CodeKind) -> tuple[int, ...]:
        """Return the units of the hidden layers that measured best."""
        return code.default_hidden

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
