"""x -> φ(x): the methods that hide an attribute and keep identity, as scikit-learn transformers."""

from blindlib.blinders.affine import LEACE
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.representation import Representation
from blindlib.blinders.sensitivenets import SensitiveNets

__all__ = ["LEACE", "LNTL", "Representation", "SensitiveNets"]
