"""The errors of codeword.

    CodewordError
    ├── ParameterError      (ValueError)       a setting that cannot work
    ├── DataError           (ValueError)       data with values that its data kind does not allow
    ├── DataTypeError       (TypeError)        data that is not an array of numbers
    ├── CodeError           (ValueError)       codes that do not fit the model or the store
    ├── ExpertError         (ValueError)       an expert of a gate that fails or returns unusable predictions
    ├── DivergedError       (ArithmeticError)  training with a loss that became NaN or infinite
    ├── ModelFileError      (ValueError)       a model file that is damaged, foreign or hostile
    ├── TableFileError      (ValueError)       a data file that cannot be read as a table or array
    ├── StoreFileError      (ValueError)       a store of codes that is damaged or foreign
    ├── StoreBusyError      (TimeoutError)     a store that other processes hold for too long
    ├── DiskError           (OSError)          a file that the system does not let codeword read or write
    │   └── OutputPathError (OSError)          a path that cannot be written, with what is there now
    ├── ForkedProcessError  (RuntimeError)     Keras in a process that was forked from one in which it has computed
    └── MissingExtraError   (ImportError)      a package that one of the extras installs

Each class also derives from the built-in exception in parentheses. A message states what must hold, what codeword got
and, if it is not obvious, what to do: "`ids` must have one id per code: got 3 ids for 5 codes."
"""

import os

MAX_CHARACTERS = 2_000  # of a message: what a stranger's file says may be longer than a screen


class CodewordError(Exception):
    """Base class of all errors that codeword raises.

    Messages may quote files of strangers: control characters are escaped, and a long message is cut in the middle.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(plain(message))


def plain(text: str) -> str:
    """Return a text that a terminal shows as it is: without control characters, and not too long."""
    if len(text) > MAX_CHARACTERS:
        text = f"{text[: MAX_CHARACTERS - 500]} … {text[-400:]}"
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each == "\n" else each.encode("unicode_escape").decode() for each in text
    )


def shown(value: object, most: int = 60) -> str:
    """Return the `repr` of a value for a message, cut to about `most` characters; it never raises."""
    try:
        text = repr(value)
    except Exception:  # too deep, an integer of too many digits, or a class with a fault
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most * 2 // 3]} … ({len(text):,} characters)"


class ParameterError(CodewordError, ValueError):
    """A setting that cannot work, whatever the data."""


class DataError(CodewordError, ValueError):
    """Data with values that its data kind does not allow."""


class DataTypeError(CodewordError, TypeError):
    """Data that is not an array of numbers."""


class CodeError(CodewordError, ValueError):
    """Codes with another width, type or origin than the model or store requires."""


class ExpertError(CodewordError, ValueError):
    """An expert of a gate that raised an error, or returned NaN or the wrong number of predictions."""


class DivergedError(CodewordError, ArithmeticError):
    """Training with a loss that became NaN or infinite."""


class ModelFileError(CodewordError, ValueError):
    """A model file that is damaged, foreign or hostile. Nothing in it was used."""


class TableFileError(CodewordError, ValueError):
    """A data file that cannot be read as an array or a table."""


class StoreFileError(CodewordError, ValueError):
    """A store of codes that is damaged or foreign."""


class StoreBusyError(CodewordError, TimeoutError):
    """A store that other processes held for longer than the maximum waiting time."""


class DiskError(CodewordError, OSError):
    """A file that the system does not let codeword read or write: permissions, too many open files, a failed disk.

    Attributes:
        path: The file.
        on_disk: What it holds now: "old", as before; "new", as wanted, but perhaps not safe from a power failure; or
            "unknown", which only a store can be, if the disk fails so that a change can neither be finished nor undone.
    """

    def __init__(self, message: str = "", *, path: str | os.PathLike[str] | None = None, on_disk: str = "old") -> None:
        super().__init__(message)
        self.path, self.on_disk = path, on_disk


class OutputPathError(DiskError):
    """A path that cannot be written: no such folder, no permission, a full disk."""


class ForkedProcessError(CodewordError, RuntimeError):
    """Keras in a process that was forked from one in which it has computed."""


class MissingExtraError(CodewordError, ImportError):
    """A missing package that one of codeword's extras installs."""
