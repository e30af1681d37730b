"""The experts of a gate: estimators or other objects with `predict`, asked for one kind of answer and checked."""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from tqdm.auto import tqdm

from codeword.errors import DataError, ExpertError, ParameterError


def check_experts(experts: Any, kind: str) -> None:
    """Refuse objects that are no experts, fewer than two, and regressors if `kind` is "classifier", or the reverse.

    Objects that declare neither kind are allowed.
    """
    if isinstance(experts, str | bytes | dict) or not isinstance(experts, Sequence):
        raise ParameterError(f"`experts` must be a list of estimators, such as [SVC(), ...], or None: got {experts!r}.")
    for number, expert in enumerate(experts):
        if isinstance(expert, type) or not callable(getattr(expert, "predict", None)):
            hint = " Make an object of the class: add ()." if isinstance(expert, type) else ""
            raise ParameterError(f"Every expert must have `predict`: got {expert!r} as expert {number}.{hint}")
    if len(experts) < 2:
        raise ParameterError(f"`experts` must be at least 2, so that there is a choice: got {len(experts)}.")
    other = "regressor" if kind == "classifier" else "classifier"
    for number, expert in enumerate(experts):
        if _kind_of(expert) == other:
            raise ParameterError(
                f"The experts of HardGate{kind.title()} must be {kind}s: got {expert!r} as expert {number}. "
                f"Use HardGate{other.title()}."
            )


def are_fitted(experts: Sequence[Any]) -> bool:
    """Return whether the experts are fitted, and so stay as they are; refuse a mixture."""
    fitted = [_is_fitted(expert) for expert in experts]
    if any(fitted) and not all(fitted):
        missing = [f"expert {number}, {experts[number]!r}" for number, is_fitted in enumerate(fitted) if not is_fitted]
        raise ParameterError(
            f"`experts` must all be fitted, or none of them: got {sum(fitted)} of {len(fitted)} fitted; not "
            f"{', '.join(missing)}. Fit the others, or pass clones: sklearn.base.clone(expert)."
        )
    return all(fitted)


def ask(expert: Any, number: int, method: str, x: Any) -> NDArray[Any]:
    """Return the answers of an expert; refuse anything but one finite answer for each row of `x`."""
    num_rows, source = len(x), f"expert {number}, {expert!r}"
    try:
        answer = np.asarray(getattr(expert, method)(x))
    except Exception as error:
        raise ExpertError(
            f"Every expert must answer `{method}`: got {type(error).__name__} from {source}, on {num_rows} rows: "
            f"{error}"
        ) from error
    if answer.ndim == 2 and answer.shape[1] == 1 and method == "predict":
        answer = answer[:, 0]  # Keras models answer in columns
    if answer.ndim not in (1, 2) or len(answer) != num_rows:
        raise ExpertError(
            f"Every expert must return one answer per row: got shape {answer.shape} from {source}, on {num_rows} rows."
        )
    if answer.dtype.kind == "f" and not np.isfinite(answer).all():
        wrong = int((~np.isfinite(answer.reshape(num_rows, -1)).all(axis=1)).sum())
        raise ExpertError(
            f"The answers of every expert must be finite: got NaN or infinity in {wrong} of {num_rows} rows from "
            f"{source}."
        )
    return answer


def fitted_clone(expert: Any, number: int, x: Any, y: NDArray[Any]) -> Any:
    """Return a fitted copy of an expert."""
    try:
        return clone(expert).fit(x, y)
    except Exception as error:
        raise ExpertError(
            f"Every expert must learn from the rows: got {type(error).__name__} from expert {number}, {expert!r}, "
            f"on {len(y)} rows: {error}"
        ) from error


def fit_out_of_fold(
    experts: Sequence[Any], x: Any, y: NDArray[Any], cv: Any, *, classify: bool, seed: int, verbose: bool | int
) -> Iterable[tuple[int, NDArray[np.intp], Any]]:
    """Fit clones of every expert to all folds but one; yield its number, the fold that it has not seen, and it."""
    if not hasattr(cv, "split"):
        if len(y) < cv:
            raise DataError(f"There must be at least as many rows as folds, {cv}: got {len(y)} sample(s). Lower `cv`.")
        rarest = np.unique(y, return_counts=True)[1].min() if classify else 0
        cv = (StratifiedKFold if rarest >= cv else KFold)(cv, shuffle=True, random_state=seed)
    folds = cv.split(np.zeros((len(y), 1)), y)
    work = [(number, seen, unseen) for seen, unseen in folds for number in range(len(experts))]
    for number, seen, unseen in tqdm(work, desc="experts out of fold", unit="fit", delay=2, disable=not verbose):
        yield number, unseen, fitted_clone(experts[number], number, rows_of(x, seen), y[seen])


def rows_of(x: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of an array or a frame, as the same type."""
    frame = nw.from_native(x, eager_only=True, pass_through=True)
    return frame[rows].to_native() if isinstance(frame, nw.DataFrame) else x[rows]


def _kind_of(expert: Any) -> str | None:
    try:
        return get_tags(expert).estimator_type
    except AttributeError:  # not an estimator of scikit-learn
        return getattr(expert, "_estimator_type", None)


def _is_fitted(expert: Any) -> bool:
    if not hasattr(expert, "fit") or not hasattr(expert, "get_params"):
        return True  # it cannot be cloned: a Keras model, for example, which predicts as it is
    try:
        check_is_fitted(expert)
    except NotFittedError:
        return False
    except AttributeError:  # not an estimator of scikit-learn, but similar to one
        return any(name.endswith("_") and not name.startswith("__") for name in vars(expert))
    return True
