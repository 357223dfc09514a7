"""Train the emotion's probes with twice the subjects: same heads, same test subjects.

Probe accuracy rises with the number of training subjects. A verdict that more of them would change is a verdict about
their number. Only a rendered world has more subjects to give.
"""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd

from blindlib.appendix.inversion import invert
from blindlib.appendix.probe_suite import run_suite, suite_cells
from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import EmbeddingSet, embed
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.files import private_dir
from blindlib.common.work import track
from blindlib.data.readers.synth import load_more_posed
from blindlib.evaluate.measure import EMOTION_PROBES, PROBE_METRICS, make_tasks, of_run
from blindlib.evaluate.probes import run_probes
from blindlib.evaluate.results import summarise, tidy
from blindlib.report.claims import judge_claims


def with_more_subjects(study):
    """Return a copy of a finished study in which the emotion's probes have twice the subjects; no other role changes.

    Its first rows are the study's own. The others are posed subjects whom a larger world would have next. Raises
    InputError where faces are not rendered.
    """
    if study.preset.synth is None:
        raise InputError(f"preset {study.preset.name}", "has no further subjects", "use a rendered world: demo")
    emotion, identity = study.faces.frame["emotion"].notna().to_numpy(), study.faces.frame["identity"].to_numpy()
    count = max(len(np.unique(identity[split.probe[emotion[split.probe]]])) for split in study.splits)
    posed = load_more_posed(study.preset.synth, count, private_dir(study.build / "more_subjects"))
    own, new = study.embedded[0], embed(posed, get_backbone(study.asked.backbone))
    rows = np.arange(len(study.faces), len(study.faces) + len(posed))
    more = copy(study)
    more.__dict__.pop("x", None)  # a cached property of the old embeddings
    more.faces = replace(study.faces, frame=pd.concat([study.faces.frame, posed.frame], ignore_index=True))
    more.splits = [replace(split, probe=np.concatenate([split.probe, rows])) for split in study.splits]
    joined = (np.concatenate([getattr(own, name), getattr(new, name)]) for name in ("x", "detected"))
    more.embedded = [EmbeddingSet(*joined, own.key + new.key)]
    return more


def probe_emotion(representations: list[Representation], study) -> pd.DataFrame:
    """Probe emotion in each representation by all probes of Table 1; return result rows as `measure` does."""
    task = next(task for task in make_tasks(study.faces, study.preset) if task.name == "emotion")
    identity, tables = pd.factorize(study.faces.frame["identity"])[0], []
    options = {"probes": EMOTION_PROBES, "identity": identity}
    for z in track(representations, "probes", unit="representation"):
        rows = run_probes(z.kept(len(study.faces)), task, study.splits, study.preset.probes, **options)
        tables.append(tidy(rows, PROBE_METRICS, **of_run(z, study, "emotion")))
    return pd.concat(tables, ignore_index=True)


def attack_all(representations: list[Representation], study) -> pd.DataFrame:
    """Attack emotion by every kind of probe on both views, and by inversion: rows of `probe_suite.suite_cells`."""
    task = next(task for task in make_tasks(study.faces, study.preset) if task.name == "emotion")
    identity, x, tables = pd.factorize(study.faces.frame["identity"])[0], study.embedded[0].x, []
    for z in track(representations, "every attacker", unit="representation"):
        z = z.kept(len(study.faces))
        rows = run_suite(z, task, study.splits, identity) + invert(z, x, task, study.splits, identity)
        tables.append(suite_cells(rows, z))
    return pd.concat(tables, ignore_index=True)


def compare_probes(results: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Compare balanced accuracies of the same probes before and after: `mean`, `half_width`, `twice`, `moved`."""
    keys = ["representation", "probe"]
    cells = [
        summarise(rows[(rows["task"] == "emotion") & (rows["metric"] == "balanced_accuracy")], keys).set_index(keys)
        for rows in (results, more)
    ]
    table = cells[0][["mean", "half_width", "n_train_subjects"]].join(cells[1]["mean"].rename("twice"), how="inner")
    return table.assign(moved=table["twice"] - table["mean"]).reset_index()


def compare_claims(
    results: pd.DataFrame, more: pd.DataFrame, fairness: pd.DataFrame, bias: float, bits: int | None
) -> pd.DataFrame:
    """Judge the claims with the rows `more` in place of those of the same representations and task.

    Takes the other arguments of `judge_claims`. Returns its columns, with `before`, the verdict without `more`, and
    `changed`; claims without an emotion probe are left out.
    """
    replaced = (results["task"] == "emotion") & results["representation"].isin(more["representation"])
    before = judge_claims(results, fairness, bias, bits)
    after = judge_claims(pd.concat([results[~replaced], more], ignore_index=True), fairness, bias, bits)
    after = after.assign(before=before["verdict"], changed=after["verdict"] != before["verdict"])
    return after[after["id"].isin(["C3", "C4"])].reset_index(drop=True)
