"""Train a study's blinders in notebooks 03 and 04, load them in 05 and 06, and list the representations of Table 1."""

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
    """Train a blinder on every split with every λ, select λ for each split, and save it in the build folder.

    Returns the blinder and its `history_` and `selection_` as tables; their `emotion` is the accuracy of validation
    probes. Returns None and empty tables if no image has an emotion label.
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
    """Load the blinders that notebooks 03 and 04 trained on a study's faces, by name; none without emotion labels.

    Raises InputError if a blinder or the history of its training is absent or damaged.
    """
    for name, notebook in (("sn", "03_sensitivenets"), ("lntl", "04_lntl")):
        check(study.build / f"history_{name}.csv", made_by(notebook))
    return {b.name: b.load(_file(study, b)) for b in (SensitiveNets(), LNTL()) if study.faces.has("emotion")}


def representations(study, banks: dict[str, HeadBlinder], bits: int | None) -> list[Representation]:
    """List the representations φ(x) of Table 1; none without banks.

    They are φ_SN and φ_LNTL at the selected λ, in float and in `bits`; x in `bits`; the preset's erasers; and both
    heads without penalty (λ = 0), in float and in `bits`. Raises InputError if two representations have the same name.
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
