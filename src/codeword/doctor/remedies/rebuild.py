"""Rebuild a model with everything fixed that needs no decision."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from codeword import activations, layers, losses
from codeword.backend import keras
from codeword.data_kinds.heads import Head, choose_head
from codeword.data_kinds.kind import LossCall
from codeword.data_kinds.scaling import Scaling
from codeword.doctor.case import Case
from codeword.doctor.finding import Finding
from codeword.doctor.measuring.loss_facts import losses_of
from codeword.doctor.output import Output
from codeword.doctor.remedies.clone import Clone
from codeword.doctor.remedies.heads import scaling_of_input, scaling_of_target
from codeword.doctor.remedies.slopes import flat_calls_of, with_slope
from codeword.errors import ParameterError

# Which findings call for a new scaling, another head, and normalization before the bits.
_OF_BOTH = {"targets-not-distributions", "cross-entropy-targets", "output-out-of-reach", "levels-as-reals"}
_OF_SCALING = {"not-scaled", *_OF_BOTH}
_OF_LOSSES = {"logits-twice", "not-probabilities", "labels-as-numbers", "masked-softmax", "zeros-as-missing"}
_OF_HEADS = {*_OF_BOTH, *_OF_LOSSES, "output-range-unused", "empty-rows"}
_OF_BITS = {"one-code", "dead-bits", "duplicate-bits", "unbalanced-bits", "correlated-bits"}


class Remedied(NamedTuple):
    """A fixed model, and the scaling of its input."""

    model: Any
    scaling: "ModelScaling"


@dataclass(frozen=True)
class ModelScaling(Scaling):
    """The scaling of inputs; `targets` scales targets."""

    targets: Scaling = field(default_factory=Scaling)


def rebuilt(case: Case | None, findings: Sequence[Finding], missing: float | None = None) -> Remedied:
    """Return a new model in which the findings are fixed, as `Report.remedied` documents."""
    if case is None:
        raise ParameterError(
            "`remedied` needs a model that ran on its data: this one did not run. Follow the remedies of the findings."
        )
    model = case.run.model
    if not hasattr(model, "operations") and not isinstance(model, keras.Sequential):
        raise ParameterError(
            f"`remedied` needs a Sequential or functional model: got {type(model).__name__}, a custom class. Follow "
            "the remedies of the findings."
        )
    codes = {finding.code for finding in findings}
    heads = {out: head for out in case.targeted if (head := _head(out, findings, missing)) is not None}
    scaling = _scaling(case, codes, heads)
    bits = case.code_call if codes & (_OF_BITS | {"rounded-after-training"}) else None
    if bits is not None and isinstance(bits.layer, layers.SignBits | layers.Step):
        bits = None
    slopes = _slopes(case) if "no-gradient" in codes else {}
    clone = Clone(_activations(heads), slopes, None if bits is None else bits.layer.name, bool(codes & _OF_BITS))
    new = clone.of(model)
    clone.keep_weights()
    new_losses = _losses(case, heads)
    if new_losses is not None:
        given = getattr(model, "optimizer", None)
        new.compile("adam" if given is None else type(given).from_config(given.get_config()), loss=new_losses)
    return Remedied(new, scaling)


def _head(out: Output, findings: Sequence[Finding], missing: float | None) -> Head | None:
    """Return the new head of an output; None if it keeps its own."""
    codes = {finding.code for finding in findings if finding.numbers.get("output", out.number) == out.number}
    has_holes = out.target.scan.num_nan > 0 and "not-finite" in codes
    if not (codes & _OF_HEADS or has_holes or missing is not None or _is_plain(out)):
        return None
    if out.num_classes is not None and out.num_units == 1:
        return None  # classes need one unit each, which is another layer
    return choose_head(out.target.scan, out.given if missing is None else replace(out.given, missing=missing))


def _is_plain(out: Output) -> bool:
    """Return whether an autoencoder has an output that any head can replace: linear, with a distance loss."""
    is_linear = out.activation == "linear" and out.loss.kind == "distance"
    return out.run.is_reconstruction and is_linear and out.same_cells


def _activations(heads: dict[Output, Head]) -> dict[int, Any]:
    """Return new activations by the id of their layer: two nested models may have layers with the same name."""
    changed: dict[int, Any] = {}
    for out, head in heads.items():
        layer = out.source.layer
        if layer is not None and head.levels:
            changed[id(layer)] = activations.staircase(head.levels)
        elif layer is not None and head.activation != out.activation:
            changed[id(layer)] = keras.activations.get(head.activation)
    return changed


def _slopes(case: Case) -> dict[str, Any]:
    """Return what replaces an operation or layer, by its name; None where it passes its input on."""
    places: dict[str, Any] = {}
    for flat in flat_calls_of(case):
        place = with_slope(case, flat.call)
        if place is not None:
            places |= {call.layer.name: None for call in place.chain}
            places[place.chain[-1].layer.name] = place.change
    return places


def _losses(case: Case, heads: dict[Output, Head]) -> Any:
    """Return the losses of the new model as `compile` takes them; None without any."""
    all_losses = losses_of(case.run.model, [out.name for out in case.outputs])
    for out, head in heads.items():
        if not head.keeps_loss:
            all_losses[out.number] = _loss(head.loss)
    if all(loss is None for loss in all_losses):
        return None
    return all_losses[0] if len(all_losses) == 1 else all_losses


def _loss(call: LossCall) -> Any:
    """Return a loss as `compile` takes it: by its alias if there are no arguments."""
    if not call.arguments:
        return call.alias
    arguments = {name: _loss(one) if isinstance(one, LossCall) else one for name, one in call.arguments.items()}
    return getattr({"keras.losses": keras.losses, "codeword.losses": losses}[call.module], call.name)(**arguments)


def _scaling(case: Case, codes: set[str], heads: dict[Output, Head]) -> ModelScaling:
    """Return the scaling of the input and of the targets."""
    if not (codes & _OF_SCALING or any(_is_plain(out) for out in heads)):
        return ModelScaling()
    by_number = {out.number: head.scaling for out, head in heads.items()}
    kept = by_number if case.run.is_reconstruction else {}
    scalings = [kept.get(number) or scaling_of_input(case, number) for number in range(len(case.run.x.arrays))]
    if len(scalings) > 1 and not all(one.is_identity for one in scalings):
        raise ParameterError(
            f"`remedied` can scale only one input: got a model with {len(scalings)} inputs. Follow the remedies of "
            "the findings."
        )
    own = scalings[0] if len(scalings) == 1 else Scaling()
    return ModelScaling(own.shift, own.factor, own if case.run.is_reconstruction else _target_scaling(case, by_number))


def _target_scaling(case: Case, by_number: dict[int, Scaling]) -> Scaling:
    """Return the scaling of targets that are not the inputs."""
    scalings = [by_number.get(out.number, scaling_of_target(out)) for out in case.targeted]
    if len(case.outputs) == 1:
        return scalings[0] if scalings else Scaling()
    if not all(scaling.is_identity for scaling in scalings):
        raise ParameterError(
            f"`remedied` can scale the targets of only one output: got a model with {len(case.outputs)} outputs. "
            "Follow the remedies of the findings."
        )
    return Scaling()
