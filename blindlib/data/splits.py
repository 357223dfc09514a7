"""Split the subjects: each has one role in a split, to train a head or probes, to validate, or to be tested."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import made_by, parsed, write_parquet
from blindlib.common.work import derive_seed
from blindlib.presets import Preset

if TYPE_CHECKING:  # probes need a Split, and not the imports of face tables
    from blindlib.data.facetable import FaceTable

ROLES = ("head", "validation", "probe", "test")


@dataclass(frozen=True)
class Split:
    """Hold one split of the subjects; all arrays are row numbers of the face table, sorted."""

    rotation: int
    seed: int
    head: np.ndarray  # images of the subjects that train the head
    validation: np.ndarray  # of those that select λ and the probes' settings
    probe: np.ndarray  # of those that train the probes
    test: np.ndarray  # of the test subjects, among them all in the rotation's folds of pairs


def deal(faces: "FaceTable", pairs: pd.DataFrame, preset: Preset) -> pd.DataFrame:
    """Assign the subjects of a face table to roles, separately for every data set (part).

    Each part is divided into R groups, one for each rotation r: subjects in fold f of the pairs join group f mod R, the
    others are drawn. Group r is tested in rotation r; the seed divides the others into head, validation and probe
    subjects. Subjects that only serve the attractiveness study train no head. Subjects that only occur in pairs are
    always `test`, so that no training or selection uses them.

    Returns a row for each image and a column `r<rotation>s<seed>` of `ROLES` for each split. Raises InputError if a
    subject occurs in folds of two rotations, or there are fewer folds than rotations.
    """
    identity, part = faces.frame["identity"].to_numpy(), faces.part.to_numpy()
    people, first, code = np.unique(identity, return_index=True, return_inverse=True)
    groups = {
        name: _groups(name, np.flatnonzero(part[first] == name), code, pairs, faces, preset.rotations)
        for name, roles in faces.parts.items()
        if roles != ("verification",)
    }
    rotations = range(preset.rotations)
    dealings = [(r, s) for s in preset.seeds for r in rotations] if preset.crossed else list(enumerate(preset.seeds))
    columns = {}
    for rotation, seed in dealings:
        role = np.full(len(people), "test", dtype=object)
        for name, (members, group) in groups.items():
            rest = np.random.default_rng(derive_seed(seed, "deal", name)).permutation(members[group != rotation])
            blinder = 0.0 if faces.parts[name] == ("attractive",) else preset.shares[0]
            cuts = np.cumsum(np.array([blinder, preset.shares[1]]) * len(rest)).round().astype(int)
            for given, drawn in zip(ROLES, np.split(rest, cuts), strict=False):
                role[drawn] = given
        columns[f"r{rotation}s{seed}"] = role[code]
    return pd.DataFrame(columns)


def _groups(name, members, code, pairs, faces, rotations) -> tuple[np.ndarray, np.ndarray]:
    """Return a part's subjects in random order, and the rotation that tests each of them."""
    members = np.random.default_rng(derive_seed("parts", name)).permutation(members)
    if "verification" not in faces.parts[name] or pairs.empty:
        return members, np.arange(len(members)) % rotations
    if pairs["fold"].nunique() < rotations:
        problem = f"{pairs['fold'].nunique()} folds of pairs for {rotations} rotations"
        raise InputError(faces.folders[name], problem, "use a pairs file with as many folds")
    person = code[np.concatenate([pairs["left"], pairs["right"]])]
    rotation = np.tile(pairs["fold"].to_numpy() % rotations, 2)
    of_fold = np.full(code.max() + 1, -1)
    of_fold[person] = rotation
    clash = of_fold[person] != rotation
    if clash.any():
        one = faces.frame["identity"].to_numpy()[np.flatnonzero(code == person[clash][0])[0]]
        remedy = "View 2's folds share no person: check pairs.txt"
        raise InputError(faces.folders[name], f"{one} stands in pairs of two rotations", remedy)
    group = of_fold[members]
    free = np.flatnonzero(group < 0)
    group[free] = np.arange(len(free)) % rotations
    return members, group


def save_splits(table: pd.DataFrame, path) -> None:
    """Write the table of roles as parquet, atomically."""
    write_parquet(path, table.astype("category"))


def load_splits(path, faces: "FaceTable") -> list[Split]:
    """Load the splits of `save_splits`. Raises InputError if absent, or if a subject has two roles in a split."""
    remedy = made_by("01_data_prep")
    table = parsed(path, remedy, pd.read_parquet).astype(str)
    shared = (table.groupby(faces.frame["identity"].to_numpy()).nunique() > 1).any()
    if shared.any():
        raise InputError(path, f"split {shared.idxmax()} gives a person two roles", remedy)
    dealt = {name: [np.flatnonzero(roles == role) for role in ROLES] for name, roles in table.items()}
    return [Split(*map(int, name[1:].split("s")), *rows) for name, rows in dealt.items()]
