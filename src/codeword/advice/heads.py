"""A head that an advice offers: what the values mean, and what follows from that."""

from dataclasses import dataclass, replace

import numpy as np

from codeword.advice import programs
from codeword.advice.figures import Sample, reach_of
from codeword.advice.programs import Source
from codeword.arrays.value_scan import ValueScan
from codeword.data_kinds import DataKind


@dataclass(frozen=True)
class LossChoice:
    """One loss that fits, and what it can reach on this data.

    Attributes:
        name: Its name in the data kind.
        keras: Python that makes it for Keras.
        output: Python of the output layer that belongs to it.
        when: When to use it.
        perfect: Mean loss per cell if the output equals every value; None if it was not measured.
        nothing_learnt: Mean loss per cell of the best output that is the same for every row; None if not measured.
    """

    name: str
    keras: str
    output: str
    when: str
    perfect: float | None = None
    nothing_learnt: float | None = None


@dataclass(frozen=True)
class AdvisedHead:
    """The head for a network, if the values mean what `answer` says.

    Attributes:
        kind: The data kind, with the recommended loss.
        source: How the data came, which the programs depend on.
        answer: The answer to the question of the advice; None if there is no question.
        prepare: Lines of Python that turn the data into values of the kind; both programs begin with them.
        losses: The recommended loss first, then the others of the kind.
    """

    kind: DataKind
    source: Source
    answer: str | None = None
    prepare: tuple[str, ...] = ()
    losses: tuple[LossChoice, ...] = ()

    @property
    def meaning(self) -> str:
        """What the values are."""
        if self.source.came == "classes":
            return f"class labels, 0 to {self.kind.num_channels - 1}"
        return self.kind.meaning

    @property
    def scaling(self) -> str:
        """How the values enter the network."""
        is_target = self.source.came in ("target", "classes")
        return programs.SCALING_OF_A_TARGET if is_target and self.kind.entry_levels else self.kind.scaling

    @property
    def output(self) -> str:
        """Python of the output layer."""
        return programs.output_text(self.kind, self.source.row_shape)

    @property
    def keras(self) -> str:
        """A program with plain Keras, from `x` (for a single column, from `x` and `y`) to values again."""
        return programs.keras_program(self.kind, self.source, self.prepare)

    @property
    def codeword(self) -> str | None:
        """The same program with an estimator of codeword; None if there is none for such data."""
        return programs.codeword_program(self.kind, self.source, self.prepare)


def measured(head: AdvisedHead, scan: ValueScan) -> AdvisedHead:
    """Return a head with its losses and what they can reach on the sampled rows; ratings are not measured."""
    kind, source = head.kind, head.source
    is_classes = source.came == "classes"
    others = [] if is_classes else [name for name in kind.losses if name != kind.loss]
    sample = None if source.is_ratings else _scaled_sample(head, scan)
    losses = []
    for one in [kind, *map(kind.with_loss, others)]:
        when = programs.WHEN_CLASSES if is_classes else one.when_to_take[one.loss]
        reach = (None, None) if sample is None else reach_of(one, sample)
        output = programs.output_text(one, source.row_shape)
        losses.append(LossChoice(one.loss, programs.loss_text(one, source), output, when, *reach))
    return replace(head, losses=tuple(losses))


def _scaled_sample(head: AdvisedHead, scan: ValueScan) -> Sample:
    """Return the sampled rows as they enter the network."""
    sample = scan.sample[~np.isnan(scan.sample).any(axis=1)] if head.source.drops_holes else scan.sample
    scaling = head.kind.scaling_by(scan)
    return (sample - np.ravel(scaling.shift)) / np.ravel(scaling.factor)
