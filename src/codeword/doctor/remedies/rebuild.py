"""Rebuilds a model with what the doctor can put right by itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from codeword import activations, layers, losses
from codeword.backend import keras
from codeword.data_kinds.heads import Head, choose_head
from codeword.data_kinds.kind import LossCall
from codeword.data_kinds.scaling import Scaling
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding
from codeword.doctor.measuring.output_facts import losses_of
from codeword.doctor.prescription import (
    given_output,
    is_classes,
    label_classes,
    same_cells,
    scaling_of,
    scaling_of_input,
)
from codeword.doctor.remedies.slopes import stopping_steps, with_slope
from codeword.doctor.rules.code import named_call
from codeword.errors import ParameterError
from codeword.keras_internals import declared_shape

_OF_HEADS = frozenset(
    [
        "targets-not-distributions",
        "cross-entropy-targets",
        "output-out-of-reach",
        "output-range-unused",
        "logits-twice",
        "not-probabilities",
        "labels-as-numbers",
        "masked-softmax",
        "zeros-as-missing",
        "empty-rows",
        "levels-as-reals",
    ]
)
_OF_BITS = frozenset({"one-code", "dead-bits", "duplicate-bits", "unbalanced-bits", "correlated-bits"})
_OF_SCALING = frozenset(
    ["not-scaled", "cross-entropy-targets", "output-out-of-reach", "targets-not-distributions", "levels-as-reals"]
)


class Remedied(NamedTuple):
    """A mended model, and the scaling of what enters it."""

    model: Any
    scaling: Any


@dataclass(frozen=True)
class ModelScaling(Scaling):
    """The scaling of inputs; `targets` scales targets."""

    targets: Scaling = field(default_factory=Scaling)


def rebuilt(case: Case | None, findings: Iterable[Finding], missing: float | None = None) -> Remedied:
    """Return a new model in which the findings are put right, as far as that needs no choice.

    Args:
        case: The model, its data, and what was measured.
        findings: What to put right.
        missing: Value in the targets that stands for a missing entry, or None.

    Raises:
        ParameterError: If there is no model to rebuild, or it is subclassed.
    """
    if case is None:
        raise ParameterError(
            "Only a model that ran on the data can be rebuilt. Received: a report without a run. Follow its remedies."
        )
    model = case.model
    if not hasattr(model, "operations") and not isinstance(model, keras.Sequential):
        raise ParameterError(
            f"Only a Sequential or functional model can be rebuilt. Received: {type(model).__name__}, a class of its "
            "own. Follow the remedies of the findings."
        )
    codes = {finding.code for finding in findings}
    heads = {
        number: head
        for number in range(len(case.outputs))
        if (head := _head(case, number, findings, missing)) is not None
    }
    scaling = _scaling(case, codes, heads)
    slopes = _slopes(case) if "no-gradient" in codes else {}
    centered = bool(codes & _OF_BITS)
    bits = named_call(case) if codes & (_OF_BITS | {"rounded-after-training"}) else None
    if bits is not None and isinstance(bits.layer, layers.SignBits | layers.Step):
        bits = None
    changed = _activations(case, heads)
    clone = _Clone(changed, slopes, None if bits is None else bits.layer.name, centered)
    new = clone.of(model)
    for layer, copy in clone.kept:  # what training would not bring back: adapted statistics, frozen layers
        if layer.weights and (not layer.trainable or isinstance(layer, keras.layers.Normalization)):
            copy.set_weights(layer.get_weights())
            if isinstance(layer, keras.layers.Normalization):
                copy.finalize_state()
    new_losses = _losses(case, heads)
    if new_losses is not None:
        new.compile(optimizer=_optimizer(model), loss=new_losses)
    return Remedied(new, scaling)


def _head(case: Case, number: int, findings: Iterable[Finding], missing: float | None) -> Head | None:
    """Return the head that an output gets; None if it keeps its own."""
    codes = {finding.code for finding in findings if finding.numbers.get("output", number) == number}
    target = case.targets[number]
    has_holes = target is not None and target.scan.num_nan > 0 and "not-finite" in codes
    is_asked = codes & _OF_HEADS or has_holes or missing is not None or _is_plain(case, number)
    if target is None or not is_asked:
        return None
    if label_classes(case, number) is not None and case.predictions[number][0].size == 1:
        return None  # classes need as many units, which is another layer
    given = given_output(case, number)
    return choose_head(target.scan, given if missing is None else replace(given, missing=missing))


def _is_plain(case: Case, number: int) -> bool:
    """Return whether an autoencoder has the output of which any head can be made: linear, with a distance loss."""
    out = case.outputs[number]
    is_linear = out.activation == "linear" and out.loss is not None and out.loss.kind == "distance"
    return case.same and is_linear and same_cells(case, number)


def _activations(case: Case, heads: dict[int, Head]) -> dict[int, Any]:
    """Return the new activations by the id of their layer: two models inside one may have layers of the same name."""
    changed: dict[int, Any] = {}
    for number, head in heads.items():
        layer = case.outputs[number].layer
        if layer is not None and head.levels:
            changed[id(layer)] = activations.staircase(head.levels)
        elif layer is not None and head.activation != case.outputs[number].activation:
            changed[id(layer)] = keras.activations.get(head.activation)
    return changed


class _Clone:
    """Copies functional graphs, models inside models too, with some layers changed."""

    def __init__(
        self, activation_of: dict[int, Any], slopes: dict[str, Any], bits_after: str | None, centered: bool
    ) -> None:
        self.activation_of, self.slopes, self.bits_after, self.centered = activation_of, slopes, bits_after, centered
        self.kept: list[tuple[Any, Any]] = []

    def of(self, model: Any) -> Any:
        is_chain = isinstance(model, keras.Sequential)
        graph = keras.Model(model.inputs, model.outputs, name=model.name) if is_chain else model
        compiled, graph.compiled = graph.compiled, False  # Keras would read back the loss, and fail at one's own
        try:
            return keras.models.clone_model(graph, clone_function=self._layer, call_function=self._call)
        finally:
            graph.compiled = compiled

    def _layer(self, layer: Any) -> Any:
        if hasattr(layer, "layers") and hasattr(layer, "inputs"):
            return self.of(layer)
        if not isinstance(layer, keras.layers.Layer):
            return layer
        activation = self.activation_of.get(id(layer))
        if activation is not None and not hasattr(layer, "activation"):
            return keras.layers.Activation(activation, name=layer.name)
        if activation is not None and "activation" not in vars(layer):  # of an LSTM it is its cell's
            given = {**layer.get_config(), "activation": keras.activations.serialize(activation)}
            return type(layer).from_config(given)
        copy = _copied(layer)
        if activation is not None:
            copy.activation = activation
        self.kept.append((layer, copy))
        return copy

    def _call(self, layer: Any, *arguments: Any, **keywords: Any) -> Any:
        if id(layer) in self.activation_of and not isinstance(layer, keras.layers.Layer):
            return keras.layers.Activation(self.activation_of[id(layer)])(arguments[0])
        if layer.name in self.slopes:
            change = self.slopes[layer.name]
            if isinstance(change, keras.layers.Layer):
                return type(change).from_config(change.get_config())(arguments[0])
            if change is None:
                return arguments[0]
            layer.activation = change
        if self.centered and isinstance(layer, layers.SignBits):
            return layer(_in_the_middle(arguments[0], layer.name))
        result = layer(*arguments, **keywords)
        if layer.name == self.bits_after:
            result = layers.SignBits(name=f"{layer.name}_bits")(_in_the_middle(result, layer.name))
        return result


def _in_the_middle(values: Any, name: str) -> Any:
    """Keeps every bit's threshold in the middle of its values."""
    return keras.layers.BatchNormalization(momentum=0.9, center=False, scale=False, name=f"{name}_centered")(values)


def _copied(layer: Any) -> Any:
    if isinstance(layer, keras.layers.Lambda):  # Keras refuses to read a function back from its configuration
        shape = declared_shape(layer)
        return keras.layers.Lambda(layer.function, shape, layer.mask, layer.arguments, name=layer.name)
    return type(layer).from_config(layer.get_config())


def _slopes(case: Case) -> dict[str, Any]:
    """Gives by the name of an operation or layer what takes its place; None where it passes its input on."""
    places: dict[str, Any] = {}
    for step in stopping_steps(case):
        place = with_slope(case, step.call)
        if place is not None:
            places |= {call.layer.name: None for call in place.between}
            places[place.last.layer.name] = place.change
    return places


def _losses(case: Case, heads: dict[int, Head]) -> Any:
    names = [out.name for out in case.outputs]
    all_losses = losses_of(case.model, len(case.outputs), names)
    for number, head in heads.items():
        if not head.keeps_loss:
            all_losses[number] = _loss(head.loss)
    if all(loss is None for loss in all_losses):
        return None
    return all_losses[0] if len(all_losses) == 1 else all_losses


def _loss(call: LossCall) -> Any:
    """Return a loss as `compile` takes it: its alias if there are no arguments."""
    if not call.arguments:
        return call.alias
    arguments = {name: _loss(one) if isinstance(one, LossCall) else one for name, one in call.arguments.items()}
    return getattr({"keras.losses": keras.losses, "codeword.losses": losses}[call.module], call.name)(**arguments)


def _optimizer(model: Any) -> Any:
    optimizer = getattr(model, "optimizer", None)
    return "adam" if optimizer is None else type(model.optimizer).from_config(model.optimizer.get_config())


def _scaling(case: Case, codes: set[str], heads: dict[int, Head]) -> ModelScaling:
    if not (codes & _OF_SCALING or any(_is_plain(case, number) for number in heads)):
        return ModelScaling()
    scalings = [
        heads[number].scaling if case.same and number in heads else scaling_of_input(case, number)
        for number in range(len(case.x.arrays))
    ]
    if len(scalings) > 1 and not all(one.is_identity for one in scalings):
        raise ParameterError(
            f"Only a model with one input can be given its scaling. Received: {len(scalings)} inputs. Follow the "
            "remedies of the findings."
        )
    own = scalings[0] if len(scalings) == 1 else Scaling()
    targets = own
    if not case.same and len(case.outputs) > 1:
        numbered = [
            number for number, one in enumerate(case.targets) if one is not None and not is_classes(case, number)
        ]
        if any(not scaling_of(case.y.arrays[number].scan).is_identity for number in numbered if case.y is not None):
            raise ParameterError(
                f"Only a model with one output can be given the scaling of its targets. Received: {len(case.outputs)} "
                "outputs. Follow the remedies of the findings."
            )
        targets = Scaling()
    elif not case.same:
        target = case.targets[0]
        targets = Scaling() if target is None or is_classes(case, 0) else scaling_of(target.scan)
        targets = heads[0].scaling if 0 in heads else targets
    return ModelScaling(own.shift, own.factor, targets)
