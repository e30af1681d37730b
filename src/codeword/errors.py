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
    ├── OutputPathError     (OSError)          a path that cannot be written
    └── MissingExtraError   (ImportError)      a package that one of the extras installs

Each class also derives from the built-in exception in parentheses. A message states what must hold, what codeword got
and, if it is not obvious, what to do: "`ids` must have one id per code: got 3 ids for 5 codes."
"""


class CodewordError(Exception):
    """Base class of all errors that codeword raises."""


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


class OutputPathError(CodewordError, OSError):
    """A path that cannot be written."""


class MissingExtraError(CodewordError, ImportError):
    """A missing package that one of codeword's extras installs."""
