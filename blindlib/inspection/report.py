"""Report an audit: a verdict in sentences, one figure and tables, as text, one HTML file and CSVs.

Embeddings of faces are biometric data: no row of x and no subject is named, and the folder is its owner's alone.
"""

import html
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.blinders.blinder import Blinder
from blindlib.common.errors import InputError
from blindlib.common.files import write_csv, write_text
from blindlib.inspection.probes import selected

_TABLES = {  # attribute -> title, legend
    "readings": (
        "Leaks, by probe",
        "Balanced accuracy, %, with 95 % intervals over subjects: others train the probes than are tested. Each probe "
        "has standardised and whitened features. selected is the probe that predicts validation subjects best. A "
        "label leaks where its interval lies above chance; of labels that do not leak, about 2.5 in 100 are called a "
        "leak by chance. top_share is the share of the most frequent prediction: 100 is a probe that has collapsed.",
    ),
    "verification": (
        "Verification",
        "By cosine, %; the other folds set each fold's threshold. _hw are half-widths of 95 % intervals over five "
        "folds. tar is the true accept rate at a false accept rate of 0.1 %.",
    ),
    "health": (
        "Collapse",
        "collapsed is an effective rank below 2, or over 90 % of the variance in one direction (top_variance). Such a "
        "representation allows no conclusion. φ is the recommended head's.",
    ),
    "points": (
        "Hiding: methods and costs",
        "value, id and cost are of subjects of part report, who trained no head and chose nothing. hidden is by how "
        "many points the selected probe predicts less than from x, on the same subjects. cost is the share of "
        "above-chance verification that is lost, %. choose_value and choose_cost, of part choose, decide which point "
        "is recommended. φ is released in bits; 0 is float. strength is λ; λ = 0 is never recommended. Fewer subjects "
        "train these probes than those above, so x has another accuracy here.",
    ),
    "others": (
        "Leaks after hiding",
        "The selected probe on x and on the recommended φ, trained and tested on part report, selected on part choose.",
    ),
}
_MIXED_UP = (
    "Warning: in x two images of one subject are no closer than two of different subjects. Probably the labels stand "
    "in another order than x, or identity does not name the subjects; then nothing below can be trusted."
)
_LIMITS = (
    "This shows what these probes predict with so many labelled subjects. More subjects or other probes may predict "
    "more. It does not prove that an attribute is gone."
)
_CSS = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}img{max-width:100%}"
    "table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}"
    "td,th{border-bottom:1px solid #ddd;padding:3px 8px;text-align:right}"
)


@dataclass(frozen=True)
class Report:
    """An audit's tables and their verdict. Only `hide` gives `points`, `others` and `head`."""

    readings: pd.DataFrame
    verification: pd.DataFrame
    health: pd.DataFrame
    shape: tuple[int, int, int]  # rows, dimensions, subjects
    points: pd.DataFrame = field(default_factory=pd.DataFrame)
    others: pd.DataFrame = field(default_factory=pd.DataFrame)
    head: Blinder | None = None  # the recommended one
    notes: list[str] = field(default_factory=list)
    hide: str | None = None
    budget: float = 3.0

    def sentences(self) -> list[str]:
        """State what the tables show, a sentence each."""
        sentences = [_leak(row) for row in selected(self.readings).itertuples()]
        for row in self.verification.itertuples():
            if row.representation == "x" and row.accuracy - row.accuracy_hw <= 50:
                sentences.insert(0, _MIXED_UP)
            sentences.append(
                f"{row.representation} verifies subjects: {row.accuracy:.1f} ± {row.accuracy_hw:.1f} % of pairs, "
                f"AUC {row.auc:.1f}, EER {row.eer:.1f} %."
            )
        sentences += [
            f"{row.representation} has collapsed (effective rank {row.effective_rank:.1f}): a low accuracy of "
            "probes on it does not show that it hides anything."
            for row in self.health[self.health["collapsed"]].itertuples()
        ]
        return sentences + (self._advice() if len(self.points) else [])

    def _advice(self) -> list[str]:
        x, chosen = self.points.iloc[0], self.points[self.points["recommended"]]
        if chosen.empty:
            return [f"No method kept identity within {self.budget:g} %: none is recommended."]
        best = chosen.iloc[0]
        name = best["method"] + ("" if np.isnan(best["strength"]) else f" (λ = {best['strength']:g})")
        cost = f"at {best['cost']:.1f} % of verification" if best["cost"] > 0 else "at no cost of verification"
        sentences = [
            f"To hide {self.hide}, use {name}, released in {best['bits']} bits: the selected probe predicts it with "
            f"{best['value']:.1f} % [{best['low']:.1f}, {best['high']:.1f}] (x {x['value']:.1f}, chance "
            f"{x['chance']:.1f}), {cost} ({x['id']:.1f} → {best['id']:.1f} %). It was selected on other subjects, "
            f"among methods that cost at most {self.budget:g} %."
        ]
        if best["hidden"] <= best["hidden_hw"]:
            sentences.append(
                f"It was not found to hide anything: the probe predicts {best['hidden']:.1f} ± {best['hidden_hw']:.1f} "
                "points less than from x, and that interval does not lie above 0."
            )
        left = self.others.query("representation == 'φ' and label == @self.hide")["leak"] if len(self.others) else ()
        if best["low"] > best["chance"] or any(left):
            sentences.append(f"It does not hide everything: {self.hide} can still be predicted above chance.")
        for label, rows in self.others.groupby("label", sort=False) if len(self.others) else ():
            if label != self.hide:
                x_value, phi_value = rows["value"]
                sentences.append(f"{label} after hiding: x {x_value:.1f}, φ {phi_value:.1f} %.")
        if best["cost"] > self.budget:
            sentences.append(f"On subjects of part report it costs more than the {self.budget:g} % that were allowed.")
        return sentences

    def __str__(self) -> str:
        return "\n".join([self._opening(), *self.sentences(), *self.notes])

    def _opening(self) -> str:
        rows, dim, subjects = self.shape
        return f"{rows:,} embeddings of {dim} dimensions, {subjects:,} subjects."

    def html(self) -> str:
        """Return the report as one HTML page that needs nothing else; without matplotlib it has no figure."""
        body = ["<h1>Audit of embeddings</h1>", f"<p>{self._opening()}</p>", _list(self.sentences())]
        try:
            from blindlib.inspection.figures import draw

            png = b64encode(draw(self)).decode()
            body.append(f'<img alt="balanced accuracy of the probes" src="data:image/png;base64,{png}">')
        except ImportError:
            pass
        for name, (title, legend) in _TABLES.items():
            if len(table := getattr(self, name)):
                cells = table.to_html(index=False, border=0, float_format="{:.3g}".format, na_rep="–")
                body.append(f"<details><summary>{title}</summary>{cells}<p>{legend}</p></details>")
        body += ["<h2>Notes</h2>", _list([*self.notes, _LIMITS])]
        head = f'<meta charset="utf-8"><title>Audit of embeddings</title><style>{_CSS}</style>'
        return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"

    def save(self, folder: Path | str) -> Path:
        """Write report.html, a CSV of each table and, if one is recommended, the head, for `load_head`.

        The folder is private to the user, and so are its files.

        Raises
        ------
        InputError
            If the folder is there already.
        """
        folder = Path(folder)
        try:
            folder.mkdir(mode=0o700, parents=True)
        except FileExistsError:
            raise InputError(folder, "is there already", "name a new folder") from None
        for name in _TABLES:
            if len(table := getattr(self, name)):
                write_csv(folder / f"{name}.csv", table, float_format="%.4f")
        if self.head is not None:
            self.head.save(folder / "head")
        write_text(folder / "report.html", self.html())
        return folder


def _leak(row) -> str:
    reading = (
        f"the selected probe, trained on {row.train_people} subjects, has a balanced accuracy of "
        f"{row.value:.1f} % [{row.low:.1f}, {row.high:.1f}], chance {row.chance:.1f}"
    )
    if row.leak:
        return f"{row.representation} leaks {row.label}: {reading}."
    return (
        f"No leak of {row.label} was found in {row.representation}: {reading}. That is not above chance beyond its "
        f"interval; a leak of up to {max(row.high - row.chance, 0.0):.1f} points, or one that only other probes "
        "detect, is not ruled out."
    )


def _list(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"
