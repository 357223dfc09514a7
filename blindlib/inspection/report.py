"""Report an audit: tables and plain sentences, as text, Markdown, one HTML file and CSVs.

Embeddings of people are biometric data: no row of x, no person and no class that was left out is named; the folder is
its owner's alone.
"""

import html
import re
from base64 import b64encode
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from blindlib.blinders.blinder import Blinder
from blindlib.common.errors import InputError
from blindlib.common.files import below, private_dir, write_bytes, write_csv, write_text
from blindlib.inspection.attack import selected

_TABLES = {  # attribute -> what stands above it
    "readings": "Leaks, by probe",
    "verification": "Verification",
    "health": "Collapse",
    "points": "Hiding: methods and costs",
    "others": "Leaks after hiding",
}
_LEGENDS = {
    "readings": "Balanced accuracy, %: each part of the subjects is tested by probes that the other parts train. `low` "
    "and `high` are its 95 % interval over subjects. `linear` is a discriminant analysis, `SVM` has an RBF kernel, "
    "`NN` is a network of two hidden layers, `kNN` are the nearest neighbours, `RF` and `boosting` are trees. Each has "
    "standardised features and `whitened` ones, where directions of tiny variance count as much as any. `selected` "
    "is the probe that predicts validation subjects best, in each part. A leak is its accuracy above chance, by the "
    "lower end of its interval. Of labels that do not leak about 2.5 in 100 are called a leak by chance. `top_share` "
    "is the share of the most predicted class: 100 is a probe that has collapsed.",
    "verification": "By cosine, %; the threshold of each fifth of the people is set by the others; `_hw` are "
    "half-widths of 95 % intervals over the five. `auc` is the area under the ROC curve, `eer` the rate at which as "
    "many are wrongly accepted as rejected, `tar` the share of true pairs accepted at one false accept in 1,000.",
    "health": "`collapsed`: an effective rank below 2, or over 90 % of the variance in one direction (`top_variance`, "
    "%). From such a representation nothing can be concluded. `duplicates` are rows equal to an earlier one. "
    "φ is the recommended head, or the one that was audited.",
    "points": "`value`, `id` and `cost` are of people of part *report*, who trained no head and chose nothing; "
    "`hidden` is by how many points the selected probe predicts less than from x, on the same subjects. `cost` is the "
    "share of verification above chance that is lost, %. By `choose_value` and `choose_cost`, on subjects of part "
    "*choose*, one point is recommended. `bits` are those in which φ is released: φ is rounded on one grid for all its "
    "numbers, which removes what a method has only shrunk; 0 is float. `strength` is λ, the weight of a head's "
    "penalty: λ = 0 is a head without it and is never recommended; – is a method without λ. SN is SensitiveNets, LNTL "
    "is Learning Not to Learn. LEACE, INLP and NAP project directions out, Obliviator removes what a kernel detects. "
    "Linear and SVM probe on both views. Fewer subjects train them than above and other subjects are tested, so x has "
    "another accuracy here.",
    "others": "The selected probe of all kinds that were asked for, selected on subjects of part *choose*, tested on "
    "part *report*, of whose subjects `train_people` train it: from x, and from the recommended φ.",
}
_TITLE = "# Audit of embeddings"  # of report.md
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
    """An audit's tables and what they say. With `hide` alone there are `points`, `others` and `head`."""

    readings: pd.DataFrame
    verification: pd.DataFrame
    health: pd.DataFrame
    shape: tuple[int, int, int]  # rows, dimensions, people
    points: pd.DataFrame = field(default_factory=pd.DataFrame)
    others: pd.DataFrame = field(default_factory=pd.DataFrame)
    head: Blinder | None = None  # the recommended one
    notes: list[str] = field(default_factory=list)
    hide: str | None = None
    budget: float = 3.0

    def sentences(self) -> list[str]:
        """Say what the tables show, a sentence each."""
        sentences = [self._leak(row) for row in selected(self.readings).itertuples()] if len(self.readings) else []
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
            for row in self.health.itertuples()
            if row.collapsed
        ]
        return sentences + (self._advice() if len(self.points) else [])

    def _leak(self, row) -> str:
        few = self.readings[
            (self.readings["representation"] == row.representation)
            & (self.readings["label"] == row.label)
            & (self.readings["attacker"] == row.attacker)
            & (self.readings["train_people"] < row.train_people)
        ]
        also = f"; with {few['train_people'].iloc[0]} subjects {few['value'].iloc[0]:.1f} %" if len(few) else ""
        reading = (
            f"the selected probe, trained on {row.train_people} subjects, has a balanced accuracy of "
            f"{row.value:.1f} % [{row.low:.1f}, {row.high:.1f}], chance {row.chance:.1f}{also}"
        )
        if row.leak:
            return f"{row.representation} leaks {row.label}: {reading}."
        above = max(row.high - row.chance, 0.0)
        return (
            f"No leak of {row.label} was found in {row.representation}: {reading}. That is not above chance beyond its "
            f"interval; a leak of up to {above:.1f} points, or one that only other probes detect, is not ruled out."
        )

    def _advice(self) -> list[str]:
        x, chosen = self.points.iloc[0], self.points[self.points["recommended"]]
        sentences = []
        if x["low"] <= x["chance"]:
            sentences.append(
                f"No leak of {self.hide} was found in x, so whether a method hides it cannot be seen here."
            )
        if chosen.empty:
            return [
                *sentences,
                f"No method kept identity within {self.budget:g} % and did not collapse: none is recommended.",
            ]
        best = chosen.iloc[0]
        name = best["method"] if best["strength"] == 0 else f"{best['method']} (λ = {best['strength']:g})"
        name += f", released in {best['bits']} bits" if best["bits"] else ""
        cost = f"at {best['cost']:.1f} % of verification" if best["cost"] > 0 else "at no cost of verification"
        sentences.append(
            f"To hide {self.hide}, use {name}: the selected probe predicts it with {best['value']:.1f} % "
            f"[{best['low']:.1f}, {best['high']:.1f}] (x {x['value']:.1f}, chance {x['chance']:.1f}), {cost} "
            f"({x['id']:.1f} → {best['id']:.1f} %). It was selected on other subjects, among methods that cost at most "
            f"{self.budget:g} %."
        )
        if best["hidden"] <= best["hidden_hw"]:
            sentences.append(
                f"It was not found to hide anything: the probe predicts {best['hidden']:.1f} ± {best['hidden_hw']:.1f} "
                "points less than from x, and that interval does not lie above 0."
            )
        left = self.others[(self.others["representation"] == "φ") & (self.others["label"] == self.hide)]
        if best["low"] > best["chance"] or left["leak"].any():
            sentences.append(f"It does not hide everything: {self.hide} can still be predicted above chance.")
        near = self.points["cost"].le(self.budget) & self.points["low"].le(best["value"]) & ~self.points["recommended"]
        near &= ~self.points["method"].isin(["x", best["method"]]) & ~self.points["collapsed"]
        if near.any():
            others = ", ".join(dict.fromkeys(self.points.loc[near, "method"]))
            sentences.append(f"Cannot be told from it: {others}.")
        sentences += [
            f"{label} after hiding: x {rows['value'].iloc[0]:.1f}, φ {rows['value'].iloc[-1]:.1f} %."
            for label, rows in self.others.groupby("label", sort=False)
            if label != self.hide
        ]
        if best["cost"] > self.budget:
            sentences.append(f"On subjects of part report it costs more than the {self.budget:g} % that were allowed.")
        return sentences

    def _parts(self) -> list[tuple[str, str, pd.DataFrame]]:
        return [(name, title, getattr(self, name)) for name, title in _TABLES.items() if len(getattr(self, name))]

    def _printed(self, table: pd.DataFrame) -> pd.DataFrame:
        """Lay a table out: the recommendation comes early, and a method without λ has none."""
        if "recommended" in table:
            without = table.groupby("method")["strength"].transform("max") == 0
            table = table.assign(strength=table["strength"].mask(without))
            first = ["method", "strength", "bits", "recommended"]
            table = table[[*first, *table.columns.drop(first)]]
        return table.astype(object).map(_cell)

    def _opening(self) -> str:
        rows, dim, people = self.shape
        return f"{rows:,} embeddings of {dim} dimensions, {people:,} subjects."

    def __str__(self) -> str:
        return "\n".join([self._opening(), *self.sentences(), *self.notes])

    def markdown(self, figures: tuple[str, ...] = ()) -> str:
        """The report as Markdown; `figures` are names of PNG files beside it."""
        lines = [_TITLE, self._opening(), "\n".join(f"* {s}" for s in self.sentences())]
        lines += [f"![{name}]({name}.png)" for name in figures]
        for name, title, table in self._parts():
            text = self._printed(table).astype(str).map(lambda cell: cell.replace("|", "\\|"))
            rows = [list(text.columns), ["---"] * text.shape[1], *text.to_numpy().tolist()]
            lines += [f"## {title}", "\n".join(f"| {' | '.join(row)} |" for row in rows), _LEGENDS[name]]
        return "\n\n".join([*lines, "## Notes", "\n".join(f"* {note}" for note in [*self.notes, _LIMITS])]) + "\n"

    def html(self, figures: dict[str, bytes] | None = None) -> str:
        """The report as one HTML page that needs nothing else; `figures` are PNGs by name."""
        body = ["<h1>Audit of embeddings</h1>", f"<p>{self._opening()}</p>", _list(self.sentences())]
        for name, png in (figures or {}).items():
            body.append(f'<img alt="{html.escape(name)}" src="data:image/png;base64,{b64encode(png).decode()}">')
        for name, title, table in self._parts():
            body += [f"<h2>{title}</h2>", self._printed(table).to_html(index=False, border=0)]
            body.append(f"<p>{html.escape(re.sub('[`*]', '', _LEGENDS[name]))}</p>")
        body += ["<h2>Notes</h2>", _list([*self.notes, _LIMITS])]
        head = f'<meta charset="utf-8"><title>Audit of embeddings</title><style>{_CSS}</style>'
        return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(body)}</body></html>\n"

    def figures(self) -> dict[str, bytes]:
        """PNGs by name; none where matplotlib and seaborn are not installed."""
        try:
            from blindlib.inspection.figures import draw
        except ImportError:
            return {}
        return draw(self)

    def save(self, folder: Path | str) -> Path:
        """Write report.html, report.md, their figures, a CSV of each table and, if one is recommended, the head.

        The folder is private to the user, and so are its files; the head is what `LEACE.load` and the others' read.

        Raises
        ------
        InputError
            If the folder holds something else.
        """
        folder = check_folder(folder)
        private_dir(folder)
        _remove_earlier(folder)
        figures = self.figures()
        text = self.markdown(tuple(figures))
        unfinished = f"{_TITLE}\n\nThe audit was ended while it wrote this folder: run it again.\n"
        write_text(folder / "report.md", text.replace(_TITLE, unfinished, 1))  # first: by it the folder is known again
        for name, png in figures.items():
            write_bytes(below(folder, f"{name}.png", "figure"), png)
        for name, _, table in self._parts():
            write_csv(below(folder, f"{name}.csv", "table"), table, float_format="%.4f")
        if self.head is not None:
            self.head.save(folder / "head")
        write_text(folder / "report.html", self.html(figures))
        write_text(folder / "report.md", text)
        for file in folder.iterdir():
            if file.is_file():
                file.chmod(0o600)
        return folder


def check_folder(folder: Path | str) -> Path:
    """The folder, if a report may be written there: it is new, empty, or holds an earlier report, which is replaced.

    Raises
    ------
    InputError
        If it is a file, or holds something else.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise InputError(folder, "is a file", "name a folder")
    if folder.is_dir() and not _earlier(folder) and any(folder.iterdir()):
        raise InputError(folder, "holds something else", "name a new folder")
    return folder


def _earlier(folder: Path) -> str:
    """The text of a report that an audit left in the folder; none of somebody else's `report.md`."""
    report = folder / "report.md"
    text = report.read_text(encoding="utf-8", errors="replace") if report.is_file() else ""
    return text if text.startswith(_TITLE) else ""


def _remove_earlier(folder: Path) -> None:
    """Remove what an earlier report left: a head of other embeddings must not stand beside this one."""
    figures = re.findall(r"\]\((\w+\.png)\)", _earlier(folder))
    heads = [f"head.{suffix}" for suffix in ("safetensors", "json")]
    for name in (*figures, *heads, *(f"{table}.csv" for table in _TABLES), "report.html", "report.md"):
        below(folder, name, "report.md").unlink(missing_ok=True)


def _cell(value: object) -> object:
    if pd.isna(value):
        return "–"
    if not isinstance(value, float):
        return value
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.1f}"


def _list(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"
