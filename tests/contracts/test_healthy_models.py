"""Healthy models are left in peace: no error, and of all of them together next to no warning."""

import pytest

import codeword as cw
from codeword.backend import keras

from .healthy_models import MODELS

WARNED: set[str] = set()  # the models that get a warning: at most three
# All of them on PyTorch, which has nothing to compile; the quick ones on JAX, the users' first choice.
LONG_TO_COMPILE = {
    "transformer",
    "convolutional_autoencoder",
    "segmentation_with_skips",
    "contrasted_bits",
    "residual_network",
    "sequence_autoencoder",
    "gate_of_experts",
}
QUICK = tuple(make for make in MODELS if make.__name__ not in LONG_TO_COMPILE)
RUN = {"torch": MODELS, "jax": QUICK, "tensorflow": QUICK[:3]}[keras.backend.backend()]


@pytest.mark.parametrize("make", RUN, ids=lambda make: make.__name__)
@pytest.mark.slow
def test_a_healthy_model_gets_no_error_and_no_warning(make):
    keras.utils.set_random_seed(1)
    model, x, y, options = make()
    report = cw.examine(model, x, y, verbose=False, **options)
    assert not any("checks stopped with" in finding.evidence for finding in report.findings), report
    assert not report.errors, [(finding.code, finding.evidence) for finding in report.errors]
    if make.__name__ not in WARNED:
        assert not report.warnings, [(finding.code, finding.evidence) for finding in report.warnings]


def test_there_are_25_and_no_two_are_the_same():
    assert len(MODELS) >= 25
    assert len({make.__name__ for make in MODELS}) == len(MODELS)
    assert len(WARNED) <= 3
    assert {make.__name__ for make in MODELS} >= LONG_TO_COMPILE
