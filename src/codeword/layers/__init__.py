"""Discrete layers: exact values forward, a surrogate slope backward."""

from codeword.layers.hardmax import Hardmax as Hardmax
from codeword.layers.level_one_hot import LevelOneHot as LevelOneHot
from codeword.layers.scalar_quantizer import ScalarQuantizer as ScalarQuantizer
from codeword.layers.sign_bits import SignBits as SignBits
from codeword.layers.staircase import Staircase as Staircase
from codeword.layers.step import Step as Step
from codeword.layers.threshold import Threshold as Threshold
