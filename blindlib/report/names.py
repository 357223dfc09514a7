"""Print a representation's name in figures and tables; the CSV files keep the short one (`SN`, `LNTL λ=0`)."""

import re
from collections.abc import Iterable

NAMES = {
    "x": "x",
    "SN": "φ_SN",
    "LNTL": "φ_LNTL",
    "SN λ=0": "φ_SN, λ = 0",
    "LNTL λ=0": "φ_LNTL, λ = 0",
    "LNTL demographic": "φ_LNTL, demographic",
}

MEANINGS = {  # of a table's columns, for readers without the notebooks
    "x": "the embedding as the frozen network gives it",
    "SN": "SensitiveNets, the paper's first method: a head that separates subjects and leads an adversary to one fixed "
    "answer; in float",
    "LNTL": "Learning Not to Learn, its second: a head that keeps a task (here: naming the subject) and makes an "
    "adversary fail; in float",
    "LNTL demographic": "the same with another task, gender and ethnicity: it need not know the subject",
    "LEACE": "an eraser in closed form: no linear classifier predicts emotion on the subjects it is fitted on",
    "INLP": "an eraser that projects out one linear classifier of emotion after another",
    "NAP": "an eraser of the directions in which one person's pictures differ most",
    "Obliviator": "an eraser that takes out, round by round, what a kernel sees of emotion",
    "PCA": "a control: as many directions as NAP takes are taken out, those that vary least",
    "random": "a control: as many directions as NAP takes are taken out, drawn at random",
    "centre loss": "a head without an adversary: every image is drawn to the mean of its subject's images",
    "SN λ=0": "SensitiveNets' head without its penalty: what training alone does",
    "LNTL λ=0": "Learning Not to Learn's head without its penalty",
    "pixels": "not blinded: 32 x 32 grey pixels; an upper bound before any network",
}


_BITS = re.compile(r"(.+) (\d) bits")


def without_bits(name: str) -> str:
    """Return the unrounded representation's name: `SN` of `SN 6 bits`; other names unchanged."""
    return _BITS.sub(r"\1", name)


def printed_name(name: str) -> str:
    """Return a representation's name in running text: `φ_SN, 6 bits` of `SN 6 bits`; unknown names unchanged."""
    found = _BITS.fullmatch(name)
    return f"{printed_name(found[1])}, {found[2]} bits" if found else NAMES.get(name, name)


def typeset(text: str) -> str:
    """Set φ_SN and φ_LNTL in a text as formulas of matplotlib and LaTeX."""
    return re.sub(r"φ\\?_(SN|LNTL)", r"$\\varphi_\\mathrm{\1}$", text)


def shown(name: str) -> str:
    """Return a representation's name in a figure: `printed_name` with its formula set."""
    return typeset(re.sub(r"^x\b", "$x$", printed_name(name)))


def meanings(names: Iterable[str]) -> dict[str, str]:
    """Return the meaning of each of these representations by its printed name; unknown ones are omitted."""
    words = {}
    for name in dict.fromkeys(names):
        before = without_bits(name)
        if before in MEANINGS:
            rounded = f"{printed_name(before)}, rounded on one grid for all numbers"
            words[printed_name(name)] = MEANINGS[name] if name == before else rounded
    return words
