"""How long until a fresh process trains: training.py starts this once for each measurement.

    first_step.py CONTESTANT [--smoke]

Imports, rows and the network are there before the clock starts; by hand the data still goes to the device. Prints the
seconds of a first call that trains an epoch, and so compiles, and of more such calls. A fused epoch does not tell when
its first step is done: what the first call takes longer than the others is the time until then, less one step.
"""

import argparse
import json
import time

import jax_by_hand
import keras_trainer
from networks import network_of, rows_of

LATER = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contestant", choices=("hand", "keras", "codeword"))
    parser.add_argument("--smoke", action="store_true")
    arguments = parser.parse_args()
    network = network_of("A", smoke=arguments.smoke)
    rows = rows_of(network)
    if arguments.contestant == "hand":
        start = time.perf_counter()
        train = jax_by_hand.make(network, rows)
    else:
        train = keras_trainer.make(network, rows, by=arguments.contestant)
        start = time.perf_counter()
    seconds = []
    for _ in range(1 + LATER):
        train(1)
        seconds.append(time.perf_counter() - start)
        start = time.perf_counter()
    print(json.dumps({"first": seconds[0], "later": seconds[1:]}))


if __name__ == "__main__":
    main()
