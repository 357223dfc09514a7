"""Run an audit: every label probed, identities verified, and one label hidden."""

from pathlib import Path

import numpy as np
import pandas as pd

from blindlib.appendix.probe_suite import KINDS
from blindlib.blinders.blinder import Blinder
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.representation import Representation
from blindlib.blinders.rounding import in_bits
from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, track
from blindlib.evaluate.probes import Task
from blindlib.inspection import attack
from blindlib.inspection import hide as hiding
from blindlib.inspection.people import EACH, draw_pairs, sample
from blindlib.inspection.reading import PEOPLE, check, make_task, scan
from blindlib.inspection.report import Report

ROWS = 6_000  # that attackers train and are tested on, at most: more tell little, and an SVM's time grows as its square
_VERIFIED = 10_000  # rows that stand in pairs, at most
_TESTED = 3  # folds of people
_FEWEST = 15  # people of part `report` who show a class that is read after hiding; our choice


@door.takes(
    x=door.dense,
    budget=door.number(0, 100),
    rows=door.number(100, 10**9, whole=True),
    seed=door.number(0, 2**63, whole=True),
)
def audit(
    x: np.ndarray,
    *,
    identity,
    labels: dict,
    hide: str | None = None,
    head: Blinder | Path | str | None = None,
    budget: float = 3.0,
    attackers: tuple[str, ...] = attack.ATTACKERS,
    rows: int = ROWS,
    heads: tuple = hiding.HEADS,
    seed: int = 0,
    progress: bool = True,
) -> Report:
    """Probe embeddings for each label; with `hide`, hide one of them and recommend a method.

    Parameters
    ----------
    x : array (N, D), numeric
        Embeddings; a memory map is read in parts.
    identity : array-like (N,)
        Who is shown. Nobody stands on both sides of any test.
    labels : dict of array-like (N,)
        By name; None, NaN or an empty text where one is not known. A label needs two classes that 20 people show.
    hide : str, optional
        The label to hide; it needs 40 people a class, and people with several pictures.
    head : Blinder or path, optional
        A fitted head, or a file that `save` wrote. Its φ(x), as its `transform` releases it in its bits, is audited
        beside x, and nothing is fitted. On subjects that trained it the audit is too favourable.
    budget : float
        Percent of verification's way from chance to x that the recommended method may cost.
    attackers : tuple of str
        Kinds of probe: `linear`, `SVM`, `NN`, `kNN`, `RF`, `boosting`. Each sees both views.
    rows : int
        Of how many rows at most the attackers' people are drawn.
    heads : tuple of HeadBlinder
        What `hide` trains, by their settings' strengths.
    seed : int
        Another seed draws other people into other parts.
    progress : bool
        Whether a bar is shown on stderr.

    Returns
    -------
    Report
        Tables `readings`, `verification`, `health`, `points`, `others`; `save(folder)` writes them.

    Raises
    ------
    InputError
        If arrays do not fit together, a label has too few people or classes, or an argument is out of range.

    It does not prove that a label cannot be predicted: it shows what these probes predict with so many subjects.
    """
    _check_kinds(labels=labels, hide=hide, head=head, attackers=attackers, heads=heads)
    who, known = check(x, identity, labels)
    if hide is not None and hide not in known:
        raise InputError("hide", f"there is no label {hide!r}", f"use one of {', '.join(known) or 'none: give labels'}")
    if hide is not None and head is not None:
        raise InputError("head", "a frozen head is audited and nothing is fitted", "leave out either hide or head")
    other = [each.name for each in heads if each.task != "identity"]
    if other:
        raise InputError("heads", f"hold {other[0]}, which asks for labels that an audit has not", "leave it out")
    unknown = sorted(set(attackers) - set(KINDS))
    if unknown:
        raise InputError("attackers", f"there is no attacker {unknown[0]!r}", f"use one or more of {', '.join(KINDS)}")
    made, notes = _tasks(known, who, hide)
    tasks = {name: task for name, (task, _) in made.items()}
    notes += _notes(made)
    blinder = hiding.load_head(head) if isinstance(head, str | Path) else head
    if blinder is not None and not hasattr(blinder, "n_features_in_"):
        raise InputError("head", "is not fitted", "fit it first, or name a file that `save` wrote")
    if blinder is not None and blinder.n_features_in_ != x.shape[1]:
        raise InputError("head", f"takes {blinder.n_features_in_} dimensions, x has {x.shape[1]}", "use its own x")
    steps = (2 if blinder is None else 3) + len(tasks) * (1 if blinder is None else 2)
    steps += 0 if hide is None else 1 + _points(heads) + len(tasks)
    with track(range(steps), "audit", shown=progress) as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what[:24])
            bar.update()

        step("reading")
        auditor = _Auditor(x, who, tasks, blinder, seed, rows, tuple(attackers), step)
        duplicates = scan(x)
        tables = {"readings": auditor.read(), **auditor.identity(duplicates)}
        if hide is not None:
            tables |= auditor.hide(hide, budget, heads)
        bar.update(steps - bar.n)  # what there was no point for, or too few people
    return Report(
        **tables,
        health=pd.DataFrame(auditor.alive).astype({"duplicates": "Int64"}),
        shape=(len(x), x.shape[1], int(who.max()) + 1),
        notes=notes + auditor.notes,
        hide=hide,
        budget=budget,
    )


_KINDS = {  # what an argument of `audit` may be, in words too
    "labels": (dict, "a dict of arrays by name"),
    "hide": (str | None, "the name of a label"),
    "head": (Blinder | Path | str | None, "a fitted head, or its file"),
    "attackers": (tuple | list, "names of attackers, one or more"),
    "heads": (tuple | list, "blinders to train, such as SensitiveNets()"),
}


def _check_kinds(**given: object) -> None:
    """InputError for an argument of another type than `_KINDS` says, or no attacker."""
    for name, value in given.items():
        kind, wanted = _KINDS[name]
        inner, least = {"attackers": (str, 1), "heads": (HeadBlinder, 0)}.get(name, (object, 0))
        listed = value if isinstance(value, tuple | list) else ()
        if not isinstance(value, kind) or not all(isinstance(one, inner) for one in listed) or len(listed) < least:
            raise InputError(name, f"is {value!r:.40}", f"give {wanted}")


def _tasks(known: dict[str, np.ndarray], who: np.ndarray, hide: str | None) -> tuple[dict, list[str]]:
    """The labels that can be audited, and a note of each that cannot. InputError if that is to be hidden, or all."""
    made, notes, errors = {}, [], []
    for name, values in known.items():
        try:
            made[name] = make_task(name, values, who, hiding.PEOPLE if name == hide else PEOPLE)
        except InputError as error:
            if name == hide:
                raise
            errors.append(error)
            notes.append(f"{name} is left out: it {error.args[1]}")
    if errors and not made:
        raise errors[0]
    return made, notes if known else ["no labels were given: nothing was probed; give some by --labels"]


def _notes(made: dict[str, tuple[Task, int]]) -> list[str]:
    return [
        f"{name}: {gone} classes left out that fewer people show than are needed"
        for name, (_, gone) in made.items()
        if gone
    ]


def _points(heads: tuple) -> int:
    return 5 + sum(len(head.used_settings.strengths) for head in heads)


class _Auditor:
    """One run: the whole of x stays where it is, what is drawn of it becomes small arrays."""

    def __init__(self, x, who, tasks, blinder, seed, rows, attackers, step):
        self.x, self.who, self.tasks, self.blinder, self.seed = x, who, tasks, blinder, seed
        self.rows, self.attackers, self.step, self.notes, self.alive = rows, attackers, step, [], []

    def _rng(self, *key: str) -> np.random.Generator:
        return np.random.default_rng(derive_seed(self.seed, "audit", *key))

    def _some(self, wanted: np.ndarray, limit: int, *key: str, each: int = EACH) -> np.ndarray:
        return sample(wanted, self.who, limit, self._rng(*key), each)

    def _shown(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Return x of some rows, and the released φ(x) where a head is audited: float32, by name."""
        x = np.asarray(self.x[rows], dtype=np.float32)
        shown = {"x": x}
        if self.blinder is not None:
            shown[f"φ ({in_bits(self.blinder.name, self.blinder.bits)})"] = self.blinder.transform(x)
        return shown

    def read(self) -> pd.DataFrame:
        """Probe x and φ for every label."""
        tables = []
        for name, task in self.tasks.items():
            rows = self._some(task.codes >= 0, self.rows, "label", name)
            who, own = self.who[rows], Task(name, task.codes[rows], task.classes)
            total = len(np.unique(self.who[task.codes >= 0]))
            if len(np.unique(who)) < total or len(rows) < (task.codes >= 0).sum():
                seen = f"{len(np.unique(who)):,} of {total:,} subjects, {len(rows):,} images"
                self.notes.append(f"{name}: probes train and are tested on a sample of {seen}")
            splits = attack.make_splits(own, who, np.arange(len(rows)), _TESTED, self.seed)
            for shown, z in self._shown(rows).items():
                self.step(f"{name}, {shown}")
                options = {"attackers": self.attackers, "few": attack.FEW}
                tables.append(attack.readings(Representation.of(shown, z), own, splits, who, **options))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def identity(self, duplicates: int) -> dict[str, pd.DataFrame]:
        """Verification; whether x and φ are alive goes to `self.alive`."""
        several = np.bincount(self.who)[self.who] > 1
        rows = self._some(several, _VERIFIED, "pairs", each=10) if several.any() else np.empty(0, int)
        pairs, every = draw_pairs(self.who[rows], self._rng("drawn")) if len(rows) else (pd.DataFrame(), True)
        if pairs.empty:
            several = int((np.bincount(self.who) > 1).sum())
            self.notes.append(
                f"verification is not measured: 10 subjects with two images are needed, {several} have them"
            )
        elif not every or len(rows) < len(self.x):
            self.notes.append(f"verification: a sample of the pairs of {len(np.unique(self.who[rows])):,} subjects")
        sure = []
        of_all = self._some(np.ones(len(self.x), bool), _VERIFIED, "health")
        shown = self._shown(rows)
        for number, (name, z) in enumerate(self._shown(of_all).items()):
            self.step(f"identity, {name}")
            self.alive.append(attack.health(name, z, None if number else duplicates))
            if len(pairs):
                sure.append(attack.verification(name, shown[name], pairs))
        return {"verification": pd.DataFrame(sure)}

    def hide(self, name: str, budget: float, heads: tuple) -> dict:
        """Hide a label, and probe the recommended φ for this label and the others."""
        task = self.tasks[name]
        shown = np.isin(self.who, self.who[task.codes >= 0])
        rows = self._some(shown, self.rows, "hide", name)
        x, who = np.asarray(self.x[rows], dtype=np.float32), self.who[rows]
        tasks = {label: Task(label, own.codes[rows], own.classes) for label, own in self.tasks.items()}
        found = hiding.frontier(x, who, tasks[name], budget=budget, seed=self.seed, heads=heads, step=self.step)
        parts = {part: len(np.unique(who[own])) for part, own in found.parts.items()}
        self.notes.append(
            f"hiding {name}: "
            + ", ".join(f"{count:,} subjects {part}" for part, count in parts.items())
            + ", none twice"
        )
        others = []
        shown_as = {} if found.head is None else {"x": x, "φ": found.head.transform(x)}
        if shown_as:
            self.alive.append(attack.health("φ", shown_as["φ"], None))
        for label, own in tasks.items() if shown_as else ():
            self.step(f"{label} after hiding")
            report = found.parts["report"]
            fewest = min(len(np.unique(who[report][own.codes[report] == c])) for c in range(len(own.classes)))
            if fewest < _FEWEST:
                self.notes.append(f"{label} after hiding {name} is not probed: a class has {fewest} subjects")
                continue
            splits = attack.make_splits(own, who, report, _TESTED, self.seed, found.parts["choose"])
            for name_of, z in shown_as.items():
                table = attack.readings(Representation.of(name_of, z), own, splits, who, attackers=self.attackers)
                others.append(attack.selected(table))
        return {
            "points": found.points,
            "head": found.head,
            "others": pd.concat(others, ignore_index=True) if others else pd.DataFrame(),
        }
