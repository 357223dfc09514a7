"""What notebooks 03 to 06 share: the data that train heads, every representation by its name, the frontier's points."""

from collections.abc import Iterator
from functools import cache

import numpy as np
import pandas as pd
import torch

from blindlib.backbones.store import EmbeddingSet
from blindlib.blinders.banks import Bank
from blindlib.blinders.estimators import LEACE
from blindlib.blinders.representation import Blinded
from blindlib.blinders.training import TrainingSet, encode
from blindlib.data.facetable import FaceTable
from blindlib.data.splits import Split
from blindlib.evaluate.results import summarise
from blindlib.presets import Preset


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
        encode(faces.part)[0],
        [split.head for split in splits],
        [split.validation for split in splits],
    )


def leace_features(x: np.ndarray, faces: FaceTable, splits: list[Split], preset: Preset) -> Blinded:
    """φ by LEACE, fitted on every split's head-training people who show an expression of `preset.blinded`."""
    emotion = faces.frame["emotion"].where(faces.frame["emotion"].isin(preset.blinded)).to_numpy()

    @cache
    def eraser(split: int) -> LEACE:
        rows = splits[split].head
        return LEACE().fit(x[rows], None, emotion[rows])

    return Blinded(len(splits), lambda split, rows: eraser(split).transform(x[rows]))


def representations(
    x: EmbeddingSet, banks: dict[str, Bank], faces: FaceTable, splits: list[Split], preset: Preset
) -> dict[str, Blinded]:
    """Every blinded representation by its name in the tables; none without banks."""
    if not banks:
        return {}
    chosen = {name: bank.features(x.x) for name, bank in banks.items()}
    unpenalised = {f"{name} λ=0": banks[name].features(x.x, 0.0) for name in ("SN", "LNTL")}
    return {**chosen, "LEACE": leace_features(x.x, faces, splits, preset), **unpenalised}


def sweep(x: EmbeddingSet, banks: dict[str, Bank]) -> Iterator[tuple[str, Blinded]]:
    """`SN@3` and its features, for every method and strength above 0: the points of the frontier."""
    for name in ("SN", "LNTL") if banks else ():
        for strength in banks[name].strengths[1:]:
            yield f"{name}@{strength:g}", banks[name].features(x.x, strength)


def frontier_points(results: pd.DataFrame) -> pd.DataFrame:
    """Result rows of a sweep -> points: `method`, `strength`, `id`, `emotion`, `chance` and half-widths, in %."""
    kept = results[(results["metric"] == "balanced_accuracy") & (results["protocol"] == "B")]
    if not {"ID", "emotion"} <= set(kept["task"]):
        return pd.DataFrame(columns=["method", "strength", "id", "id_hw", "emotion", "emotion_hw", "chance"])
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
