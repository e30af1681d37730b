"""8x8 images of four values -> 8 bytes of code -> the same four values.

    python examples/levels.py                                    scikit-learn's digits, half a minute
    CODEWORD_DATA=/folder python examples/levels.py              MNIST from the folder, a few minutes

Prints what comes back exactly and writes a picture.
"""

import argparse
import os

import numpy as np

import codeword as cw
from codeword.evaluation.pictures import save_image_rows

LEVELS = [0, 0.25, 0.5, 0.75]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, help="passes over the data")
    parser.add_argument("--picture", default="levels.png")
    arguments = parser.parse_args()

    # 1. Data: the four values as they are. Nothing is scaled; the data kind knows how they enter the network.
    if os.environ.get("CODEWORD_DATA"):
        train, test = cw.datasets.four_level_mnist()
        settings = {"epochs": arguments.epochs or 40}
    else:
        images = np.random.default_rng(0).permutation(cw.datasets.four_level_digits())
        train, test = images[360:], images[:360]
        settings = {"epochs": arguments.epochs or 60, "weight_decay": 0.5}  # few rows: more decay

    # 2. A network whose middle is 64 bits and whose output is one of four levels for each cell.
    data = cw.Levels(LEVELS, edges="floor")
    model = cw.Autoencoder(data=data, code=cw.Bits(64), verbose=2, **settings).fit(train)

    # 3. Eight bytes an image, and back.
    codes = model.encode(test)
    restored = model.decode(codes)
    print(f"\n{len(test)} images as {codes.nbytes} bytes: {codes.shape[1]} each, dtype {codes.dtype}")
    print(f"values that come back: {np.unique(restored)}")
    print(f"cells exact {np.mean(restored == test):.4f}, rows exact {(restored == test).all(axis=(1, 2)).mean():.4f}")
    print(f"cells where stored differs from trained: {(restored != model.reconstruct(test)).sum()}")

    # 4. How sure is it? Each level's probability, from the code alone.
    probabilities = model.decode_proba(codes[:1])[0]
    print(f"least sure cell of the first image: {probabilities.max(axis=-1).min():.3f}")

    save_image_rows(arguments.picture, {"original": test[:12], "from 8 bytes": restored[:12]})
    print(f"picture: {arguments.picture}")


if __name__ == "__main__":
    main()
