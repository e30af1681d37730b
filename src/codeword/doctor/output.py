"""One output of a model: what made it, what its loss expects, and its targets."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codeword.backend import keras
from codeword.data_kinds.heads import GivenOutput, Head, choose_head, sums_to_one
from codeword.data_kinds.inference import num_classes
from codeword.doctor.measuring.given_data import Array
from codeword.doctor.measuring.loss_facts import LossFacts, loss_facts, losses_of
from codeword.doctor.measuring.missing_value import measured_missing
from codeword.doctor.measuring.run import Run
from codeword.inference.output_source import Source, source_of


@dataclass(frozen=True, eq=False)
class Output:
    """One output of a model that ran on a sample of its data.

    Attributes:
        run: The model's run.
        number: Position among the outputs.
        name: Name of the output; empty if it is the only one.
        source: What made its values.
        loss: What its loss expects.
        target: Its targets, an `Array`; None without any.
    """

    run: Run
    number: int
    name: str
    source: Source
    loss: LossFacts
    target: Any

    @property
    def activation(self) -> str | None:
        """Name of the function that made its values; None if unknown."""
        return self.source.activation

    @property
    def title(self) -> str:
        """What a sentence about its values starts with."""
        return f"The {self.activation}" if self.activation else "The output"

    @property
    def values(self) -> NDArray[Any]:
        """Its values on the sample."""
        return self.run.predictions[self.number]

    @property
    def width(self) -> int:
        """Length of the last axis of its values."""
        return self.values.shape[-1] if self.values.ndim > 1 else 1

    @property
    def num_units(self) -> int:
        """Number of values per row."""
        return int(np.prod(self.values.shape[1:]))

    @cached_property
    def sample_target(self) -> NDArray[Any]:
        """The targets of the sampled rows."""
        return self.target.rows(self.run.rows)

    @property
    def is_probability(self) -> bool:
        """Whether its values cannot leave 0 to 1."""
        return self.source.low >= 0 and self.source.high <= 1

    @property
    def same_cells(self) -> bool:
        """Whether it has a value for each cell of its targets; last axes of length 1 do not count."""
        return _without_ones(self.target.scan.shape[1:]) == _without_ones(self.values.shape[1:])

    @property
    def is_distributions(self) -> bool:
        """Whether the last axis of its targets sums to 1 nearly everywhere."""
        return sums_to_one(self.target.scan)

    @property
    def is_classes(self) -> bool:
        """Whether its targets name classes."""
        is_one_hot = not self.run.is_reconstruction and self.is_distributions
        return self.loss.kind == "sparse" or self.num_classes is not None or is_one_hot

    @cached_property
    def num_classes(self) -> int | None:
        """Number of classes if the targets are one column of class numbers; else None."""
        if self.run.is_reconstruction or self.target is None:
            return None
        scan, units = self.target.scan, self.num_units
        is_count = scan.whole and scan.num_finite == scan.num_cells and scan.minimum >= 0
        if int(np.prod(scan.shape[1:])) != 1 or not is_count:
            return None
        if units > 1 and 0 < scan.maximum < units:
            return units
        return num_classes(scan, first=(0, 1)) if units == 1 and scan.dtype.kind in "iu" else None

    @cached_property
    def head(self) -> Head:
        """The head that fits its targets; the table of heads keeps what is already right."""
        return choose_head(self.target.scan, self.given)

    @property
    def given(self) -> GivenOutput:
        """What the table of heads has to know about it."""
        return GivenOutput(
            activation=self.activation,
            is_probability=self.is_probability,
            loss=self.loss.name,
            loss_kind=self.loss.kind,
            missing=self.missing,
            num_classes=self.num_classes,
            is_reconstruction=self.run.is_reconstruction,
        )

    def loss_with(self, values: NDArray[Any], chosen: NDArray[np.intp] | None = None) -> float:
        """Return the loss of the sample, or of some of its rows, with other values for this output."""
        before = self.run.predictions
        return self.run.loss_of([*before[: self.number], values, *before[self.number + 1 :]], chosen)

    @cached_property
    def missing(self) -> float | None:
        """The target value that the loss leaves out: 0, NaN or another; None if it leaves out nothing."""
        if self.target is None or not self.loss.kind:
            return None
        if self.loss.masked and self.loss.missing is not None:
            return self.loss.missing
        target, values = self.sample_target, self.values
        if not self.run.has_loss or target.shape != values.shape or target.ndim < 2:
            return None
        if self.loss.kind != "own" and self.run.sample_weight is None:
            return None
        return measured_missing(target, values, self.loss_with)


def outputs_of(run: Run) -> tuple[Output, ...]:
    """Return the outputs of a model that ran."""
    tensors = keras.tree.flatten(run.outputs)
    names = sorted(run.outputs) if isinstance(run.outputs, dict) else list(getattr(run.model, "output_names", []))
    names = names if len(names) == len(tensors) else [f"output_{number}" for number in range(len(tensors))]
    losses = losses_of(run.model, names) if run.is_compiled else [None] * len(tensors)
    targets = _targets_of(run, names)
    shown = names if len(tensors) > 1 else [""]
    return tuple(
        Output(run, number, name, source_of(tensor, values, run.calls), loss_facts(loss), target)
        for number, (name, tensor, values, loss, target) in enumerate(
            zip(shown, tensors, run.predictions, losses, targets, strict=True)
        )
    )


def _targets_of(run: Run, names: list[str]) -> list[Array | None]:
    """Return the array of targets of each output; None where there is none."""
    if run.y is None:
        return [None] * len(names)
    if isinstance(run.y.structure, dict) and len(names) > 1:
        by_name = dict(zip(sorted(run.y.structure), run.y.arrays, strict=True))  # in the order of reading
        return [by_name.get(name) for name in names]
    return [*run.y.arrays, *[None] * len(names)][: len(names)]


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    while shape and shape[-1] == 1:
        shape = shape[:-1]
    return shape
