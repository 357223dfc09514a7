"""Twice the people who train the attackers: what each reads then of the same heads, and of the same test people.

What an attacker reads rises with the people who train it, and a verdict that more of them would change is one about
their number. More people are to be had of a rendered world alone.
"""

from copy import copy
from dataclasses import replace

import numpy as np
import pandas as pd

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import EmbeddingSet, embed
from blindlib.blinders.representation import Representation
from blindlib.common.errors import InputError
from blindlib.common.files import private_dir
from blindlib.common.work import track
from blindlib.data.readers.synth import load_more_posed
from blindlib.evaluate.measure import ALL_PEOPLE, PROBE_METRICS, attack_emotion, make_tasks, of_run
from blindlib.evaluate.results import tidy


def with_more_people(study):
    """A copy of a finished study in which as many people again train the emotion's attackers; no other role changes.

    Its first rows are the study's own; the others are posed people whom a larger world would have next. Raises
    InputError where faces are not rendered.
    """
    if study.preset.synth is None:
        raise InputError(f"preset {study.preset.name}", "holds all the people there are", "use a rendered world: demo")
    emotion, identity = study.faces.frame["emotion"].notna().to_numpy(), study.faces.frame["identity"].to_numpy()
    attackers = max(len(np.unique(identity[split.probe[emotion[split.probe]]])) for split in study.splits)
    posed = load_more_posed(study.preset.synth, attackers, private_dir(study.build / "more_people"))
    own, new = study.embedded[0], embed(posed, get_backbone(study.asked.backbone))
    rows = np.arange(len(study.faces), len(study.faces) + len(posed))
    more = copy(study)
    more.__dict__.pop("x", None)  # it is made anew, of the embeddings below
    more.faces = replace(study.faces, frame=pd.concat([study.faces.frame, posed.frame], ignore_index=True))
    more.splits = [replace(split, probe=np.concatenate([split.probe, rows])) for split in study.splits]
    joined = (np.concatenate([getattr(own, name), getattr(new, name)]) for name in ("x", "detected"))
    more.embedded = [EmbeddingSet(*joined, own.key + new.key)]
    return more


def attack_again(representations: list[Representation], study) -> pd.DataFrame:
    """What every attacker of Table 1 reads of emotion with all its people, by protocol B: rows as of `measure`."""
    task = next(task for task in make_tasks(study.faces, study.preset) if task.name == "emotion")
    settings, tables = replace(study.preset.probes, ladder_people=ALL_PEOPLE), []
    for z in track(representations, "attacked by more people", unit="representation"):
        rows = attack_emotion(z, task, study, "B", settings)
        tables.append(tidy(rows, PROBE_METRICS, **of_run(z, study, "emotion")))
    return pd.concat(tables, ignore_index=True)
