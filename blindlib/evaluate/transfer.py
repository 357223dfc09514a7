"""A blinder fitted on one kind of pictures and attacked on another: does what it hides carry over?"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.common.work import derive_seed, on_all_cores
from blindlib.evaluate.support_vectors import SupportVectors
from blindlib.metrics import balanced_accuracy, interval, paired_diff

SHARES = (0.3, 0.4, 0.3)  # of all people: who fit the blinder, who train attackers, who are tested; our choice
_MOST = 600  # images of a source that fit, train or are tested: drawn, where there are more; our choice, for speed
_FEWEST = 10  # images of every class that fit and train; below it a source is left out
COLUMNS = (
    *("method", "fitted_on", "attacked_on", "attacker", "mean", "half_width", "x", "chance", "diff"),
    *("diff_half_width", "n_test_subjects", "n_test"),
)


@dataclass(frozen=True)
class Source:
    """Pictures of one kind, embedded by the backbone that all sources share."""

    x: np.ndarray  # float32 (N, D)
    attribute: np.ndarray  # (N,): what is to be hidden, labels of its own; none missing
    identity: np.ndarray  # (N,): who is shown; the same name in two sources is the same person

    def __post_init__(self):
        for name, check in (("x", door.some(door.matrix)), ("attribute", door.labels), ("identity", door.labels)):
            object.__setattr__(self, name, check(f"source's {name}", getattr(self, name)))
        door.alike(x=self.x, attribute=self.attribute, identity=self.identity)


@door.takes(seeds=door.each(door.number(0, 2**63, whole=True)))
def transfer(
    sources: dict[str, Source], blinders: dict[str, Callable[[], object]], *, seeds: tuple[int, ...] = (0, 1, 2)
) -> pd.DataFrame:
    """Every blinder fitted on every source, and what fresh attackers still read of every source after it.

    Each seed deals all people into those who fit the blinders, who train the attackers and who are tested, whatever
    source they stand in. Two halves of one source's people show what a Diff off the diagonal is without a change.

    Parameters
    ----------
    sources : dict of Source
    blinders : dict of callables
        By name, what makes a new one: `fit(X, y, identity=…)` and `transform(X)`, as all of `blindlib` have.
    seeds : tuple of int
        Dealings of the people: two or more for an interval.

    Returns
    -------
    DataFrame
        `COLUMNS`: by `method`, `fitted_on`, `attacked_on` and `attacker` (`linear`, `RBF`, on standardised features)
        the balanced accuracy, what the same attacker reads of x there, and Diff, all in percent, with 95 % t-intervals
        over seeds. Seeds deal the same people anew, so the intervals are too narrow for other people. A source with too
        few images of a class for some part is left out, and with fewer than two left the table is empty. Labels may
        differ between sources, so compare Diff.

    Raises
    ------
    InputError
        If the sources are not of one backbone: a blinder fits one width of x alone.
    """
    widths = {name: source.x.shape[1] for name, source in sources.items()}
    if len(set(widths.values())) > 1:
        raise InputError("sources", f"have x of the widths {widths}", "embed all of them by one backbone")
    dealt = {seed: _deal(sources, seed) for seed in seeds if sources}
    usable = [name for name in sources if all(_enough(sources[name], parts[name]) for parts in dealt.values())]
    if len(usable) < 2:
        return pd.DataFrame(columns=list(COLUMNS))
    fits = [(None, usable[0]), *((name, source) for name in blinders for source in usable)]  # x is fitted nowhere
    cells = [(seed, *fit) for seed in seeds for fit in fits]
    tables = on_all_cores(lambda cell: _rows(sources, usable, blinders, dealt[cell[0]], *cell), cells)
    return _summary(pd.DataFrame([row for table in tables for row in table]))


def _deal(sources: dict[str, Source], seed: int) -> dict[str, list[np.ndarray]]:
    """Rows of every source for those who fit, train and are tested."""
    rng = np.random.default_rng(derive_seed(seed, "transfer"))
    people = rng.permutation(np.unique(np.concatenate([source.identity for source in sources.values()])))
    cuts = np.cumsum(np.array(SHARES[:2]) * len(people)).round().astype(int)
    groups, parts = np.split(people, cuts), {}
    for name, source in sources.items():
        rows = [np.flatnonzero(np.isin(source.identity, group)) for group in groups]
        parts[name] = [np.sort(rng.permutation(part)[:_MOST]) for part in rows]
    return parts


def _enough(source: Source, parts: list[np.ndarray]) -> bool:
    classes = np.unique(source.attribute)
    few = [min((source.attribute[part] == name).sum() for name in classes) for part in parts]
    return len(classes) > 1 and min(few[:2]) >= _FEWEST and few[2] > 0


def _rows(sources, usable, blinders, parts: dict, seed: int, method: str | None, fitted_on: str) -> list[dict]:
    """What attackers read of every source after one blinder that was fitted on one of them; of x without a `method`."""
    if method:
        own, fit = sources[fitted_on], parts[fitted_on][0]
        blinder = blinders[method]().fit(own.x[fit], own.attribute[fit], identity=own.identity[fit])
    rows = []
    for attacked_on in usable:
        source, (_, train, test) = sources[attacked_on], parts[attacked_on]
        seen, asked = (blinder.transform(source.x[part]) if method else source.x[part] for part in (train, test))
        scaler, truth = StandardScaler().fit(seen), source.attribute[test]
        row = {"seed": seed, "method": method or "x", "fitted_on": fitted_on if method else ""}
        row |= {"attacked_on": attacked_on, "chance": 100 / len(np.unique(truth)), "n_test": len(test)}
        row["n_test_subjects"] = len(np.unique(source.identity[test]))
        linear, rbf = (
            LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
            SupportVectors(class_weight="balanced"),
        )
        for name, attacker in (("linear", linear), ("RBF", rbf)):
            guess = attacker.fit(scaler.transform(seen), source.attribute[train]).predict(scaler.transform(asked))
            rows.append(row | {"attacker": name, "value": balanced_accuracy(truth, guess)})
    return rows


def _summary(rows: pd.DataFrame) -> pd.DataFrame:
    plain = rows[rows["method"] == "x"].set_index(["attacked_on", "attacker", "seed"])["value"].sort_index()
    table = []
    keys = ["method", "fitted_on", "attacked_on", "attacker"]
    for cell, own in rows.groupby(keys, sort=False):
        values, x = own.sort_values("seed")["value"].to_numpy(), plain.loc[cell[2:]].to_numpy()
        row = dict(zip(keys, cell, strict=True)) | dict(zip(("mean", "half_width"), interval(values), strict=True))
        row |= {"x": x.mean(), **own[["chance", "n_test", "n_test_subjects"]].mean()}
        if cell[0] != "x":
            row["diff"], row["diff_half_width"], _ = paired_diff(x, values, row["chance"])
        table.append(row)
    return pd.DataFrame(table, columns=list(COLUMNS))


def study_sources(study) -> dict[str, Source]:
    """The kinds of pictures in a study that an attribute can be hidden in and read from; none without labels.

    The people whose emotions are labelled, in two halves (posed pictures, in the rendered world and CFEE), and the
    pictures that are labelled as smiling or not (found ones there, and CelebA's), where those are other people's.
    """
    x, frame, emotion = study.x.rows(0, np.arange(len(study.faces))), study.faces.frame, study.hidden
    identity = frame["identity"].to_numpy(object)
    known, smiling = pd.notna(emotion), frame["smiling"]
    people = np.random.default_rng(derive_seed("transfer halves")).permutation(np.unique(identity[known]))
    halves = np.array_split(people, 2)
    kinds = {f"emotion, half {n + 1}": (np.isin(identity, half) & known, emotion) for n, half in enumerate(halves)}
    others = smiling.notna().to_numpy() & ~np.isin(identity, people)
    kinds["smiling"] = others, smiling.map({True: "smiling", False: "not smiling"}).to_numpy(object)
    return {name: Source(x[rows], labels[rows], identity[rows]) for name, (rows, labels) in kinds.items() if rows.any()}
