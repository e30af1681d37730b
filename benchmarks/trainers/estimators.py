"""`cw.Autoencoder` on the rows of a network; its first epoch, in which it compiles, is not counted."""

from typing import Any

from clock import Clock
from networks import Network, Rows

import codeword as cw


def make(network: Network, rows: Rows, **settings: Any) -> Any:
    assert network.middle is not None
    common = {"hidden": (network.hidden,), "batch_size": network.batch, "verbose": 0}
    code, objective = cw.Bits(network.middle), cw.objectives.Reconstruct(**settings)

    def train(epochs: int) -> tuple[list[float], float]:
        clock = Clock()
        kinds = {"data": cw.UnitInterval(), "code": code, "objective": objective}
        model = cw.Autoencoder(**kinds, epochs=epochs + 1, **common)
        model.fit(rows, callbacks=[clock])
        return model.history_["loss"][:2], clock.seconds

    return train
