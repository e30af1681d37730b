"""The programs to paste that an advice ends with, and how they write a head (no Keras)."""

import math
from dataclasses import dataclass

from codeword.data_kinds import DataKind, LossCall
from codeword.data_kinds.python_text import python_call, python_literal

HIDDEN = 128
RATING_COLUMNS = ("user", "item", "rating")
SCALING_OF_A_TARGET = "None: a target stays as it is. Ask again for the data that predicts it."
WHEN_CLASSES = "Names without an order: the output holds one logit per class."
CLASSES_LOSS = LossCall("keras.losses", "SparseCategoricalCrossentropy", {"from_logits": True})
IMPORTS = {
    "cw.": "import codeword as cw",
    "keras.": "import keras",
    "np.": "import numpy as np",
    "scipy.sparse.": "import scipy.sparse",
}


@dataclass(frozen=True)
class Source:
    """How the data came, and what its network is for.

    Attributes:
        came: "rows" of an autoencoder; a "target" column, or one of "classes"; or ratings: a "sparse" matrix, a
            "table" with one row per rating, or a dense array in which 0 ("zeros") or NaN ("nan") means not rated.
        row_shape: Shape of a row; of ratings the number of items; empty for a target.
        filled: What replaces NaN at the input, if NaN means "not observed"; None if there is no NaN.
        drops_holes: Whether rows with NaN are dropped.
        columns: The columns of users, items and, if there are any, ratings or counts in a table.
        are_named: Whether the user named the columns, so that a program must do so, too.
        path: The file of a table; None for a data frame.
        scale: The lowest and the highest rating.
    """

    came: str
    row_shape: tuple[int, ...] = ()
    filled: float | None = None
    drops_holes: bool = False
    columns: tuple[str, ...] = RATING_COLUMNS
    are_named: bool = False
    path: str | None = None
    scale: tuple[float, float] = (0.0, 0.0)

    @property
    def is_ratings(self) -> bool:
        return self.came in ("sparse", "table", "zeros", "nan")


def output_text(kind: DataKind, row_shape: tuple[int, ...]) -> str:
    """Return the output layer of the kind's head, as Python."""
    activation = "" if kind.activation == "linear" else f", activation={kind.activation_code}"
    return f"keras.layers.Dense({math.prod(kind.output_shape(row_shape))}{activation})"


def loss_text(kind: DataKind, source: Source) -> str:
    """Return the loss of the kind's head, as Python; it ignores missing targets."""
    if source.came == "classes":  # the kind's own loss, under the name that users of Keras know
        return str(CLASSES_LOSS)
    if source.is_ratings:
        return str(_ratings_loss(kind, source.came))
    masked = f"cw.losses.Masked({kind.loss_call}, missing=np.nan)"
    return str(kind.loss_call) if source.filled is None else masked


def keras_program(kind: DataKind, source: Source, prepare: tuple[str, ...] = ()) -> str:
    """Return a program with plain Keras: scaling, network, loss, and how an output becomes values again."""
    if source.is_ratings:
        return _program(_ratings_lines(kind, source) if kind.has_ratings else _interaction_lines(kind, source))
    if source.came in ("target", "classes"):
        return _program(_target_lines(kind, source, prepare))
    return _program([*prepare, *_autoencoder_lines(kind, source, is_prepared=bool(prepare))])


def codeword_program(kind: DataKind, source: Source, prepare: tuple[str, ...] = ()) -> str | None:
    """Return a program with an estimator of codeword; None if there is none for such data."""
    if source.came in ("target", "classes") or source.filled is not None:
        return None
    if not source.is_ratings:
        return _program([*prepare, f"ae = cw.Autoencoder(data=cw.{python_call(kind)}, code=cw.Bits(64)).fit(x)"])
    settings = f"data=cw.{python_call(kind)}"
    if source.are_named:
        settings += f", columns={python_literal(source.columns)}"
    x = {"zeros": "scipy.sparse.csr_array(x)", "nan": "(users, items, x[users, items])"}.get(source.came, "x")
    x = x if source.path is None else python_literal(source.path)
    lines = ["users, items = np.nonzero(~np.isnan(x))"] if source.came == "nan" else []
    return _program([*lines, f"rec = cw.RatingAutoencoder({settings}).fit({x})"])


def _autoencoder_lines(kind: DataKind, source: Source, *, is_prepared: bool) -> list[str]:
    shape, hidden = source.row_shape, "inputs"
    lines = kind.entry_code("x")
    entered = target = "scaled" if lines else "x"
    if source.filled is not None:
        value = f", nan={python_literal(source.filled)}" if source.filled else ""
        lines += [f"given = np.nan_to_num({entered}{value})  # NaN must not enter; it stays in the target"]
        entered = "given"
    lines += [*([""] if lines or is_prepared else []), f"inputs = keras.Input({shape})"]
    if kind.entry_levels:
        lines += [
            f"hidden = cw.layers.LevelOneHot({python_literal(kind.entry_levels)})(inputs)  # one number per level"
        ]
        hidden = "hidden"
    if kind.entry_levels or len(shape) > 1:
        lines += [f"hidden = keras.layers.Flatten()({hidden})"]
        hidden = "hidden"
    lines += [f'hidden = keras.layers.Dense({HIDDEN}, activation="relu")({hidden})']
    lines += [f"outputs = {output_text(kind, shape)}(hidden){kind.head_comment}"]
    if len(kind.output_shape(shape)) > 1:
        lines += [f"outputs = keras.layers.Reshape({kind.output_shape(shape)})(outputs)"]
    lines += ["model = keras.Model(inputs, outputs)", f'model.compile("adam", loss={loss_text(kind, source)})']
    lines += [f"model.fit({entered}, {target}, batch_size=128, epochs=10)"]
    return [*lines, f"restored = {kind.values_code(f'model.predict({entered})')}"]


def _target_lines(kind: DataKind, source: Source, prepare: tuple[str, ...]) -> list[str]:
    is_classes, scaling = source.came == "classes", kind.entry_code("y")
    comment = "  # one logit per class" if is_classes else kind.head_comment
    values = "model.predict(x).argmax(axis=-1)" if is_classes else kind.values_code("model.predict(x)")
    return [
        "# y: this data; x: the data that predicts it, one row for each y",
        *prepare,
        *scaling,
        "",
        "layers = [",
        f'    keras.layers.Dense({HIDDEN}, activation="relu"),',
        f"    {output_text(kind, ())},{comment}",
        "]",
        "model = keras.Sequential(layers)",
        f'model.compile("adam", loss={loss_text(kind, source)})',
        f"model.fit(x, {'scaled' if scaling else 'y'}, batch_size=128, epochs=10)",
        f"predicted = {values}",
    ]


def _ratings_loss(kind: DataKind, came: str) -> LossCall:
    """Return the masked loss over a dense table of ratings, or the loss over all cells of interactions."""
    if not kind.has_ratings:
        return kind.loss_call
    is_nan = came in ("nan", "table") or (came == "sparse" and math.isnan(kind.loss_call.arguments["missing"]))
    return kind.loss_call._replace(arguments={**kind.loss_call.arguments, "missing": math.nan if is_nan else 0})


def _ratings_lines(kind: DataKind, source: Source) -> list[str]:
    """Return a plain Keras network over a dense table of ratings, with a masked loss."""
    loss = _ratings_loss(kind, source.came)
    is_nan = math.isnan(loss.arguments["missing"])
    low, high = source.scale
    bias = f"bias_initializer=keras.initializers.Constant({python_literal((low + high) / 2)})"
    return [
        *_dense_table_lines(kind, source, is_nan=is_nan),
        "given = np.nan_to_num(table)  # NaN must not enter" if is_nan else "given = table",
        "",
        "layers = [",
        f"    keras.Input({source.row_shape}),",
        "    keras.layers.Dropout(0.5),  # hides half of the ratings, so that copying them does not pay",
        f'    keras.layers.Dense({HIDDEN}, activation="relu"),',
        f"    {output_text(kind, source.row_shape)[:-1]}, {bias}),  # linear",
        "]",
        "model = keras.Sequential(layers)",
        f'model.compile("adam", loss={loss})',
        "model.fit(given, table, batch_size=128, epochs=10)",
        f"predicted = model.predict(given).clip({python_literal(low)}, {python_literal(high)})",
    ]


def _interaction_lines(kind: DataKind, source: Source) -> list[str]:
    """Return a plain Keras network over a dense table of who took what."""
    if source.came == "table":
        lines = [
            *_positions(source),
            'table = np.zeros((len(users), len(items)), "float32")',
            "table[rows, places] = 1  # taken",
        ]
    else:
        lines = ['table = (x.toarray() != 0).astype("float32")  # 1: taken']
    return [
        *lines,
        "",
        "layers = [",
        f"    keras.Input({source.row_shape}),",
        "    keras.layers.Dropout(0.5),  # hides half of what was taken, so that copying it does not pay",
        f'    keras.layers.Dense({HIDDEN}, activation="relu"),',
        f"    {output_text(kind, source.row_shape)},{kind.head_comment}",
        "]",
        "model = keras.Sequential(layers)",
        f'model.compile("adam", loss={kind.loss_call})',
        "model.fit(table, table, batch_size=128, epochs=10)",
        "scores = np.where(table > 0, -np.inf, model.predict(table))  # the highest are recommended",
    ]


def _positions(source: Source) -> list[str]:
    users, items = map(python_literal, source.columns[:2])
    return [
        f"users, rows = np.unique(x[{users}], return_inverse=True)",
        f"items, places = np.unique(x[{items}], return_inverse=True)",
    ]


def _dense_table_lines(kind: DataKind, source: Source, *, is_nan: bool) -> list[str]:
    if source.came == "table":
        missing = kind.to_config().get("missing")
        lines = [
            *_positions(source),
            "table = np.full((len(users), len(items)), np.nan)  # NaN: not rated",
            f"table[rows, places] = x[{python_literal(source.columns[2])}]",
        ]
        return lines if missing is None else [*lines, f"table[table == {python_literal(missing)}] = np.nan"]
    if source.came == "sparse" and is_nan:
        lines = ["entries = x.tocoo()", "table = np.full(x.shape, np.nan)  # NaN: not rated, because 0 is a rating"]
        return [*lines, "table[entries.row, entries.col] = entries.data"]
    return [f"table = {'x.toarray()' if source.came == 'sparse' else 'x'}  # {'NaN' if is_nan else '0'}: not rated"]


def _program(lines: list[str]) -> str:
    """Return a program with the imports that its lines need."""
    body = "\n".join(lines)
    return "\n".join([*(line for used, line in IMPORTS.items() if used in body), "", body])
