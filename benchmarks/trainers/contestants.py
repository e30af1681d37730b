"""Who trains against whom: the table that training.py goes through."""

from typing import Any, NamedTuple


class Contestant(NamedTuple):
    """One way to train a network.

    Attributes:
        module: Of this folder; its `make(network, rows, **options)` gives what trains.
        options: For `make`.
        environment: "jax", "torch" or "tensorflow": which Python runs it, and Keras' backend there.
        needs: A package that this environment may lack.
    """

    module: str
    options: dict[str, Any] = {}  # noqa: RUF012 - never changed
    environment: str = "jax"
    needs: str | None = None


class Group(NamedTuple):
    """Contestants that train one network in alternation.

    Attributes:
        part, title: Names of the results.
        network: Its name in `networks.FULL`.
        contestants: By name; the first of them is the one whose losses the others must have, if `alike`.
        pairs: Whose speed is divided by whose.
        alike: Whether all train the same network by the same loss.
        middle: Numbers in the network's middle, if not its own count.
        in_smoke: Whether a smoke test runs it.
    """

    part: str
    title: str
    network: str
    contestants: dict[str, Contestant]
    pairs: list[tuple[str, str]]
    alike: bool = True
    middle: int | None = None
    in_smoke: bool = True


def keras_by(by: str, environment: str = "jax", **options: Any) -> Contestant:
    return Contestant("keras_trainer", {"by": by, **options}, environment)


def torch_by_hand(*, needs: str | None = None, **options: Any) -> Contestant:
    return Contestant("torch_by_hand", options, "torch", needs)


def estimator(module: str, **options: Any) -> Contestant:
    return Contestant(module, options)


def against(first: str, others: list[str]) -> list[tuple[str, str]]:
    return [(first, other) for other in others]


CODEWORD, HAND = "codeword.fit", "JAX by hand"


def jax_group(network: str) -> Group:
    others = {
        HAND: Contestant("jax_by_hand"),
        "Keras fit": keras_by("keras"),
        "Keras fit, 32 steps": keras_by("keras", grouped=True),
        CODEWORD: keras_by("codeword"),
    }
    pairs = [(name, HAND) for name in others if name != HAND]
    return Group("jax", "on JAX", network, others, pairs, in_smoke=network != "A")


def autoencoder_group(network: str, title: str, **settings: Any) -> Group:
    contestants = {
        "Autoencoder": estimator("estimators", **settings),
        HAND: estimator("autoencoder_by_hand", **settings),
    }
    return Group(
        "estimator", title, network, contestants, [("Autoencoder", HAND)], in_smoke=network == "B" and not settings
    )


def ratings_group() -> Group:
    contestants = {"RatingAutoencoder": estimator("rating_estimator"), HAND: Contestant("jax_by_hand")}
    return Group("estimator", "ratings", "C", contestants, [("RatingAutoencoder", HAND)], alike=False)


def rivals_group(network: str) -> Group:
    others = {
        "PyTorch by hand": torch_by_hand(),
        "PyTorch by hand, compiled": torch_by_hand(compiled=True),
        "Keras fit, TensorFlow": keras_by("keras", "tensorflow", xla=True),
        "Keras fit, TensorFlow, 32 steps": keras_by("keras", "tensorflow", xla=True, grouped=True),
        "Keras fit, PyTorch": keras_by("keras", "torch"),
    }
    contestants = {CODEWORD: keras_by("codeword"), **others}
    return Group("rivals", "elsewhere", network, contestants, against(CODEWORD, list(others)), in_smoke=network == "B")


def larq_group() -> Group:
    rival, options = "larq's sign, TensorFlow", {"middle": "larq signs", "xla": True}
    others = {
        rival: keras_by("keras", "tensorflow", **options),
        f"{rival}, 32 steps": keras_by("keras", "tensorflow", grouped=True, **options),
    }
    contestants = {CODEWORD: keras_by("codeword"), **others}
    return Group("rivals", "signs", "A, 6,000 rows", contestants, against(CODEWORD, list(others)), in_smoke=False)


def quantizer_group(title: str, rival: str, ours: str, middle: int) -> Group:
    options = {"needs": "vector_quantize_pytorch", "middle": rival}
    others = {rival: torch_by_hand(**options), f"{rival}, compiled": torch_by_hand(compiled=True, **options)}
    contestants = {CODEWORD: keras_by("codeword", middle=ours), **others}
    group = Group(
        "rivals", title, "A, 6,000 rows", contestants, against(CODEWORD, list(others)), alike=False, middle=middle
    )
    return group._replace(in_smoke=rival == "FSQ")


def tanh_group(network: str) -> Group:
    names = {"SignBits": "signs", "ScalarQuantizer": "scalars", "Staircase": "stairs", "Hardmax": "choice"}
    contestants = {name: keras_by("codeword", middle=middle) for name, middle in {"tanh": "tanh", **names}.items()}
    pairs = [(name, "tanh") for name in names]
    return Group("tanh", "middles", network, contestants, pairs, alike=False, in_smoke=network == "B")


GROUPS = [
    *(jax_group(network) for network in "ABC"),
    *(autoencoder_group(network, "plain autoencoder", swap=0.0, noise=0.0) for network in "AB"),
    *(autoencoder_group(network, "autoencoder as it comes") for network in "AB"),
    ratings_group(),
    *(rivals_group(network) for network in "ABC"),
    larq_group(),
    quantizer_group("scalars of 8, 5, 5, 5 steps", "FSQ", "FSQ's scalars", 4),
    quantizer_group("16 bits", "LFQ", "signs", 16),
    quantizer_group("16 bits, no entropy cost", "LFQ without entropy", "signs", 16),
    quantizer_group("8 residual codebooks of 256", "ResidualVQ", "residual codebooks", 32),
    *(tanh_group(network) for network in "AB"),
]
