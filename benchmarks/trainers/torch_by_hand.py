"""The networks in plain PyTorch: data in one tensor, batches by index, eager or compiled."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from networks import RATE, Network, Rows, first_weights, shuffled, weighted_mean
from torch.nn import functional


def make(network: Network, rows: Rows, *, middle: str = "signs", compiled: bool = False, adam: str = "fused") -> Any:
    generator = np.random.default_rng(0)
    data = torch.from_numpy(rows)
    inner, weights = middle_of(middle), [torch.from_numpy(w).requires_grad_() for w in first_weights(network)]
    optimizer = torch.optim.Adam(weights, RATE, eps=1e-7, **{adam: True})

    def loss(batch: torch.Tensor) -> torch.Tensor:
        return rating_loss(weights, batch) if network.middle is None else image_loss(weights, batch, inner)

    if compiled:
        loss = torch.compile(loss, dynamic=False)

    def step(indices: torch.Tensor) -> torch.Tensor:
        optimizer.zero_grad(set_to_none=True)
        value = loss(data.index_select(0, indices))
        value.backward()
        optimizer.step()
        return value.detach()

    def train(epochs: int) -> tuple[list[float], None]:
        means = []
        for _ in range(epochs):
            losses = [step(indices) for indices in torch.from_numpy(shuffled(generator, network)).split(network.batch)]
            means.append(weighted_mean(torch.stack(losses).numpy(), network))
        return means, None

    return train


def image_loss(weights: list[torch.Tensor], batch: torch.Tensor, middle: Callable[[torch.Tensor], Any]) -> torch.Tensor:
    k1, b1, k2, b2, k3, b3, k4, b4 = weights
    code, cost = middle(torch.addmm(b2, torch.relu(torch.addmm(b1, batch, k1)), k2))
    output = torch.sigmoid(torch.addmm(b4, torch.relu(torch.addmm(b3, code, k3)), k4))
    return functional.mse_loss(output, batch) + cost


def rating_loss(weights: list[torch.Tensor], batch: torch.Tensor) -> torch.Tensor:
    k1, b1, k2, b2 = weights
    output = torch.addmm(b2, torch.sigmoid(torch.addmm(b1, batch, k1)), k2)
    rated = batch != 0
    squares = torch.where(rated, torch.square(output - batch), 0).sum(dim=1)
    return (squares / rated.sum(dim=1).clamp(min=1)).mean()


def middle_of(name: str) -> Callable[[torch.Tensor], Any]:
    """Gives a function from scores to a code and its own cost."""
    if name == "signs":
        return lambda x: (Sign.apply(x), 0.0)
    import vector_quantize_pytorch as rival

    if name == "FSQ":
        scalars = rival.FSQ(levels=[8, 5, 5, 5])
        return lambda x: (scalars(x[:, None])[0][:, 0], 0.0)
    if name == "ResidualVQ":
        codebooks = rival.ResidualVQ(dim=32, num_quantizers=8, codebook_size=256)

        def summed(x: torch.Tensor) -> Any:
            code, _, costs = codebooks(x[:, None])
            return code[:, 0], costs.sum()

        return summed
    signs = rival.LFQ(codebook_size=2**16, dim=16, entropy_loss_weight=0.1 if name == "LFQ" else 0.0)

    def quantized(x: torch.Tensor) -> Any:
        code, _, cost = signs(x[:, None])
        return code[:, 0], cost

    return quantized


class Sign(torch.autograd.Function):
    """Gives -1 or +1, with the slope of `SignBits`, 1 - tanh(x)^2."""

    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        context.save_for_backward(x)
        return torch.where(x >= 0, 1.0, -1.0)

    @staticmethod
    def backward(context: Any, upstream: torch.Tensor) -> torch.Tensor:
        (x,) = context.saved_tensors
        return upstream * (1 - torch.square(torch.tanh(x)))
