"""Write tables as LaTeX: booktabs, symbols as commands, no wider than the line. It needs array and graphicx."""

import re

import pandas as pd

from blindlib.report.names import typeset

NEEDS = r"% \usepackage{array,booktabs,graphicx}"
SYMBOLS = {
    "φ": r"$\varphi$",
    "λ": r"$\lambda$",
    "Δ": r"$\Delta$",
    "±": r"$\pm$",
    "≤": r"$\le$",
    "≥": r"$\ge$",
    "−": r"$-$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "✓": r"$\surd$",
    "✗": r"$\times$",
    "–": "--",
    "<": "$<$",
    ">": "$>$",
}
# Scaled down if wider than the line, never up.
_FIT = (r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%", "}")


def in_symbols(text: str) -> str:
    """Convert plain text to LaTeX: special characters escaped, other signs as commands, and minus signs."""
    text = typeset(re.sub(r"([%&#_$])", r"\\\1", text))
    for sign, command in SYMBOLS.items():
        text = text.replace(sign, command)
    return re.sub(r"(?<![\w.-])-(?=\d)", "$-$", text)


def as_latex(parts: list[pd.DataFrame], caption: str, label: str, note: str = "") -> str:
    """Return one table float of one or more stacked tabulars, with a caption, a label and a note below.

    A cell of text longer than 24 characters makes its column a paragraph. Brackets (a published value) become a line of
    their own below ours.
    """
    lines = [NEEDS, r"\begin{table}[ht]", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"]
    lines += [rf"\caption{{{in_symbols(caption)}}}", rf"\label{{tab:{label}}}"]
    lines += [r"\par\medskip".join(_tabular(part) for part in parts)]
    lines += [rf"\par\smallskip\parbox{{\linewidth}}{{\scriptsize {in_symbols(note)}}}"] if note else []
    return "\n".join([*lines, r"\end{table}", ""])


def _tabular(part: pd.DataFrame) -> str:
    words = part.astype(str)
    longest = {name: int(words[name].str.len().max()) for name in words}
    long = [name for name in words if longest[name] > 24]
    if not long:
        words = _published_below(words)
        plain = _in_symbols(words).to_latex(index=False, column_format="l" + "r" * (words.shape[1] - 1))
        return f"{_FIT[0]}\n{plain.strip()}{_FIT[1]}\n"
    # Columns of text share the rest of the line, in proportion to the root of their length.
    short = sum(max(longest[name], min(len(name), 12)) for name in words if name not in long)
    weights = {name: max(longest[name], 16) ** 0.5 for name in long}
    room = (0.97 - 0.0105 * short - 0.018 * words.shape[1]) / sum(weights.values())
    kinds = [
        rf">{{\raggedright\arraybackslash}}p{{{room * weights[name]:.3f}\linewidth}}" if name in long else "l"
        for name in words
    ]
    return _in_symbols(words).to_latex(index=False, column_format="".join(kinds))


def _in_symbols(words: pd.DataFrame) -> pd.DataFrame:
    return words.map(in_symbols).rename(columns=in_symbols)


def _published_below(words: pd.DataFrame) -> pd.DataFrame:
    """Move the brackets at the end of cells to a row of their own below."""
    rows = []
    for _, row in words.iterrows():
        split = {name: re.fullmatch(r"(.+?) (\[[^\]]*\])", text) for name, text in row.items()}
        rows.append({name: found[1] if found else row[name] for name, found in split.items()})
        if any(split.values()):
            rows.append({name: found[2] if found else "" for name, found in split.items()})
    return pd.DataFrame(rows, columns=words.columns)
