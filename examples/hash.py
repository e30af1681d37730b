"""Images -> binary codes -> a store on disk -> search by Hamming distance, and a picture of what it finds.

    python examples/hash.py                                 scikit-learn's built-in 8x8 digits, half a minute
    CODEWORD_DATA=/folder/with/mnist python examples/hash.py               MNIST, some minutes

No label is used to train. Labels only count, at the end, how much of what is found is of the query's kind.
"""

import argparse
import os
from pathlib import Path

import numpy as np
from pictures import save_search
from sklearn.datasets import load_digits

import codeword as cw
from codeword.evaluation import code_usage, mean_average_precision


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bits", type=int, default=32)
    parser.add_argument("--epochs", type=int, help="passes over the images; left out: the measured default")
    parser.add_argument("--picture", default="hash.png")
    arguments = parser.parse_args()

    # 1. Data: images with values from 0 to 1.
    if os.environ.get("CODEWORD_DATA"):
        (x, y), (queries, truth) = cw.datasets.load_mnist()
        x, queries, truth = x / 255, queries[:1000] / 255, truth[:1000]
    else:
        images, labels = load_digits().images / 16, load_digits().target
        x, y, queries, truth = images[:1500], labels[:1500], images[1500:], labels[1500:]

    # 2. Train. A digit stays the digit when it is turned, scaled or shifted a little.
    hasher = cw.Autoencoder(
        data=cw.UnitInterval(),
        code=cw.Bits(arguments.bits),
        objective=cw.objectives.KeepGroups(augment="images"),
        epochs=arguments.epochs,
        verbose=2,
    )
    codes = hasher.fit(x).encode(x)
    print(f"\n{len(codes)} images, {codes.shape[1]} bytes each")
    usage = code_usage(codes, num_bits=arguments.bits)
    print(usage)

    # 3. Store. The file is DuckDB; it knows which model the codes are of, and refuses those of another.
    Path("codes.duckdb").unlink(missing_ok=True)
    store = cw.CodeStore("codes.duckdb", model=hasher)
    store.append(np.arange(len(codes)), codes, {"label": y})

    # 4. Search: all, or with a condition in SQL.
    asked = hasher.encode(queries)
    distances, ids = store.search(asked, k=10)
    some, _ = store.search(asked[:1], k=1, where=f"label <> {truth[0]}")
    print(f"\nthe first query is a {truth[0]}; the nearest image of another digit differs in {some[0, 0]} bits")
    right = y[ids] == truth[:, None]
    print(f"of the ten nearest {right.mean():.1%} are of the query's kind; by chance it would be a tenth")
    print(f"mean average precision {mean_average_precision(codes, y, asked, truth):.3f}")

    # 5. Look: five queries, each with its ten nearest and how many bits differ; red where it is another digit.
    chosen = np.unique(truth, return_index=True)[1][:5]
    title = f"{arguments.bits} bits an image: queries and their ten nearest"
    save_search(
        arguments.picture, queries[chosen], x[ids[chosen]], right[chosen], distances[chosen], usage.ones, title=title
    )
    print(f"picture: {arguments.picture}")


if __name__ == "__main__":
    main()
