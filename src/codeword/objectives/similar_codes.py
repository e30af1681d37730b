"""What objectives for search share: pairs of rows whose codes become similar."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.code_kinds import CodeKind
from codeword.errors import ParameterError
from codeword.keras_internals import draw_from_own_generators
from codeword.layers import ForDecoder, RandomAffine
from codeword.objectives.objective import Given, Objective, Rows, Task
from codeword.objectives.paired_rows import CODES, PLACES, ROWS, PairedRows, Partners
from codeword.settings import Setting, check_settings, integer, number

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
    keep_distances: ClassVar[bool] = True
    most_pairs: ClassVar[int]  # in a batch by default

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
        return min(self.most_pairs, max(2, num_rows // 8))

    def epochs_for(self, steps_per_epoch: int) -> int:
        return max(10, math.ceil(STEPS / steps_per_epoch))

    @abstractmethod
    def lessons(self, points: NDArray[np.float32], code: CodeKind, seed: int) -> "Lessons":
        """Return what the codes learn from, for all rows at their locations `points`."""

    def task(self, given: Given) -> Task:
        size, held_out = given.batch_size, given.held_out
        batches, lessons = self._batches(given, given.rows, size)
        validation = None if held_out is None else self._batches(given, held_out, size, fixed=True)[0]
        names, partners = list(lessons.losses), len(lessons.partners)
        model = similarity_network(
            given.networks.encoder, given.networks.decoder, self.augment, names=names, num_partners=partners
        )
        return Task(
            model,
            batches,
            {ROWS: given.loss, **lessons.losses},
            {ROWS: given.metrics},
            validation,
            {ROWS: 1.0, **dict.fromkeys(lessons.losses, 1.0), **lessons.weights},
        )

    def _batches(self, given: Given, rows: Rows, size: int, *, fixed: bool = False) -> tuple[PairedRows, "Lessons"]:
        points = rows.values.reshape(len(rows.values), -1)
        # Centered, so that float32 separates rows at 1,700,000,000 ± 1.
        points = (points - points.mean(axis=0, dtype=np.float64)).astype(np.float32)
        lessons = self.lessons(points, given.code, given.seed)
        batches = PairedRows(
            rows.entered,
            partners=lessons.partners,
            pairs=size,
            seed=given.seed,
            names=(ROWS, *lessons.losses),
            fixed=fixed,
            points=points if {CODES, PLACES} & set(lessons.losses) else None,
        )
        return batches, lessons


class Lessons(NamedTuple):
    """What codes learn from: the partners of a row, and losses by the names of their targets in `PairedRows`."""

    partners: list[Partners]
    losses: dict[str, Any]
    weights: dict[str, float]


def similarity_network(
    encoder: Any, decoder: Any, augment: Any = None, *, names: Sequence[str] = (CODES,), num_partners: int = 1
) -> Any:
    """Build the network that learns similar codes: from rows and partners to their codes and reconstructions.

    A batch is rows followed by partners of each. The decoder learns from the codes of the rows alone, because every
    partner is a row elsewhere, and the codes do not learn from the decoder.

    Args:
        encoder: Encoder of the autoencoder; the weights are shared.
        decoder: Decoder of the autoencoder; the weights are shared.
        augment: "images", or a Keras layer that varies rows in training as they enter the network; it is copied. None:
            rows are not varied.
        names: Outputs beside `ROWS`: `CODES` has codes and the values before their thresholds, the others codes.
        num_partners: Number of partners of a row in a batch.

    Returns:
        Keras model with the outputs `ROWS` and `names`.

    Raises:
        ParameterError: If `augment` does not return rows of the same shape.
    """
    rows = keras.Input(encoder.input_shape[1:], name="row_to_vary")
    layer = RandomAffine() if isinstance(augment, str) else augment
    with_values = keras.Model(encoder.inputs, [encoder.output, encoder.get_layer("code").input], name="with_values")
    codes, values = with_values(rows if layer is None else _varied(layer, rows))
    outputs = {ROWS: decoder(ForDecoder(num_partners + 1, name="for_decoder")(codes))}
    outputs |= {name: keras.ops.stack([codes, values], axis=1) if name == CODES else codes for name in names}
    return keras.Model(rows, outputs, name="similarity")


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
