"""The house keeps its shape: knowledge stands in its table, functions take values, constructors stay small."""

import ast
import inspect
from pathlib import Path

import pytest

import codeword as cw
from codeword.settings import TRAINING

SOURCE = Path(cw.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
KINDS = {
    *("DataKind", "Binary", "Levels", "UnitInterval", "Real", "Ratings", "Interactions"),
    *("CodeKind", "Bits", "Scalars", "Choices", "Residual", "Floats"),
}
ESTIMATORS = ["Autoencoder", "RatingAutoencoder", "HardGateClassifier", "HardGateRegressor"]


def places(matches):
    """Return `folder/file.py:line` of every matching node of the package."""
    return [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if matches(node, path)
    ]


def names_in(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def test_few_places_ask_for_the_class_of_a_kind():
    def asks(node, path):
        outside = path.parent.name not in ("data_kinds", "code_kinds")
        is_check = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "isinstance"
        return outside and is_check and names_in(node.args[1]) & KINDS

    found = places(asks)
    assert len(found) <= 10, "give the kind a field instead: " + ", ".join(found)


def test_no_function_takes_an_estimator_as_any():
    wings = {"autoencoders", "recommenders", "gates", "objectives", "files"}

    def takes_an_estimator(node, path):
        if path.parent.name not in wings or not isinstance(node, ast.FunctionDef):
            return False
        suspects = {
            argument.arg
            for argument in [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            if isinstance(argument.annotation, ast.Name) and argument.annotation.id == "Any"
        }
        read = {
            part.value.id
            for part in ast.walk(node)
            if isinstance(part, ast.Attribute)
            and isinstance(part.value, ast.Name)
            # What only estimators have: a fitted attribute, or one of the settings that they share.
            and ((part.attr.endswith("_") and not part.attr.startswith("_")) or part.attr in TRAINING)
        }
        return suspects & read

    # Experts are whatever scikit-learn calls a classifier: their `classes_` may be read.
    found = [place for place in places(takes_an_estimator) if not place.startswith("gates/")]
    assert not found, "make it a method, or pass the values: " + ", ".join(found)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_constructor_has_at_most_eight_arguments_of_its_own(name):
    own = set(inspect.signature(getattr(cw, name)).parameters) - set(TRAINING)
    assert len(own) <= 8, sorted(own)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_settings_have_one_name_in_all_estimators(name):
    parameters = inspect.signature(getattr(cw, name)).parameters
    assert {"epochs", "batch_size", "learning_rate", "seed", "verbose"} <= set(parameters)
    assert all(parameters[one].kind is inspect.Parameter.KEYWORD_ONLY for one in set(parameters) & set(TRAINING))
