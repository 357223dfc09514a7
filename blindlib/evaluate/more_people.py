"""Twice the people who train the attackers: what each reads then of the same heads, and of the same test people.

What an attacker reads rises with the people who train it, and a verdict that more of them would change is one about
their number. More people are to be had of a rendered world alone.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import embed
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.files import private_dir
from blindlib.common.work import track
from blindlib.data.readers.synth import load_more_posed
from blindlib.evaluate.ladder import climb
from blindlib.evaluate.measure import ALL_PEOPLE, PROBE_METRICS, make_tasks
from blindlib.evaluate.probes import labelled_splits, run_probes
from blindlib.evaluate.results import tidy
from blindlib.evaluate.similarity import attack_by_similarity


def with_more_people(study) -> SimpleNamespace:
    """A finished study in which as many people again train the emotion's attackers; nobody else's role changes.

    Returns what attackers and `banks.representations` ask of a study: `faces`, `splits`, `embedded`, `preset`, `x`,
    `hidden`. Its first rows are the study's own; the others are posed people whom a larger world would have next.
    Raises InputError where faces are not rendered.
    """
    if study.preset.synth is None:
        raise InputError(f"preset {study.preset.name}", "holds all the people there are", "use a rendered world: demo")
    emotion, identity = study.faces.frame["emotion"].notna().to_numpy(), study.faces.frame["identity"].to_numpy()
    attackers = max(len(np.unique(identity[split.probe[emotion[split.probe]]])) for split in study.splits)
    more = load_more_posed(study.preset.synth, attackers, private_dir(study.build / "more_people"))
    x = np.concatenate([each.x for each in (study.embedded[0], embed(more, get_backbone(study.asked.backbone)))])
    faces = replace(study.faces, frame=pd.concat([study.faces.frame, more.frame], ignore_index=True))
    rows = np.arange(len(study.faces), len(faces))
    return SimpleNamespace(
        faces=faces,
        preset=study.preset,
        splits=[replace(split, probe=np.concatenate([split.probe, rows])) for split in study.splits],
        embedded=[SimpleNamespace(x=x)],
        x=Representation.of("x", x, 0.0),
        hidden=faces.frame["emotion"].where(faces.frame["emotion"].isin(study.preset.blinded), None).to_numpy(),
    )


def attack_emotion(representations: list[Representation], study) -> pd.DataFrame:
    """What every attacker of Table 1 reads of emotion, by protocol B: rows as `measure.measure` gives them."""
    task = next(task for task in make_tasks(study.faces, study.preset) if task.name == "emotion")
    identity, settings = study.faces.frame["identity"].to_numpy(), study.preset.probes
    splits, tables = labelled_splits(study.splits, task, identity), []
    for z in track(representations, "attacked by more people", unit="representation"):
        rows = run_probes(z, task, splits, settings, protocols="B", identity=identity)
        rows += climb(z, task, splits, replace(settings, ladder_people=ALL_PEOPLE), identity)
        rows += attack_by_similarity(z, task, splits, identity)
        named = {"preset": study.preset.name, "dataset": study.faces.name, "representation": z.name}
        named["provenance"] = study.faces.provenance_of("emotion", trained=z.trained)
        tables.append(tidy(rows, PROBE_METRICS, **named, method=z.method, strength=z.strength))
    return pd.concat(tables, ignore_index=True)
