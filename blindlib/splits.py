"""Who trains, who validates, who is tested: subject-disjoint, and every person a test subject once."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from blindlib.errors import InputError
from blindlib.facetable import FaceTable
from blindlib.files import atomic_path
from blindlib.presets import Preset
from blindlib.seeds import derive_seed

ROLES = ("head", "validation", "probe", "test")


@dataclass(frozen=True)
class Split:
    """One dealing of the people; all arrays are row numbers of the face table, sorted.

    Attributes
    ----------
    rotation, seed : int
    head : int array
        People who train the blinder.
    validation : int array
        People on whom λ and the probes' settings are chosen.
    probe : int array
        People who train the probes.
    test : int array
        People whom the numbers are about; among them everyone in the rotation's folds of pairs.
    """

    rotation: int
    seed: int
    head: np.ndarray
    validation: np.ndarray
    probe: np.ndarray
    test: np.ndarray


def deal(faces: FaceTable, pairs: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Deal the people of a face table into roles; of SynthFaces as `deal_roles` says.

    A person in fold f of the pairs is tested in rotation f mod R, with the fold; the others are spread over the
    rotations by the seed. Of those who are not tested, the seed draws who trains the blinder, validates, trains probes.

    Parameters
    ----------
    faces : FaceTable
    pairs : DataFrame
        As `datasets.lfw.read_pairs`.
    preset : Preset

    Returns
    -------
    DataFrame
        A row an image, a column `r<rotation>s<seed>` for each split, holding one of `ROLES`.

    Raises
    ------
    InputError
        If a person stands in folds of two rotations, or there are fewer folds than rotations.
    """
    if faces.source == "synthfaces":
        return deal_roles(faces, preset)
    rotations = preset.rotations
    if pairs["fold"].nunique() < rotations:
        raise InputError(
            faces.root,
            f"{pairs['fold'].nunique()} folds of pairs for {rotations} rotations",
            "use a pairs file with as many folds",
        )
    identity = faces.frame["identity"].to_numpy()
    people, code = np.unique(identity, return_inverse=True)
    of_fold = np.full(len(people), -1)
    for side in ("left", "right"):
        person, rotation = code[pairs[side]], pairs["fold"].to_numpy() % rotations
        clash = (of_fold[person] >= 0) & (of_fold[person] != rotation)
        if clash.any():
            raise InputError(
                faces.root,
                f"{people[person[clash][0]]} stands in pairs of two rotations",
                "View 2's folds share no person: check pairs.txt",
            )
        of_fold[person] = rotation
    columns = {}
    for seed in preset.seeds:
        rng = np.random.default_rng(derive_seed(seed, "deal"))
        group = of_fold.copy()
        free = rng.permutation(np.flatnonzero(group < 0))
        group[free] = np.arange(len(free)) % rotations
        for rotation in range(rotations):
            rest = rng.permutation(np.flatnonzero(group != rotation))
            cuts = np.cumsum(np.array(preset.shares[:2]) * len(rest)).round().astype(int)
            role = np.full(len(people), "test", dtype=object)
            for name, members in zip(ROLES, np.split(rest, cuts), strict=False):
                role[members] = name
            columns[f"r{rotation}s{seed}"] = role[code]
    return pd.DataFrame(columns)


def deal_roles(faces: FaceTable, preset: Preset) -> pd.DataFrame:
    """Deal the people of SynthFaces: the k-th seed tests the k-th part of each role's people, and nobody twice.

    Those who are not tested are dealt as in `deal`; of the attractiveness people none trains a head. The verification
    people are `test` always: no head, probe or choice sees them.

    Returns
    -------
    DataFrame
        As `deal`, with a column for each seed.
    """
    identity = faces.frame["identity"].to_numpy()
    people, code = np.unique(identity, return_inverse=True)
    part = np.array([person.rsplit("-", 1)[0] for person in people])
    columns = {}
    for k, seed in enumerate(preset.seeds):
        role = np.full(len(people), "test", dtype=object)
        for name in ("demographics", "emotion", "attractive"):
            own = np.random.default_rng(derive_seed("parts", name)).permutation(np.flatnonzero(part == name))
            rest = np.random.default_rng(derive_seed(seed, "deal", name)).permutation(
                own[np.arange(len(own)) % len(preset.seeds) != k]
            )
            shares = np.array([0 if name == "attractive" else preset.shares[0], preset.shares[1]])
            cuts = np.cumsum(shares * len(rest)).round().astype(int)
            for given, members in zip(ROLES, np.split(rest, cuts), strict=False):
                role[members] = given
        columns[f"r{k}s{seed}"] = role[code]
    return pd.DataFrame(columns)


def save_splits(table: pd.DataFrame, path) -> None:
    """Write the table of roles as parquet, atomically."""
    with atomic_path(path) as temporary:
        table.astype("category").to_parquet(temporary)


def load_splits(path, faces: FaceTable) -> list[Split]:
    """Read what `save_splits` wrote and prove it subject-disjoint.

    Raises
    ------
    InputError
        If the file is absent, of another face table, or a person holds two roles of one split.
    """
    if not path.exists():
        raise InputError(path, "no splits here", "run notebook 01_data_prep with the same preset first")
    table = pd.read_parquet(path).astype(str)
    if len(table) != len(faces):
        raise InputError(path, f"deals {len(table)} images, the face table has {len(faces)}", "run 01_data_prep again")
    shared = (table.groupby(faces.frame["identity"].to_numpy()).nunique() > 1).any()
    if shared.any():
        raise InputError(path, f"split {shared.idxmax()} gives a person two roles", "run 01_data_prep again")
    splits = []
    for name in table:
        rotation, seed = (int(part) for part in name[1:].split("s"))
        splits.append(Split(rotation, seed, *(np.flatnonzero(table[name] == role) for role in ROLES)))
    return splits
