"""Three SVMs and a gate that asks exactly one of them for every row.

    python examples/gate.py                                      scikit-learn's digits, a minute

First three SVMs (linear, polynomial, RBF) that all learnt from the same images: what the gate makes of them, and what
an answer costs. Then three that each know another third of a plane, which can be drawn: who is asked where.
"""

import argparse
import time

import numpy as np
from pictures import save_choices
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC

import codeword as cw

NAMES = ("linear", "polynomial", "RBF")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", default="gate.png")
    arguments = parser.parse_args()
    images, labels = load_digits(return_X_y=True)

    # 1. Three kernels, the same images. The gate fits them, and learns from what they answer out of their fold.
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.4, stratify=labels, random_state=0)
    gate = cw.HardGateClassifier(experts=kernels()).fit(x, y)
    print("\nThree kernels that learnt from the same images:")
    report(gate, x_test, y_test)

    # 2. What does an answer cost? One expert a row, and the gate.
    many = np.resize(x_test, (10_000, x_test.shape[1]))
    start = time.perf_counter()
    gate.predict(many)
    seconds = time.perf_counter() - start
    start = time.perf_counter()
    for expert in gate.experts_:
        expert.predict(many)
    print(f"10,000 rows: {seconds:.2f} s behind the gate, {time.perf_counter() - start:.2f} s to ask all three\n")

    # 3. Two numbers an image, and three experts each of which has seen another third of the plane only.
    plane = PCA(2, whiten=True, random_state=0).fit_transform(images)
    x, x_test, y, y_test = train_test_split(plane, labels, test_size=0.4, stratify=labels, random_state=0)
    known, own = np.arange(len(x)) < len(x) // 2, third_of(x)
    experts = [svm.fit(x[known & (own == third)], y[known & (own == third)]) for third, svm in enumerate(kernels())]
    gate = cw.HardGateClassifier(experts=experts).fit(x[~known], y[~known])  # fitted experts: rows they have not seen
    print("\nThree kernels that know another third of a plane each:")
    scores = report(gate, x_test, y_test)

    # 4. Who is asked where?
    low, high = plane.min(axis=0), plane.max(axis=0)
    grid = np.stack(np.meshgrid(*np.linspace(low, high, 200).T), axis=-1).reshape(-1, 2)
    region, extent = gate.choose(grid).reshape(200, 200), (low[0], high[0], low[1], high[1])
    save_choices(arguments.picture, region, extent, x_test, gate.predict(x_test) == y_test, scores, NAMES)
    print(f"picture: {arguments.picture}")


def kernels() -> list[SVC]:
    return [SVC(kernel="linear"), SVC(kernel="poly"), SVC(kernel="rbf")]


def third_of(points: np.ndarray) -> np.ndarray:
    """Gives the third of the plane that a point lies in, by its angle."""
    return (np.arctan2(points[:, 1], points[:, 0]) // (2 * np.pi / 3)).astype(int) % 3


def report(gate: cw.HardGateClassifier, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Prints and gives the share of right answers of each expert, of the gate, and of the best possible choice."""
    right = np.stack([expert.predict(x) == y for expert in gate.experts_], axis=1)
    scores = {name: float(share) for name, share in zip(NAMES, right.mean(axis=0), strict=True)}
    scores |= {"the gate": gate.score(x, y), "the best choice": float(right.any(axis=1).mean())}
    for name, score in scores.items():
        print(f"  {name:16} {score:.3f} right")
    asked = ", ".join(f"{name} {share:.0%}" for name, share in zip(NAMES, gate.usage_, strict=True))
    print(f"  asked: {asked}")
    return scores


if __name__ == "__main__":
    main()
