"""The programs to paste that an advice ends with, and how they write a head (no Keras)."""

import math
from collections.abc import Sequence

from codeword.data_kinds import DataKind, LossCall, Ratings
from codeword.data_kinds.python_text import python_call, python_literal
from codeword.recommenders.rating_table import COLUMNS

HIDDEN = 128
SCALING_OF_A_TARGET = "None: a target stays as it is; what it is told from has its own advice."
WHEN_CLASSES = "Names without an order: the output is how likely each class is."
IMPORTS = {
    "cw.": "import codeword as cw",
    "keras.": "import keras",
    "np.": "import numpy as np",
    "scipy.sparse.": "import scipy.sparse",
}


def output_text(kind: DataKind, row_shape: tuple[int, ...]) -> str:
    """Writes the output layer that the kind's head has."""
    activation = "" if kind.activation == "linear" else f", activation={kind.activation_code}"
    return f"keras.layers.Dense({math.prod(kind.output_shape(row_shape))}{activation})"


def masked(loss: LossCall) -> str:
    """Writes a loss that leaves out targets that are NaN."""
    return f"cw.losses.Masked({loss}, missing=np.nan)"


def autoencoder_program(
    kind: DataKind, row_shape: tuple[int, ...], *, prepare: tuple[str, ...] = (), filled: float | None = None
) -> str:
    """Writes a plain Keras autoencoder of rows `x`: scaling, output, loss, and how an output becomes values again.

    Args:
        kind: Of the values.
        row_shape: Shape of a row.
        prepare: Lines that bring `x` to what the kind allows.
        filled: What stands for NaN at the input where NaN in `x` means "not observed"; None if there is none.
    """
    entering, entered, target = _entering(kind, filled)
    lines = [*prepare, *entering, "" if prepare or entering else None, f"inputs = keras.Input({row_shape})"]
    hidden = "inputs"
    if kind.entry_levels:
        levels = python_literal(kind.entry_levels)
        lines += [f"hidden = cw.layers.LevelOneHot({levels})(inputs)  # one number per level"]
        hidden = "hidden"
    if kind.entry_levels or len(row_shape) > 1:
        lines += [f"hidden = keras.layers.Flatten()({hidden})"]
        hidden = "hidden"
    lines += [f'hidden = keras.layers.Dense({HIDDEN}, activation="relu")({hidden})']
    lines += [f"outputs = {output_text(kind, row_shape)}(hidden){kind.head_comment}"]
    shape = kind.output_shape(row_shape)
    if len(shape) > 1:
        lines += [f"outputs = keras.layers.Reshape({shape})(outputs)"]
    loss = masked(kind.loss_call) if filled is not None else str(kind.loss_call)
    lines += ["model = keras.Model(inputs, outputs)", f'model.compile("adam", loss={loss})']
    lines += [f"model.fit({entered}, {target}, batch_size=128, epochs=10)"]
    lines += [f"restored = {kind.values_code(f'model.predict({entered})')}"]
    return _program(lines)


def target_program(kind: DataKind, *, loss: LossCall | None = None, prepare: tuple[str, ...] = ()) -> str:
    """Writes a plain Keras network that tells a single column `y` from other data `x`; `loss` if not the kind's."""
    lines = ["# y: this data; x: what it is to be told from, a row for each y", *prepare]
    entering = kind.entry_code("y")
    lines += entering
    target = "scaled" if entering else "y"
    lines += ["", "layers = [", f'    keras.layers.Dense({HIDDEN}, activation="relu"),']
    remark = "  # a logit for each class" if loss else kind.head_comment
    lines += [f"    {output_text(kind, ())},{remark}", "]", "model = keras.Sequential(layers)"]
    lines += [f'model.compile("adam", loss={loss or kind.loss_call})']
    lines += [f"model.fit(x, {target}, batch_size=128, epochs=10)"]
    told = "model.predict(x).argmax(axis=-1)" if loss else kind.values_code("model.predict(x)")
    return _program([*lines, f"told = {told}"])


def ratings_loss(kind: Ratings, came: str) -> LossCall:
    """Gives the masked loss of a dense table of ratings; `came` as for `ratings_program`."""
    nan = came in ("nan", "table") or (came == "sparse" and math.isnan(kind.loss_call.arguments["missing"]))
    return kind.loss_call._replace(arguments={**kind.loss_call.arguments, "missing": math.nan if nan else 0})


def ratings_program(kind: Ratings, num_items: int, *, came: str, columns: Sequence[str] = COLUMNS) -> str:
    """Writes a plain Keras network over a dense table of ratings, with a masked loss.

    Args:
        kind: The scale.
        num_items: Columns.
        came: What `x` is: a "sparse" matrix, a "table" with a row for each rating, or dense: "zeros" (0 means not
            rated) or "nan" (NaN does).
        columns: The table's columns of users, items and ratings.
    """
    loss = ratings_loss(kind, came)
    nan = math.isnan(loss.arguments["missing"])
    lines = [f"table = x  # {'NaN' if nan else '0'}: not rated"]
    if came == "table":
        names = [python_literal(str(name)) for name in columns]
        lines = [f"users, rows = np.unique(x[{names[0]}], return_inverse=True)"]
        lines += [f"items, places = np.unique(x[{names[1]}], return_inverse=True)"]
        lines += ["table = np.full((len(users), len(items)), np.nan)  # NaN: not rated"]
        lines += [f"table[rows, places] = x[{names[2]}]"]
    elif came == "sparse" and nan:
        lines = ["entries = x.tocoo()", "table = np.full(x.shape, np.nan)  # NaN: not rated, as 0 is a rating"]
        lines += ["table[entries.row, entries.col] = entries.data"]
    elif came == "sparse":
        lines = ["table = x.toarray()  # 0: not rated"]
    lines += ["given = np.nan_to_num(table)  # NaN must not enter" if nan else "given = table"]
    bias = f"bias_initializer=keras.initializers.Constant({python_literal((kind.low + kind.high) / 2)})"
    lines += ["", "layers = [", f"    keras.Input(({num_items},)),"]
    lines += ["    keras.layers.Dropout(0.5),  # half of the ratings do not enter, so that copying does not pay"]
    lines += [f'    keras.layers.Dense({HIDDEN}, activation="relu"),']
    lines += [f"    {output_text(kind, (num_items,))[:-1]}, {bias}),  # linear"]
    lines += ["]", "model = keras.Sequential(layers)", f'model.compile("adam", loss={loss})']
    lines += ["model.fit(given, table, batch_size=128, epochs=10)"]
    ends = f"{python_literal(kind.low)}, {python_literal(kind.high)}"
    return _program([*lines, f"predicted = model.predict(given).clip({ends})"])


def autoencoder_line(kind: DataKind, prepare: tuple[str, ...] = ()) -> str:
    """Writes codeword's own estimator of rows."""
    return _program([*prepare, f"ae = cw.Autoencoder(data=cw.{python_call(kind)}, code=cw.Bits(64)).fit(x)"])


def ratings_line(kind: Ratings, *, came: str, columns: Sequence[str] = COLUMNS) -> str:
    """Writes codeword's own recommender; `came` as for `ratings_program`."""
    settings = f"data=cw.Ratings({python_literal(kind.low)}, {python_literal(kind.high)})"
    if came == "nan":
        lines = ["users, items = np.nonzero(~np.isnan(x))"]
        return _program([*lines, f"rec = cw.RatingAutoencoder({settings}).fit((users, items, x[users, items]))"])
    if tuple(columns) != COLUMNS:
        settings += f", columns={python_literal(tuple(columns))}"
    given = "scipy.sparse.csr_array(x)" if came == "zeros" else "x"
    return _program([f"rec = cw.RatingAutoencoder({settings}).fit({given})"])


def _entering(kind: DataKind, filled: float | None) -> tuple[list[str], str, str]:
    """Return lines that turn `x` into what enters the network, and the names of input and target after them."""
    lines = kind.entry_code("x")
    entered = target = "scaled" if lines else "x"
    if filled is not None:
        value = f", nan={python_literal(filled)}" if filled else ""
        lines += [f"given = np.nan_to_num({entered}{value})  # NaN must not enter; it stays in the target"]
        entered = "given"
    return lines, entered, target


def _program(lines: list[str | None]) -> str:
    """Puts the imports that some lines need before them."""
    body = "\n".join(line for line in lines if line is not None)
    imports = [line for used, line in IMPORTS.items() if used in body]
    return "\n".join([*imports, "", body])
