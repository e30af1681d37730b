"""The one error tree of codeword.

    CodewordError
    ├── ParameterError      (ValueError)   a setting that cannot work
    ├── DataError           (ValueError)   data that its data kind does not allow
    ├── DataTypeError       (TypeError)    data that is no array of numbers
    ├── CodeError           (ValueError)   codes that this model did not make
    ├── ExpertError         (ValueError)   an expert of a gate that fails, or gives no answer that can be used
    ├── DivergedError       (ArithmeticError)  a training whose loss is no number any more
    ├── ModelFileError      (ValueError)   a model file that is damaged, foreign or hostile
    ├── TableFileError      (ValueError)   a data file that cannot be read as a table or array
    ├── StoreFileError      (ValueError)   a store of codes that is damaged, foreign or of another model
    ├── StoreBusyError      (TimeoutError) a store that others held for too long
    ├── OutputPathError     (OSError)      a place that cannot be written to
    └── MissingExtraError   (ImportError)  a package that an extra would install

Each class also derives from the built-in that people catch. A message has three parts: what must hold, what came,
what to do.
"""


class CodewordError(Exception):
    """Root of all errors that codeword raises on purpose."""


class ParameterError(CodewordError, ValueError):
    """A setting cannot work, whatever the data."""


class DataError(CodewordError, ValueError):
    """The data does not hold what its data kind says."""


class DataTypeError(CodewordError, TypeError):
    """The data is not an array of numbers at all."""


class CodeError(CodewordError, ValueError):
    """The codes have another width, type or origin than this model's."""


class ExpertError(CodewordError, ValueError):
    """An expert of a gate raised, or its answer is NaN or not one a row."""


class DivergedError(CodewordError, ArithmeticError):
    """The loss became NaN or infinite: the network learned nothing that can be used."""


class ModelFileError(CodewordError, ValueError):
    """A model file is damaged, foreign or hostile; nothing of it was used."""


class TableFileError(CodewordError, ValueError):
    """A data file cannot be read as an array or a table."""


class StoreFileError(CodewordError, ValueError):
    """A store of codes is damaged, foreign, or holds codes of another model."""


class StoreBusyError(CodewordError, TimeoutError):
    """Other processes held a store for longer than one was willing to wait."""


class OutputPathError(CodewordError, OSError):
    """A file cannot be written where it was asked for."""


class MissingExtraError(CodewordError, ImportError):
    """A package is missing that one of codeword's extras installs."""
