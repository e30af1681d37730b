"""An autoencoder with softmax and binary cross-entropy on values from 0 to 255: examined, and put right.

    python examples/heads.py                                     scikit-learn's digits, half a minute
    CODEWORD_DATA=/folder python examples/heads.py               MNIST from the folder, two minutes

Prints what is wrong and what it costs, and writes a picture of before and after.
"""

import argparse
import os

import numpy as np
from sklearn.datasets import load_digits

import codeword as cw
from codeword.backend import keras
from codeword.evaluation.pictures import save_image_rows


def posted(columns: int) -> keras.Model:
    """The network as it was posted in a forum."""
    inputs = keras.Input((columns,))
    x = inputs
    for units in (128, 64, 28, 64, 128):
        x = keras.layers.Dense(units, activation="relu")(x)
    model = keras.Model(inputs, keras.layers.Dense(columns, activation="softmax")(x), name="autoencoder")
    model.compile(optimizer="adam", loss="binary_crossentropy")
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="passes over the data")
    parser.add_argument("--picture", default="heads.png")
    arguments = parser.parse_args()
    keras.utils.set_random_seed(0)

    # 1. Data: brightness from 0 to 255, as images come.
    if os.environ.get("CODEWORD_DATA"):
        (train, _), (test, _) = cw.datasets.load_mnist()
        epochs = arguments.epochs or 5
    else:
        images = np.round(load_digits().images * 255 / 16)
        train, test, epochs = images[:1500], images[1500:], arguments.epochs or 60
    side = train.shape[1]
    x, x_test = (rows.reshape(len(rows), -1).astype("float32") for rows in (train, test))

    # 2. The network as posted, trained as posted: its loss falls, and it learns nothing.
    before = posted(side * side)
    before.fit(x, x, epochs=epochs, batch_size=100, verbose=0)

    # 3. What is wrong, in numbers of this data.
    report = cw.examine(before, x)
    print(report)

    # 4. Put right: the same layers, another output and scaled data.
    after, scaling = report.remedied()
    after.fit(scaling(x), scaling(x), epochs=epochs, batch_size=100, verbose=0)

    # Scaling the data alone, which everybody is told first, does not help.
    scaled = posted(side * side)
    scaled.fit(scaling(x), scaling(x), epochs=epochs, batch_size=100, verbose=0)

    wanted = scaling(x_test)
    restored = {
        "as posted": before.predict(x_test, verbose=0),
        "data scaled": scaled.predict(wanted, verbose=0),
        "put right": after.predict(wanted, verbose=0),
    }
    print("\nmean squared error on test images, brightness from 0 to 1:")
    for name, rows in restored.items():
        print(f"  {name:<12}{np.square(rows - wanted).mean():.4f}")
    print(f"  {'all black':<12}{np.square(wanted).mean():.4f}")

    shown = {"original": wanted, **restored}
    pictures = {name: rows[:12].clip(0, 1).reshape(-1, side, side) for name, rows in shown.items()}
    save_image_rows(arguments.picture, pictures, mark_wrong=False)
    print(f"picture: {arguments.picture}")


if __name__ == "__main__":
    main()
