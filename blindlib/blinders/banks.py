"""Banks of heads: every split with every λ of one method, trained at once, and the λ chosen for each split."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from blindlib.blinders.estimators import load_heads, save_arrays
from blindlib.blinders.heads import ResidualHeads
from blindlib.blinders.lntl import fit_lntl
from blindlib.blinders.representation import Blinded
from blindlib.blinders.sensitivenets import fit_sensitivenets
from blindlib.blinders.training import TrainingSet
from blindlib.common.errors import InputError
from blindlib.data.facetable import FaceTable
from blindlib.presets import Preset

_BLOCK = 65_536  # rows: what a head's intermediate values may take


def choose(history: list[dict], budget: float) -> pd.DataFrame:
    """Choose λ for every split by its validation people alone.

    Of the strengths above 0 whose verification Diff on validation pairs stays within the budget, the one whose fresh
    probes read expression worst, averaged over the last three rounds; if none stays within, the one that costs least.

    Parameters
    ----------
    history : list of dict
        Of `fit_sensitivenets` or `fit_lntl`, with a judge.
    budget : float
        Percent.

    Returns
    -------
    DataFrame
        A row a split and strength: `split`, `strength`, `emotion`, `identity` (percent, on validation people), `diff`
        (of identity, percent) and `chosen` (bool). Empty without history.
    """
    if not len(history):
        return pd.DataFrame(columns=["split", "strength", "emotion", "identity", "diff", "chosen"])
    frame = pd.DataFrame(history)
    start = frame[frame["round"] == 0].groupby("split")["identity"].mean()
    late = frame[frame["round"] > max(0, frame["round"].max() - 3)]
    table = late.groupby(["split", "strength"], as_index=False)[["emotion", "identity"]].mean()
    x = table["split"].map(start)
    table["diff"] = 100 * (x - table["identity"]) / (x - 50)
    table["chosen"] = False
    for _, rows in table[table["strength"] > 0].groupby("split"):
        within = rows[rows["diff"] <= budget]
        best = within["emotion"].idxmin() if len(within) else rows["diff"].idxmin()
        table.loc[best, "chosen"] = True
    return table


@dataclass(frozen=True)
class Bank:
    """Trained heads of one method: every split with every strength, and which strength was chosen where.

    Attributes
    ----------
    method : str
    heads : ResidualHeads
        H = splits * strengths, strengths innermost.
    strengths : tuple of float
    chosen : list of float
        For each split.
    """

    method: str
    heads: ResidualHeads
    strengths: tuple[float, ...]
    chosen: list[float]

    def save(self, path: Path) -> Path:
        """Write safetensors and JSON."""
        meta = {"method": self.method, "strengths": self.strengths, "chosen": self.chosen}
        return save_arrays(path, self.heads.arrays(), meta)

    def features(self, x: np.ndarray, strength: float | None = None) -> Blinded:
        """φ of x (N, D) by the head of every split, at one strength or (None) at each split's chosen one."""
        wanted = self.chosen if strength is None else [strength] * len(self.chosen)
        rows = [s * len(self.strengths) + self.strengths.index(value) for s, value in enumerate(wanted)]

        def one(split: int, index: np.ndarray) -> np.ndarray:
            head = self.heads.pick([rows[split]])
            with torch.no_grad():
                blocks = [
                    head(torch.tensor(x[index[i : i + _BLOCK]])[None])[0].numpy() for i in range(0, len(index), _BLOCK)
                ]
            return np.concatenate(blocks)

        return Blinded(len(rows), one)


def fit_bank(method: str, data: TrainingSet, preset: Preset) -> tuple[Bank | None, pd.DataFrame, pd.DataFrame]:
    """Train one method's heads on every split at every strength, and choose λ for each split.

    Parameters
    ----------
    method : str
        `SN`, `LNTL` (y = identity) or `LNTL demographic`.
    data : TrainingSet
    preset : Preset

    Returns
    -------
    bank : Bank or None
        None where nobody carries an expression label: there is nothing to blind.
    history : DataFrame
        Of `fit_sensitivenets` or `fit_lntl`; empty without a bank.
    table : DataFrame
        Of `choose`.
    """
    losses = ["triplet", "penalty"] if method == "SN" else ["task", "entropy"]
    if not (data.expression >= 0).any():
        history = pd.DataFrame(columns=["split", "strength", "round", "emotion", "identity", *losses, "detector"])
        return None, history, choose([], preset.id_budget)
    if method == "SN":
        config = preset.sensitivenets
        heads, rows = fit_sensitivenets(data, config, preset.blinded, seed=preset.seeds[0])
    else:
        config, task = preset.lntl, "demographic" if "demographic" in method else "identity"
        heads, rows = fit_lntl(data, config, preset.blinded, task=task, seed=preset.seeds[0])
    table = choose(rows, preset.id_budget)
    chosen = table[table["chosen"]].sort_values("split")["strength"].tolist()
    return Bank(method, heads, config.strengths, chosen), pd.DataFrame(rows), table


def load_bank(path: Path) -> Bank:
    """The bank that notebook 03 or 04 saved.

    Raises
    ------
    InputError
        If it is absent or damaged.
    """
    heads, meta = load_heads(path)
    if len(heads.down) != len(meta["strengths"]) * len(meta["chosen"]):
        raise InputError(path, f"weights of the wrong shape: {len(heads.down)} heads", "run its notebook again")
    return Bank(meta["method"], heads, tuple(meta["strengths"]), meta["chosen"])


def load_banks(build: Path, faces: FaceTable) -> dict[str, Bank]:
    """The banks that notebooks 03 and 04 left in a preset's build folder for these faces, by method; none without
    expression labels."""
    names = ["bank_sn", "bank_lntl"] + ["bank_lntl_demographic"] * (faces.has("gender") and faces.has("ethnicity"))
    banks = [load_bank(build / name) for name in names if faces.has("emotion")]
    return {bank.method: bank for bank in banks}
