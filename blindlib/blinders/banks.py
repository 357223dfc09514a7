"""A study's blinders: trained on its splits by notebooks 03 and 04, read by 05 and 06, with the erasers beside them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd

from blindlib.blinders.blinder import HeadBlinder
from blindlib.blinders.erasers import eraser_representation
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.pull import Pull
from blindlib.blinders.representation import Representation
from blindlib.blinders.sensitivenets import SensitiveNets
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.errors import InputError
from blindlib.common.files import below, check, made_by
from blindlib.settings import CEILINGS


def fit_bank(blinder: HeadBlinder, study) -> tuple[HeadBlinder | None, pd.DataFrame, pd.DataFrame]:
    """Train a blinder on every split at every strength, choose λ for each split, and keep it in the build folder.

    Returns it with its `history_` and `selection_` as tables, in which `emotion` is what fresh probes read. Where
    nobody carries an emotion label there is nothing to hide: it returns None and empty tables.
    """
    if not study.faces.has("emotion"):
        keys, seen = ["split", "strength"], ["emotion", "identity"]
        history = pd.DataFrame(columns=[*keys, "round", *seen, *blinder.terms, "detector"])
        return None, history, pd.DataFrame(columns=[*keys, *seen, "diff", "chosen"])
    blinder.fit_splits(TrainingSet.of(study, pick_device(blinder.device)), budget=study.preset.id_budget)
    blinder.save(_file(study, blinder))
    tables = (pd.DataFrame(blinder.history_), blinder.selection_)
    return blinder, *(table.rename(columns={"attribute": "emotion"}) for table in tables)


def fit_longer(study) -> Iterator[tuple[Representation, bool]]:
    """φ(x) by blinders trained with twice the patience and the ceiling, and whether they settled; none is kept.

    They are φ_SN, φ_LNTL and the pull, each with the seed and the choice of λ of `fit_bank` in the notebooks.
    """
    preset, data = study.preset, TrainingSet.of(study, pick_device())
    for kind, settings in ((SensitiveNets, preset.sensitivenets), (LNTL, preset.lntl), (Pull, preset.pull)):
        longer = replace(settings, rounds=2 * settings.rounds, patience=2 * settings.patience)
        blinder = kind(settings=longer, random_state=preset.seeds[0]).fit_splits(data, budget=preset.id_budget)
        yield blinder.representation(study.embedded[0].x), blinder.settled_


def _file(study, blinder: HeadBlinder) -> Path:
    return below(study.build, f"bank_{blinder.name.lower().replace(' ', '_')}", "blinder")


def load_banks(study) -> dict[str, HeadBlinder]:
    """The blinders that notebooks 03 and 04 trained on a study's faces, by name; none without emotion labels.

    Raises InputError where a bank, or the history of its training beside it, is absent or damaged.
    """
    for name, notebook in (("sn", "03_sensitivenets"), ("lntl", "04_lntl")):
        check(study.build / f"history_{name}.csv", made_by(notebook))
    faces, known = study.faces, [SensitiveNets(), LNTL(), Pull()]
    if faces.has("gender") and faces.has("ethnicity"):
        known.append(LNTL(task="demographic"))
    return {b.name: b.load(_file(study, b)) for b in known if faces.has("emotion")}


def representations(study, banks: dict[str, HeadBlinder], *, variants: bool = True) -> list[Representation]:
    """Every φ(x) of a study; none without banks.

    Each blinder at the λ that was chosen in each split, then the preset's erasers; with `variants` also LNTL by its
    other task and the heads without penalty (λ = 0). Raises InputError where two have one name.
    """
    x = study.embedded[0].x
    chosen = [bank.representation(x) for bank in banks.values() if variants or bank.task == "identity"]
    erased = [eraser_representation(name, study) for name in study.preset.erasers if banks]
    unpenalised = [banks[name].representation(x, 0.0) for name in ("SN", "LNTL") if variants and banks]
    every = [*chosen, *erased, *unpenalised]
    names = ["x", *CEILINGS, *(z.name for z in every)]
    if len(set(names)) < len(names):
        raise InputError("erasers", f"two representations have one name: {', '.join(names)}", "rename one's own eraser")
    return every


def sweep(study, banks: dict[str, HeadBlinder]) -> Iterator[Representation]:
    """φ(x) by the trained heads at every strength above 0: the points of the frontier that no table shows."""
    for name in ("SN", "LNTL", "pull") if banks else ():
        for strength in banks[name].strengths_[1:]:
            yield banks[name].representation(study.embedded[0].x, strength)
