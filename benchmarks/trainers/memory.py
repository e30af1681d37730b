"""How much memory training takes in a fresh process: training.py starts this once for each measurement.

    memory.py codeword|keras uint8|float32 [--smoke]

Network A on MNIST: as uint8, which the network divides by 255 and the loss compares with, or as float32. Prints MiB:
resident before the data is loaded, and at the peak of loading and training. Linux only.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import keras_trainer
import numpy as np
from networks import Network, images, network_of, scaled

from codeword.backend import keras

ops = keras.ops
EPOCHS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("by", choices=("codeword", "keras"))
    parser.add_argument("dtype", choices=("uint8", "float32"))
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    network = network_of("A", smoke=arguments.smoke)
    as_bytes = arguments.dtype == "uint8"
    few = network._replace(num_rows=2 * network.batch)
    train(few, arguments.by, np.zeros((few.num_rows, few.columns), np.uint8), as_bytes)
    before = resident("VmHWM")
    loss = train(network, arguments.by, images(network.num_rows), as_bytes)
    peak = resident("VmHWM")
    print(json.dumps({"before": before, "peak": peak, "growth": peak - before, "loss": loss}))


def train(network: Network, by: str, rows: Any, as_bytes: bool) -> float:
    """Builds and trains; gives the last loss."""
    if not as_bytes:
        rows = scaled(rows)
    model = keras_trainer.built(network, first=(keras.layers.Rescaling(1 / 255),) if as_bytes else ())
    keras_trainer.compiled(model, network, loss=bytes_mse if as_bytes else "mse")
    fit = keras_trainer.FITS[by]
    history = fit(model, rows, rows, batch_size=network.batch, epochs=EPOCHS, verbose=0).history
    return float(history["loss"][-1])


def bytes_mse(y_true: Any, y_pred: Any) -> Any:
    """Compares bytes with shares of 255."""
    return ops.mean(ops.square(ops.cast(y_true, y_pred.dtype) / 255 - y_pred), axis=-1)


def resident(field: str) -> float:
    """Gives a line of the process's status, in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    main()
