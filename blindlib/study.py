"""The banks of heads that notebooks 03 and 04 leave, and the representations that notebook 05 measures."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from blindlib.blinders import LEACE, load_heads, save_arrays
from blindlib.embeddings import EmbeddingSet
from blindlib.errors import InputError
from blindlib.facetable import FaceTable
from blindlib.heads import ResidualHeads
from blindlib.presets import Preset
from blindlib.results import summarise
from blindlib.splits import Split
from blindlib.training import TrainingSet, encode


def training_set(
    embeddings: EmbeddingSet, faces: FaceTable, splits: list[Split], preset: Preset, device: torch.device
) -> TrainingSet:
    """Embeddings and labels on the device, with every split's head-training and validation people."""
    labels = faces.frame
    both = labels["gender"].notna() & labels["ethnicity"].notna()
    demographic = (labels["gender"] + " " + labels["ethnicity"]).where(both)
    return TrainingSet(
        torch.tensor(np.asarray(embeddings.x), device=device),
        encode(labels["identity"])[0],
        encode(labels["emotion"], preset.blinded)[0],
        encode(demographic)[0],
        [split.head for split in splits],
        [split.validation for split in splits],
    )


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
        (of identity, percent) and `chosen` (bool).
    """
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

    def features(self, x: np.ndarray, strength: float | None = None) -> np.ndarray:
        """φ of x (N, D) by the head of every split, at one strength or (None) at each split's chosen one: (S, N, D)."""
        wanted = self.chosen if strength is None else [strength] * len(self.chosen)
        rows = [s * len(self.strengths) + self.strengths.index(value) for s, value in enumerate(wanted)]
        heads = self.heads.pick(rows)
        with torch.no_grad():
            return heads(torch.tensor(np.asarray(x)).expand(len(rows), -1, -1)).numpy()


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


def leace_features(embeddings: EmbeddingSet, faces: FaceTable, splits: list[Split], preset: Preset) -> np.ndarray:
    """φ by LEACE, fitted on every split's head-training people: (S, N, D)."""
    emotion = faces.frame["emotion"].where(faces.frame["emotion"].isin(preset.blinded)).to_numpy()
    return np.stack(
        [LEACE().fit(embeddings.x[split.head], None, emotion[split.head]).transform(embeddings.x) for split in splits]
    )


def load_banks(build: Path, faces: FaceTable) -> dict[str, Bank]:
    """The banks that notebooks 03 and 04 left in a preset's build folder for these faces, by method."""
    names = ["bank_sn", "bank_lntl"] + ["bank_lntl_demographic"] * (faces.has("gender") and faces.has("ethnicity"))
    banks = [load_bank(build / name) for name in names]
    return {bank.method: bank for bank in banks}


def representations(
    x: EmbeddingSet, banks: dict[str, Bank], faces: FaceTable, splits: list[Split], preset: Preset
) -> dict[str, np.ndarray]:
    """Every blinded representation by its name in the tables: float32 (S, N, D) each."""
    chosen = {name: bank.features(x.x) for name, bank in banks.items()}
    unpenalised = {f"{name} λ=0": banks[name].features(x.x, 0.0) for name in ("SN", "LNTL")}
    return {**chosen, "LEACE": leace_features(x, faces, splits, preset), **unpenalised}


def sweep(x: EmbeddingSet, banks: dict[str, Bank]) -> Iterator[tuple[str, np.ndarray]]:
    """`SN@3` and its features (S, N, D), for every method and strength above 0: the points of the frontier."""
    for name in ("SN", "LNTL"):
        for strength in banks[name].strengths[1:]:
            yield f"{name}@{strength:g}", banks[name].features(x.x, strength)


def frontier_points(results: pd.DataFrame) -> pd.DataFrame:
    """Result rows of a sweep -> points: `method`, `strength`, `id`, `emotion`, `chance` and half-widths, in %."""
    kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
    cells = summarise(kept[kept["probe"].isin(["NN", "verification"])], ["representation", "task"])
    rows = []
    for name, group in cells.groupby("representation", sort=False):
        method, strength = _point(name)
        if method is None:
            continue
        by = group.set_index("task")
        rows.append(
            {
                "method": method,
                "strength": strength,
                "id": by.loc["ID", "mean"],
                "id_hw": by.loc["ID", "half_width"],
                "emotion": by.loc["emotion", "mean"],
                "emotion_hw": by.loc["emotion", "half_width"],
                "chance": by.loc["emotion", "chance"],
            }
        )
    return pd.DataFrame(rows).sort_values(["method", "strength"], ignore_index=True)


def _point(name: str) -> tuple[str | None, float]:
    """Method and strength of a representation's name; None for those that are no point of the frontier."""
    if name in ("x", "LEACE"):
        return name, 0.0
    if name.endswith(" λ=0"):
        return name.removesuffix(" λ=0"), 0.0
    method, _, strength = name.partition("@")
    return (method, float(strength)) if strength else (None, 0.0)
