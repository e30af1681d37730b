"""One head that an advice offers: kind, scaling, output layer, losses and programs, from the table of data kinds."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeword.advice import programs
from codeword.advice.figures import Reach, Sample, reach_of
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds import DataKind, LossCall, Ratings
from codeword.recommenders.rating_table import COLUMNS


@dataclass(frozen=True)
class LossChoice:
    """One loss that fits, and what it can reach on this data.

    Attributes:
        name: As the data kind calls it.
        keras: Python that makes it for Keras.
        output: Python of the output layer that goes with it.
        when: When to take it.
        perfect: Mean loss a cell if the output gives every value back; None if it was not measured.
        nothing_learnt: Mean loss of the best output that is the same for every row; None if it was not measured.
    """

    name: str
    keras: str
    output: str
    when: str
    perfect: float | None = None
    nothing_learnt: float | None = None


@dataclass(frozen=True)
class AdvisedHead:
    """What to put on a network, if the values mean what `answer` says.

    Attributes:
        kind: The data kind, with the loss that is advised.
        meaning: What the values are.
        scaling: How the values enter the network.
        losses: The advised loss first, then the others of the kind.
        keras: A program with plain Keras, from `x` (or, for a single column, from `x` and `y`) to values again.
        codeword: The same by codeword's own estimator; None where it has none for such data.
        prepare: Lines of Python that bring the data to what the kind allows; both programs begin with them.
        answer: To the question of the advice; None where there is none.
    """

    kind: DataKind
    meaning: str
    scaling: str
    losses: tuple[LossChoice, ...]
    keras: str
    codeword: str | None = None
    prepare: tuple[str, ...] = ()
    answer: str | None = None

    @property
    def output(self) -> str:
        """Python of the output layer."""
        return self.losses[0].output


def head_of_rows(
    kind: DataKind,
    scan: ValueScan,
    sample: Sample,
    *,
    prepare: tuple[str, ...] = (),
    filled: float | None = None,
    answer: str | None = None,
) -> AdvisedHead:
    """Gives the head of an autoencoder.

    Args:
        kind: Of the values.
        scan: Of all rows.
        sample: Some rows.
        prepare: Lines of Python that bring `x` there.
        filled: What stands for NaN at the input where NaN means "not observed"; None if there is none.
        answer: To the question.
    """
    row_shape = scan.shape[1:]
    line = programs.autoencoder_line(kind, prepare) if filled is None else None
    program = programs.autoencoder_program(kind, row_shape, prepare=prepare, filled=filled)
    choices = _choices(kind, row_shape, _scaled(kind, scan, sample), masked=filled is not None)
    return AdvisedHead(kind, kind.meaning, kind.scaling, choices, program, line, prepare, answer)


def head_of_target(
    kind: DataKind,
    scan: ValueScan,
    sample: Sample,
    *,
    prepare: tuple[str, ...] = (),
    classes: bool = False,
    answer: str | None = None,
) -> AdvisedHead:
    """Gives the head of a network that tells a single column from other data; `classes`: of labels 0, 1, 2, …"""
    choices = _choices(kind, (), _scaled(kind, scan, sample))
    call = None
    if classes:  # the same as the kind's own loss, by the name that Keras' users know
        call = LossCall("keras.losses", "SparseCategoricalCrossentropy", {"from_logits": True})
        choices = (replace(choices[0], keras=str(call), when=programs.WHEN_CLASSES),)
    program = programs.target_program(kind, loss=call, prepare=prepare)
    meaning = f"class labels, 0 to {kind.num_channels - 1}" if classes else kind.meaning
    scaling = programs.SCALING_OF_A_TARGET if kind.entry_levels else kind.scaling
    return AdvisedHead(kind, meaning, scaling, choices, program, None, prepare, answer)


def head_of_ratings(
    kind: Ratings, num_items: int, *, came: str, columns: Sequence[str] = COLUMNS, answer: str | None = None
) -> AdvisedHead:
    """Gives the head of a recommender; `came`: what `x` is, as for `programs.ratings_program`."""
    loss = programs.ratings_loss(kind, came)
    output = programs.output_text(kind, (num_items,))
    choice = LossChoice("mse", str(loss), output, kind.when_to_take["mse"])
    program = programs.ratings_program(kind, num_items, came=came, columns=columns)
    line = programs.ratings_line(kind, came=came, columns=columns)
    return AdvisedHead(kind, kind.meaning, kind.scaling, (choice,), program, line, (), answer)


def _scaled(kind: DataKind, scan: ValueScan, sample: Sample) -> Sample:
    """Return sampled rows as they enter the network."""
    scaling = kind.scaling_by(scan)
    return (sample - np.ravel(scaling.shift)) / np.ravel(scaling.factor)


def _choices(
    kind: DataKind, row_shape: tuple[int, ...], sample: Sample, *, masked: bool = False
) -> tuple[LossChoice, ...]:
    names = [kind.loss, *(name for name in kind.losses if name != kind.loss)]
    choices = []
    for name in names:
        one = kind.with_loss(name) if name != kind.loss else kind
        call = programs.masked(one.loss_call) if masked else str(one.loss_call)
        reach: Reach = reach_of(one, sample)
        output = programs.output_text(one, row_shape)
        choices.append(LossChoice(name, call, output, kind.when_to_take[name], reach.perfect, reach.nothing_learnt))
    return tuple(choices)
