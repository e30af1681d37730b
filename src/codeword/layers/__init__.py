"""Discrete layers with exact values and surrogate slopes, and layers for the inputs and codes of networks."""

# Registered together, so that a compiled model loads after `import codeword.layers` alone.
import codeword.losses
import codeword.metrics  # noqa: F401 - imported to be registered
from codeword.layers.code_noise import CodeNoise as CodeNoise
from codeword.layers.for_decoder import ForDecoder as ForDecoder
from codeword.layers.hardmax import Hardmax as Hardmax
from codeword.layers.level_one_hot import LevelOneHot as LevelOneHot
from codeword.layers.no_code import NoCode as NoCode
from codeword.layers.random_affine import RandomAffine as RandomAffine
from codeword.layers.residual_quantizer import ResidualQuantizer as ResidualQuantizer
from codeword.layers.residual_steps import ResidualSteps as ResidualSteps
from codeword.layers.scalar_quantizer import ScalarQuantizer as ScalarQuantizer
from codeword.layers.sign_bits import SignBits as SignBits
from codeword.layers.staircase import Staircase as Staircase
from codeword.layers.step import Step as Step
from codeword.layers.threshold import Threshold as Threshold
