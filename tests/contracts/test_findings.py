"""What `examine` finds: the problem of each ailing model, none in its twin, and the causes of five forum programs."""

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import codeword as cw
from codeword.backend import keras

from .ailing_models import OTHER_SEVERITIES, PAIRS, SEVERITIES, VARIANTS, WORDS, Case
from .forum_programs import PROGRAMS, argmax_gate, argmax_gate_in_a_lambda, hashed_afterwards, softmax_images

# Their remedies are comments: only the author knows what is meant, or there is nothing to fix.
ADVICE = {"model-fails", "no-targets", "loss-not-finite", "vanishing-gradient", "exploding-gradient"}
ADVICE |= {"cross-entropy-floor", "near-threshold", "constant-columns"}
AUTHORS_CHOICE = {"a weight that nothing uses", "an output without a loss", "a branch times zero", "stop_gradient"}
AUTHORS_CHOICE |= {"a cast to whole numbers and back"}

ALL = {code: (code, *pair) for code, pair in PAIRS.items()}
ALL |= {name: (code, *pair) for code, variants in VARIANTS.items() for name, pair in variants.items()}

# A softmax over 400 items cannot return stars either, which is reported as well.
ALSO = {"masked_recommender": {"targets-not-distributions", "output-out-of-reach"}}

# Every variant on PyTorch, which has nothing to compile; elsewhere one pair per finding: backends differ in how
# they compute gradients, not in what is checked.
all_cases = pytest.mark.parametrize("name", ALL if keras.backend.backend() == "torch" else PAIRS)
all_programs = pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)


def examined(case: Case) -> Any:
    keras.utils.set_random_seed(0)
    report = cw.examine(case.model, case.x, case.y, verbose=False, **case.options)
    assert not any("checks stopped with" in finding.evidence for finding in report.findings), report
    return report


def made(make: Callable[[], Any]) -> Any:
    """Make a new case; its layers have the same names each time, so that the remedy of one fits another."""
    keras.utils.clear_session()
    return make()


@functools.cache
def report_on(make: Callable[[], Any]) -> Any:
    case = made(make)
    return examined(Case(case.model, case.x, case.y, getattr(case, "options", {})))


def findings_of(report: Any, code: str) -> list[Any]:
    return [finding for finding in report.findings if finding.code == code]


def codes(findings: Any) -> set[str]:
    return {finding.code for finding in findings}


def run_remedy(finding: Any, case: Any) -> dict[str, Any]:
    """Run a remedy as if it were pasted after the program, and return its names."""
    y = None if case.y is case.x else case.y
    namespace = {"model": case.model, "x": case.x, "y": y, "keras": keras, "np": np, "cw": cw}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training and turning to bits may warn about the same again
        exec(finding.remedy, namespace)
    return namespace


def test_every_pair_has_its_severity() -> None:
    assert list(PAIRS) == list(SEVERITIES)
    assert set(VARIANTS) <= set(PAIRS)
    assert len(ALL) == len(PAIRS) + sum(len(variants) for variants in VARIANTS.values())
    assert {*OTHER_SEVERITIES, *WORDS, *AUTHORS_CHOICE} <= set(ALL)
    assert set(PAIRS) >= ADVICE


@all_cases
@pytest.mark.slow
def test_the_problem_is_found_and_its_remedy_helps(name: str) -> None:
    code, ailing, _ = ALL[name]
    case = made(ailing)
    report = examined(case)
    found = findings_of(report, code)
    assert found, f"{code} is missing. Found: {[(other.code, other.evidence) for other in report.findings]}"
    for finding in found:
        assert finding.severity == OTHER_SEVERITIES.get(name, SEVERITIES[code]), finding.evidence
        assert any(letter.isdigit() for letter in finding.evidence), finding.evidence
        assert finding.title
        assert finding.remedy.strip()
        assert finding.explain == f"codeword examine --explain {code}"
        assert all(type(number) in (int, float) for number in finding.numbers.values()), finding.numbers
        compile(finding.remedy, code, "exec")
    assert any(WORDS.get(name, "") in finding.evidence for finding in found), found
    if code in ADVICE or name in AUTHORS_CHOICE:
        return
    namespace = run_remedy(found[0], case)
    again = findings_of(examined(Case(namespace["model"], namespace["x"], namespace["y"])), code)
    assert not again, f"{again[0].evidence}\nafter\n{found[0].remedy}"


@all_cases
@pytest.mark.slow
def test_the_twin_has_no_such_finding(name: str) -> None:
    code, _, healthy = ALL[name]
    report = report_on(healthy)
    assert not findings_of(report, code), findings_of(report, code)[0].evidence
    assert not report.errors, [(other.code, other.evidence) for other in report.errors]


@all_programs
@pytest.mark.slow
def test_the_causes_of_a_forum_program_are_found(program: Callable[[], Any]) -> None:
    report, causes = report_on(program), program().causes
    assert causes <= codes(report.findings), [(other.code, other.evidence) for other in report.findings]
    more = codes(report.errors) - causes - ALSO.get(program.__name__, set())
    assert not more, [(other.code, other.evidence) for other in report.errors]


def test_the_errors_of_the_softmax_images_are_its_causes_exactly() -> None:
    report = report_on(softmax_images)
    assert codes(report.errors) == softmax_images().causes
    assert "not-scaled" in codes(report.warnings)


@pytest.mark.parametrize("program", [argmax_gate, argmax_gate_in_a_lambda], ids=["on tensors", "in a Lambda"])
def test_the_argmax_of_the_gate_is_named(program: Callable[[], Any]) -> None:
    (finding,) = findings_of(report_on(program), "no-gradient")
    assert "argmax" in finding.evidence
    assert "layer_op_1" in finding.evidence
    assert "layer_op_2" in finding.evidence


@pytest.mark.parametrize(("code", "severity"), [(None, "note"), ("code", "warning")])
def test_a_code_that_will_be_rounded_is_a_warning(code: str | None, severity: str) -> None:
    program = hashed_afterwards()
    options = {} if code is None else {"code_layer": code}
    (finding,) = findings_of(examined(Case(program.model, program.x, program.y, options)), "rounded-after-training")
    assert finding.severity == severity


@all_programs
@pytest.mark.slow
def test_the_remedies_of_the_forum_run_and_help(program: Callable[[], Any]) -> None:
    for cause in sorted(program().causes):
        namespace = run_remedy(findings_of(report_on(program), cause)[0], made(program))
        after = examined(Case(namespace["model"], namespace["x"], namespace["y"]))
        assert not findings_of(after, cause), findings_of(after, cause)[0].evidence
