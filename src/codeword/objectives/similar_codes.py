"""What objectives for search share: pairs of rows whose codes become similar."""

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.errors import ParameterError
from codeword.keras_internals import draw_from_own_generators
from codeword.layers import ForDecoder, RandomAffine
from codeword.objectives.neighbor_walks import NeighborWalks
from codeword.objectives.objective import Given, Objective, Rows, Task
from codeword.objectives.paired_rows import PairedRows
from codeword.settings import Setting, check_settings, integer, number

ROWS, CODES = "rows", "codes"  # outputs of the similarity network
STEPS = 1_200  # of training by default

SETTINGS = {
    "neighbors": integer(1),
    "steps": integer(1),
    "augment": Setting(
        '"images", a Keras layer from rows to rows, or None',
        lambda value: (
            value is None or (value == "images" if isinstance(value, str) else isinstance(value, keras.layers.Layer))
        ),
    ),
    "noise": number(0, 1),
}


@dataclass(frozen=True, kw_only=True)
class SimilarCodes(Objective):
    """Train codes to be similar for pairs of rows; the code needs a Hamming distance."""

    neighbors: int = 10
    steps: int = 1
    augment: Any = None
    noise: float = 0.0
    mutual: ClassVar[bool]

    def __post_init__(self) -> None:
        check_settings(self, SETTINGS)

    def check_code(self, code: CodeKind) -> None:
        if not code.has_hamming_distance:
            raise ParameterError(
                f"`code` must have a Hamming distance for {type(self).__name__}, such as Bits(64): got {code}. "
                "Other codes take objective=Reconstruct()."
            )

    def noise_for(self, code: CodeKind) -> float:
        return float(self.noise)

    def batch_size_for(self, num_rows: int) -> int:
        return min(512, max(2, num_rows // 8))

    def epochs_for(self, steps_per_epoch: int) -> int:
        return max(10, math.ceil(STEPS / steps_per_epoch))

    @abstractmethod
    def code_loss(self, walks: NeighborWalks, code: CodeKind) -> Any:
        """Return the Keras loss of the codes of a batch of pairs."""

    def code_targets(self, points: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return the targets of the code loss for all rows; None: which rows form a pair."""
        return None

    def task(self, given: Given) -> Task:
        model = similarity_network(given.networks.encoder, given.networks.decoder, self.augment)
        size, held_out = given.batch_size, given.held_out
        batches, walks = self._pairs(given.rows, size, given.seed)
        validation = None if held_out is None else self._pairs(held_out, size, given.seed, fixed=True)[0]
        loss = {ROWS: given.loss, CODES: self.code_loss(walks, given.code)}
        return Task(model, batches, loss, {ROWS: given.metrics}, validation)

    def _pairs(self, rows: Rows, size: int, seed: int, *, fixed: bool = False) -> tuple[PairedRows, NeighborWalks]:
        points = rows.values.reshape(len(rows.values), -1)
        # Centered, so that float32 separates rows at 1,700,000,000 ± 1.
        points = (points - points.mean(axis=0, dtype=np.float64)).astype(np.float32)
        walks = NeighborWalks(points, num_neighbors=self.neighbors, num_steps=self.steps, mutual=self.mutual, seed=seed)
        pairs = PairedRows(
            rows.entered,
            partners=walks.ends,
            pairs=size,
            seed=seed,
            names=(ROWS, CODES),
            fixed=fixed,
            points=self.code_targets(points),
        )
        return pairs, walks


def similarity_network(encoder: Any, decoder: Any, augment: Any = None) -> Any:
    """Build the network that learns similar codes: from pairs of rows to their codes and reconstructions.

    A batch is rows followed by a partner of each. The decoder learns from the codes of the rows alone, because every
    partner is a row elsewhere, and the codes do not learn from the decoder.

    Args:
        encoder: Encoder of the autoencoder; the weights are shared.
        decoder: Decoder of the autoencoder; the weights are shared.
        augment: "images", or a Keras layer that varies rows in training as they enter the network; it is copied. None:
            rows are not varied.

    Returns:
        Keras model with the outputs `ROWS` and `CODES`.

    Raises:
        ParameterError: If `augment` does not return rows of the same shape.
    """
    rows = keras.Input(encoder.input_shape[1:], name="row_to_vary")
    layer = RandomAffine() if isinstance(augment, str) else augment
    codes = encoder(rows if layer is None else _varied(layer, rows))
    return keras.Model(rows, {ROWS: decoder(ForDecoder(name="for_decoder")(codes)), CODES: codes}, name="similarity")


def _varied(augment: Any, rows: Any) -> Any:
    """Apply a copy of a layer, so that the user's stays as it is."""
    shape = tuple(rows.shape[1:])
    try:
        copy = type(augment).from_config(augment.get_config())
        varied = copy(rows)
        if augment.built:
            copy.set_weights(augment.get_weights())
        draw_from_own_generators(copy)
    except (ValueError, TypeError, NotImplementedError) as error:
        raise ParameterError(
            f"`augment` must take rows of shape {shape}: {augment!r} failed ({error}). Put a Reshape before and after "
            "a layer for images, which needs channels."
        ) from error
    if tuple(varied.shape) != tuple(rows.shape):
        raise ParameterError(
            f"`augment` must return rows of shape {shape}: got {tuple(varied.shape[1:])}. Put a Reshape after it."
        )
    return varied
