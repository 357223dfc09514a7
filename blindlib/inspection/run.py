"""Run an audit: probe every label, verify identities, and hide one label."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from blindlib.appendix.probe_suite import KINDS
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, track
from blindlib.evaluate.probes import Task
from blindlib.inspection import hide as hiding
from blindlib.inspection import probes
from blindlib.inspection.reading import check, make_task
from blindlib.inspection.report import Report
from blindlib.inspection.subjects import EACH, draw_pairs, sample

ROWS = 6_000  # of each label, at most: an SVM's time grows as its square
SUBJECTS = 20  # of each class, at least: each fold tests seven, validates on three and trains probes on ten
_VERIFIED = 10_000  # rows that stand in pairs, at most
_FOLDS = 3
_FEWEST = 15  # subjects of part `report` in each class that is probed after hiding; our choice


def audit(
    x: np.ndarray,
    *,
    identity,
    labels: dict,
    hide: str | None = None,
    budget: float = 3.0,
    attackers: tuple[str, ...] = probes.ATTACKERS,
    rows: int = ROWS,
    heads: tuple = hiding.HEADS,
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """Probe embeddings for each label; with `hide`, hide one of them and recommend a method.

    Parameters
    ----------
    x : array (N, D), numeric
        Embeddings.
    identity : array-like (N,)
        Subjects. None stands on both sides of any test.
    labels : dict of array-like (N,)
        By name; None, NaN or an empty text where one is unknown. A label needs two classes of 20 subjects; classes of
        fewer are left out.
    hide : str, optional
        The label to hide; it needs 40 subjects a class, and subjects with several images.
    budget : float
        Percent of above-chance verification that the recommended method may cost.
    attackers : tuple of str
        Kinds of probe: `linear`, `SVM`, `NN`, `kNN`, `RF`, `boosting`. Each sees both views.
    rows : int
        Rows of each label, at most; whole subjects are drawn.
    heads : tuple of HeadBlinder
        Heads that `hide` trains, beside erasers.
    seed : int
        Another seed deals subjects into other parts.
    progress : bool
        Whether to show progress bars on stderr.

    Returns
    -------
    Report
        Tables `readings`, `verification`, `health`, `points`, `others`; `save(folder)` writes them.

    Raises
    ------
    InputError
        If arrays do not fit together, a label has too few subjects or classes, or an argument is out of range.

    It does not prove that a label cannot be predicted: it shows what these probes predict with so many subjects.
    """
    if not 0 <= budget <= 100:
        raise InputError("budget", f"is {budget}", "give a percentage, 0 to 100")
    if unknown := set(attackers) - set(KINDS):
        raise InputError("attackers", f"there is no probe {min(unknown)!r}", f"use one or more of {', '.join(KINDS)}")
    if hide is not None and hide not in labels:
        raise InputError("hide", f"there is no label {hide!r}", f"use one of these: {', '.join(labels)}")
    x, who, known = check(x, identity, labels)
    least = {name: hiding.SUBJECTS if name == hide else SUBJECTS for name in known}
    made = {name: make_task(name, values, who, least[name]) for name, values in known.items()}
    tasks = {name: task for name, task in made.items() if task is not None}
    out = [name for name in made if name not in tasks]
    notes = [f"{name} is left out: two classes of {least[name]} subjects are needed" for name in out]
    if not tasks or hide in out:
        remedy = "label more subjects, merge classes, or cut numbers into a few classes"
        raise InputError("labels", "; ".join(notes) or "there are none", remedy)
    auditor = _Auditor(x, who, tasks, seed, rows, attackers, progress, notes)
    tables = {"readings": auditor.leaks(), "verification": auditor.verification(), "health": auditor.health()}
    if hide is not None:
        tables |= auditor.hide(hide, budget, heads, tables["health"])
    return Report(**tables, shape=(*x.shape, int(who.max()) + 1), notes=notes, hide=hide, budget=budget)


@dataclass
class _Auditor:
    """Hold one audit's data; each method measures some of its tables and adds notes."""

    x: np.ndarray
    who: np.ndarray
    tasks: dict[str, Task]
    seed: int
    rows: int
    attackers: tuple[str, ...]
    progress: bool
    notes: list[str]

    def _rng(self, *key: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(self.seed, "audit", *key))

    def _drawn(self, wanted: np.ndarray, limit: int, *key: str, each: int = EACH) -> tuple[np.ndarray, np.ndarray]:
        """Draw rows of whole subjects: their numbers, and x of them, float32."""
        rows = sample(wanted, self.who, limit, self._rng(*key), each)
        return rows, np.asarray(self.x[rows], dtype=np.float32)

    def leaks(self) -> pd.DataFrame:
        """Probe x for every label."""
        tables = []
        for name, task in track(self.tasks.items(), "probes", shown=self.progress):
            rows, x = self._drawn(task.codes >= 0, self.rows, "label", name)
            who, own = self.who[rows], Task(name, task.codes[rows], task.classes)
            if len(rows) < (task.codes >= 0).sum():
                self.notes.append(f"{name}: a sample of {len(np.unique(who)):,} subjects, {len(rows):,} images")
            splits = probes.make_splits(own, who, np.arange(len(rows)), _FOLDS, self.seed)
            tables.append(probes.readings(Representation.of("x", x), own, splits, who, self.attackers))
        return pd.concat(tables, ignore_index=True)

    def verification(self) -> pd.DataFrame:
        """Verify identities by x; an empty table where too few subjects have two images."""
        several = np.bincount(self.who)[self.who] > 1
        if several.any():
            rows, x = self._drawn(several, _VERIFIED, "pairs", each=10)
            pairs = draw_pairs(self.who[rows], self._rng("drawn"))
            if len(pairs):
                return pd.DataFrame([probes.verification("x", x, pairs)])
        self.notes.append("verification is not measured: fewer than 10 subjects have two images")
        return pd.DataFrame()

    def health(self) -> pd.DataFrame:
        """Check x for collapse and for equal rows."""
        if equal := len(self.x) - len({hash(row.tobytes()) for row in self.x}):
            self.notes.append(f"{equal:,} rows of x equal an earlier one")
        return pd.DataFrame([probes.health("x", self._drawn(self.who >= 0, _VERIFIED, "health")[1])])

    def hide(self, name: str, budget: float, heads: tuple, health: pd.DataFrame) -> dict:
        """Hide a label, and probe the recommended φ for this label and the others."""
        shown = np.isin(self.who, self.who[self.tasks[name].codes >= 0])
        rows, x = self._drawn(shown, self.rows, "hide", name)
        who = self.who[rows]
        tasks = {label: Task(label, own.codes[rows], own.classes) for label, own in self.tasks.items()}
        options = {"budget": budget, "seed": self.seed, "heads": heads, "progress": self.progress}
        points, head, parts = hiding.frontier(x, who, tasks[name], **options)
        counts = ", ".join(f"{len(np.unique(who[own])):,} subjects {part}" for part, own in parts.items())
        self.notes.append(f"hiding {name}: {counts}, none twice")
        if head is None:
            return {"points": points}
        phi, others, report = head.transform(x), [], parts["report"]
        for label, own in track(tasks.items(), "after hiding", shown=self.progress):
            fewest = min(len(np.unique(who[report][own.codes[report] == c])) for c in range(len(own.classes)))
            if fewest < _FEWEST:
                self.notes.append(f"{label} after hiding {name} is not probed: a class has {fewest} subjects")
                continue
            splits = probes.make_splits(own, who, report, _FOLDS, self.seed, parts["choose"])
            for z in (Representation.of("x", x), Representation.of("φ", phi)):
                others.append(probes.selected(probes.readings(z, own, splits, who, self.attackers)))
        health = pd.concat([health, pd.DataFrame([probes.health("φ", phi)])], ignore_index=True)
        others = pd.concat(others, ignore_index=True) if others else pd.DataFrame()
        return {"points": points, "head": head, "health": health, "others": others}
