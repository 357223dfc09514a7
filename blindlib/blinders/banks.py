"""A study's blinders: trained on its splits by notebooks 03 and 04, read by 05 and 06, with the erasers beside them."""

from pathlib import Path

import pandas as pd

from blindlib.blinders.affine import Rounded
from blindlib.blinders.erasers import eraser_representation, find_eraser
from blindlib.blinders.head_blinder import HeadBlinder
from blindlib.blinders.lntl import LNTL
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


def _file(study, blinder: HeadBlinder) -> Path:
    return below(study.build, f"bank_{blinder.name.lower().replace(' ', '_')}", "blinder")


def load_banks(study) -> dict[str, HeadBlinder]:
    """The blinders that notebooks 03 and 04 trained on a study's faces, by name; none without emotion labels.

    Raises InputError where a bank, or the history of its training beside it, is absent or damaged.
    """
    for name, notebook in (("sn", "03_sensitivenets"), ("lntl", "04_lntl")):
        check(study.build / f"history_{name}.csv", made_by(notebook))
    return {b.name: b.load(_file(study, b)) for b in (SensitiveNets(), LNTL()) if study.faces.has("emotion")}


def representations(study, banks: dict[str, HeadBlinder], bits: int | None) -> list[Representation]:
    """List the φ(x) of Table 1; none without banks.

    φ_SN and φ_LNTL at the λ that was chosen in each split, in float; the same and x in `bits`; LEACE and the preset's
    own erasers; and the heads without penalty (λ = 0), in float and in `bits`. Raises InputError where two have one
    name.
    """
    if not banks:
        return []
    x, methods = study.embedded[0].x, [banks["SN"], banks["LNTL"]]
    released = [bank.representation(x, bits=bits) for bank in methods] + [eraser_representation(Rounded, study, bits)]
    every = [
        *(bank.representation(x) for bank in methods),
        *(released if bits else ()),
        *(eraser_representation(find_eraser(name), study) for name in study.preset.erasers),
        *(bank.representation(x, 0.0, each) for each in dict.fromkeys((None, bits)) for bank in methods),
    ]
    names = ["x", *CEILINGS, *(z.name for z in every)]
    if len(set(names)) < len(names):
        raise InputError("erasers", f"two representations have one name: {', '.join(names)}", "rename one's own eraser")
    return every
