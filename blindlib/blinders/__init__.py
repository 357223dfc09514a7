"""Provide the methods that hide an attribute in x and keep identity, as scikit-learn transformers x -> φ(x)."""

from blindlib.blinders.affine import LEACE
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.representation import Representation
from blindlib.blinders.sensitivenets import SensitiveNets

__all__ = ["LEACE", "LNTL", "Representation", "SensitiveNets"]
