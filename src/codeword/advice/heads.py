"""A head that an advice offers: what the values mean, and what follows from that."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from codeword.advice import programs
from codeword.advice.figures import Reach, reach_of
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
        reaches: What each loss of the kind can reach, the recommended loss first.
    """

    kind: DataKind
    source: Source
    answer: str | None = None
    prepare: tuple[str, ...] = ()
    reaches: tuple[Reach, ...] = ()

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
    def losses(self) -> tuple[LossChoice, ...]:
        """The recommended loss first, then the others of the kind."""
        return tuple(self._choice(name, reach) for name, reach in zip(self._loss_names, self.reaches, strict=True))

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

    @property
    def _loss_names(self) -> Sequence[str]:
        if self.source.came == "classes":
            return [self.kind.loss]
        return [self.kind.loss, *(name for name in self.kind.losses if name != self.kind.loss)]

    def _choice(self, name: str, reach: Reach) -> LossChoice:
        kind = self.kind if name == self.kind.loss else self.kind.with_loss(name)
        loss = programs.loss_text(kind, self.source)
        when = programs.WHEN_CLASSES if self.source.came == "classes" else kind.when_to_take[name]
        return LossChoice(name, loss, programs.output_text(kind, self.source.row_shape), when, *reach)


def measured(head: AdvisedHead, scan: ValueScan) -> AdvisedHead:
    """Return a head with what its losses can reach on the sampled rows; ratings are not measured."""
    if head.source.is_ratings:
        return replace(head, reaches=(Reach(None, None),))
    sample = scan.sample
    if head.source.drops_holes:
        sample = sample[~np.isnan(sample).any(axis=1)]
    scaling = head.kind.scaling_by(scan)
    scaled = (sample - np.ravel(scaling.shift)) / np.ravel(scaling.factor)
    kinds = [head.kind if name == head.kind.loss else head.kind.with_loss(name) for name in head._loss_names]
    return replace(head, reaches=tuple(reach_of(kind, scaled) for kind in kinds))
