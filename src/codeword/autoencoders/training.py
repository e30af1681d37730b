"""How an autoencoder is trained: by reconstruction alone, or with codes that are alike where rows are."""

import math
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from codeword.autoencoders.heads import loss_of, metrics_of
from codeword.autoencoders.networks import CODES, ROWS, similarity_model
from codeword.code_kinds import Bits, Choices
from codeword.data_kinds import Real, UnitInterval
from codeword.errors import ParameterError
from codeword.layers.random_affine import RandomAffine
from codeword.losses import Contrast, Neighborhood
from codeword.objectives.neighbor_walks import NeighborWalks
from codeword.objectives.paired_rows import PairedRows
from codeword.objectives.swapped_rows import SwappedRows
from codeword.objectives.unshuffled_rows import UnshuffledRows
from codeword.training import recipe as fitting

WALKS = {"groups": (10, 20), "neighbors": (10, 1)}
GROUP_TEMPERATURE = 0.4
NEIGHBOR_TEMPERATURE = 0.8  # times the spread of the similarity of unrelated codes, 1 / sqrt(num_bits)
NEIGHBORHOOD_WIDTH = 0.3  # of the distance to the last of the nearest rows
SIMILARITY_STEPS = 1_200


class Settings(NamedTuple):
    """What the constructor leaves to measured defaults, filled in."""

    similar: str
    swap: float
    walk: tuple[int, int]
    epochs: int
    batch_size: int


class TrainingRows(NamedTuple):
    """Rows as their values, and as they enter the network."""

    values: NDArray[Any]
    entered: NDArray[Any]


def similar_of(model: Any) -> str:
    """Gives what shall have similar codes: as set, or "groups" for bits of real numbers, which people search."""
    if model.similar is not None:
        return str(model.similar)
    return "groups" if isinstance(model.code_, Bits) and isinstance(model.data_, UnitInterval | Real) else "nothing"


def noise_of(model: Any) -> float:
    """Gives the noise before the thresholds: as set, or what measured best."""
    if model.noise is not None:
        return float(model.noise)
    return 0.2 if isinstance(model.code_, Bits) and similar_of(model) == "nothing" else 0.0


def settings_of(model: Any, num_rows: int) -> Settings:
    """Fills in the defaults that measured best on held-out data."""
    similar = similar_of(model)
    alone = similar == "nothing"
    # Codes that can store more than the data needs learn it by heart without swapped cells.
    swap = 0.15 if alone and isinstance(model.code_, Bits | Choices) else 0.0
    batch_size = 128 if alone else min(512, max(2, num_rows // 8))
    steps_an_epoch = math.ceil(num_rows / (model.batch_size or batch_size))
    epochs = 40 if alone else max(10, math.ceil(SIMILARITY_STEPS / steps_an_epoch))
    return Settings(
        similar=similar,
        swap=swap if model.swap is None else model.swap,
        walk=WALKS.get(similar, (0, 0)) if model.walk is None else tuple(model.walk),
        epochs=model.epochs or epochs,
        batch_size=model.batch_size or batch_size,
    )


def train(model: Any, rows: TrainingRows, held_out: TrainingRows | None, callbacks: Sequence[Any]) -> dict[str, Any]:
    """Trains the networks of an `Autoencoder` that has its kinds and weights; gives the history."""
    settings = settings_of(model, len(rows.values))
    _refuse_idle_settings(model, settings)
    if model.verbose and settings.similar != "nothing":
        trained_for = f'similar="{settings.similar}": codes are learned for search; "nothing" reconstructs rows better.'
        print(trained_for, file=sys.stderr)
    common = {
        "epochs": settings.epochs,
        "learning_rate": model.learning_rate,
        "weight_decay": model.weight_decay,
        "patience": model.patience,
        "callbacks": callbacks,
        "verbose": model.verbose,
    }
    loss, metrics = loss_of(model.data_), metrics_of(model.data_)
    if settings.similar == "nothing":
        batches = SwappedRows(rows.entered, batch_size=settings.batch_size, share=settings.swap, seed=model.seed)
        validation = None if held_out is None else UnshuffledRows(held_out.entered, batch_size=settings.batch_size)
        return fitting.fit(model.model_, batches, loss=loss, metrics=metrics, validation=validation, **common)
    augment = RandomAffine() if model.augment == "images" else model.augment
    num_bits = model.code_.num_bits
    pairs, code_loss = _pairs(rows, settings, num_bits, model.seed)
    return fitting.fit(
        similarity_model(model.encoder_, model.decoder_, augment),
        pairs,
        loss={ROWS: loss, CODES: code_loss},
        metrics={ROWS: metrics},
        validation=None if held_out is None else _pairs(held_out, settings, num_bits, model.seed, fixed=True)[0],
        **common,
    )


def _refuse_idle_settings(model: Any, settings: Settings) -> None:
    """Refuses settings that this training would not look at."""
    alone = settings.similar == "nothing"
    for name in ("augment", "walk") if alone else ("swap",):
        value = getattr(model, name)
        if value is not None:
            raise ParameterError(
                f'`{name}` works {"only with" if alone else "without"} similar="groups" or "neighbors". Received: '
                f"{name}={value!r} with similar={model.similar!r}, for {type(model.data_).__name__} data and "
                f'{model.code_} "{settings.similar}". Leave it out, or change `similar`.'
            )


def _pairs(
    rows: TrainingRows, settings: Settings, num_bits: int, seed: int, *, fixed: bool = False
) -> tuple[PairedRows, Any]:
    """Gives batches of rows with partners, and the loss of their codes."""
    points = rows.values.reshape(len(rows.values), -1)
    # Around 0, so that float32 tells rows apart that lie at 1,700,000,000 ± 1.
    points = (points - points.mean(axis=0, dtype=np.float64)).astype(np.float32)
    groups = settings.similar == "groups"
    num_neighbors, num_steps = settings.walk
    walks = NeighborWalks(points, num_neighbors=num_neighbors, num_steps=num_steps, mutual=groups, seed=seed)
    pairs = PairedRows(
        rows.entered,
        partners=walks.ends,
        pairs=settings.batch_size,
        seed=seed,
        names=(ROWS, CODES),
        fixed=fixed,
        points=None if groups else points,
    )
    if groups:
        return pairs, Contrast(GROUP_TEMPERATURE)
    return pairs, Neighborhood(NEIGHBORHOOD_WIDTH * walks.reach, NEIGHBOR_TEMPERATURE / math.sqrt(num_bits))
