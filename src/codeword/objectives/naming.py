"""Choose an objective by default, and write and read it in a model file."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from codeword.code_kinds import CodeKind
from codeword.data_kinds import DataKind
from codeword.errors import ParameterError
from codeword.objectives.keep_groups import KeepGroups
from codeword.objectives.keep_neighbors import KeepNeighbors
from codeword.objectives.objective import Objective
from codeword.objectives.reconstruct import Reconstruct
from codeword.settings import as_plain

# By the name in a model file: which rows get similar codes.
OBJECTIVES: dict[str, type[Objective]] = {"groups": KeepGroups, "neighbors": KeepNeighbors, "nothing": Reconstruct}

_ADDED = ("groups",)  # written only if set, so that other models have unchanged files
CONFIG_NAMES = ("similar", "walk", "augment", "noise", "swap", *_ADDED)


def default_objective(data: DataKind, code: CodeKind) -> Objective:
    """Return the objective that suits the kinds: search for bits of real numbers, else reconstruction."""
    return KeepNeighbors() if data.is_continuous and code.has_hamming_distance else Reconstruct()


def objective_to_config(objective: Objective | None) -> dict[str, Any]:
    """Return the parameters by which a model file describes an objective; None stands for a default.

    A Keras layer in `augment` is left out, because only training needs it.
    """
    config: dict[str, Any] = dict.fromkeys(name for name in CONFIG_NAMES if name not in _ADDED)
    if objective is None:
        return config
    config["similar"] = next(name for name, kind in OBJECTIVES.items() if type(objective) is kind)
    changed = {
        field.name: as_plain(getattr(objective, field.name))
        for field in fields(objective)
        if getattr(objective, field.name) != field.default
    }
    if changed.keys() & {"neighbors", "steps"}:
        config["walk"] = [as_plain(getattr(objective, name)) for name in ("neighbors", "steps")]
    config |= {name: value for name, value in changed.items() if name in CONFIG_NAMES}
    if not isinstance(config["augment"], str):
        config["augment"] = None
    return config


def objective_from_config(config: Mapping[str, Any], data: DataKind, code: CodeKind) -> Objective | None:
    """Return the objective that a model file describes; None if it was chosen by default.

    Args:
        config: Parameters of the file, of which an older one may lack some.
        data: Data kind of the model.
        code: Code kind of the model.

    Raises:
        ParameterError: If the parameters describe no objective.
    """
    given = {name: config[name] for name in CONFIG_NAMES if config.get(name) is not None}
    if not given:
        return None
    similar = given.pop("similar", None)
    kind: type[Objective]
    if similar is None:  # the first files' default
        kind = KeepGroups if data.is_continuous and code.has_hamming_distance else Reconstruct
    elif isinstance(similar, str) and similar in OBJECTIVES:
        kind = OBJECTIVES[similar]
    else:
        raise ParameterError(f"`similar` must be one of {', '.join(OBJECTIVES)}: got {similar!r}.")
    if "walk" in given:
        walk = given.pop("walk")
        if not isinstance(walk, list | tuple) or len(walk) != 2:
            raise ParameterError(f"`walk` must be two integers: got {walk!r}.")
        given["neighbors"], given["steps"] = walk
    settings = [field.name for field in fields(kind)]
    if not given.keys() <= set(settings):
        raise ParameterError(f"{kind.__name__} has the settings {', '.join(settings)}: got {', '.join(given)}.")
    objective = kind(**given)
    objective.check_code(code)
    return objective
