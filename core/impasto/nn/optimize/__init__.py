"""A photo painted in the style of any painting, by optimising its pixels (Gatys et al. 2016)."""

from impasto.nn.interruptions import Interrupted
from impasto.nn.optimize.eyes import backbone_for, perception_for
from impasto.nn.optimize.results import Optimized, Progress
from impasto.nn.optimize.run import optimize

__all__ = ["Interrupted", "Optimized", "Progress", "backbone_for", "optimize", "perception_for"]
