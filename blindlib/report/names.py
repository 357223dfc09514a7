"""How figures and tables print a representation's name; the CSV files keep the short one (`SN`, `LNTL λ=0`)."""

import re

NAMES = {
    "x": "x",
    "SN": "φ_SN",
    "LNTL": "φ_LNTL",
    "SN λ=0": "φ_SN, λ = 0",
    "LNTL λ=0": "φ_LNTL, λ = 0",
    "LNTL demographic": "φ_LNTL, demographic",
}


def printed_name(name: str) -> str:
    """A representation's name in running text: `φ_SN` of `SN`; one that is not known stays as it is."""
    return NAMES.get(name, name)


def typeset(text: str) -> str:
    """Text in which φ_SN and φ_LNTL are set as formulas, as matplotlib and LaTeX read them."""
    return re.sub(r"φ\\?_(SN|LNTL)", r"$\\varphi_\\mathrm{\1}$", text)


def shown(name: str) -> str:
    """A representation's name in a figure: as `printed_name`, with its formula set."""
    return "$x$" if name == "x" else typeset(printed_name(name))
