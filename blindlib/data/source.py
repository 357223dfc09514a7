"""Load a preset's data: choose a data set for each role, and build one face table and the pairs."""

import os

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import build_dir, data_dir, dataset_dir, digest
from blindlib.data.catalogue import CATALOGUE, SYNTHETIC, how_to_get, is_here, require_layout
from blindlib.data.facetable import FaceTable, for_faces, make_facetable, weakest
from blindlib.data.readers.celeba import load_celeba
from blindlib.data.readers.cfee import load_cfee
from blindlib.data.readers.diveface import load_diveface
from blindlib.data.readers.fairface import load_fairface
from blindlib.data.readers.lfw import load_lfw, read_pairs
from blindlib.data.readers.manifest import load_manifest
from blindlib.data.readers.synth import load_synth
from blindlib.presets import PAPER, Preset
from blindlib.settings import ATTRIBUTES, DATA_ROLES

_LOADERS = (load_lfw, load_diveface, load_cfee, load_celeba, load_fairface, load_manifest)
LOADERS = {load.__name__.removeprefix("load_"): load for load in _LOADERS}
# The two frequent classes of LFW's machine-made labels: 2,842 and 2,246 in the public subset, then 355, … 9.
_FREQUENT = {"lfw": ("neutral", "happiness")}
VIEW2 = 6000  # pairs; with fewer, verification does not count as the paper's


def load_source(preset: Preset) -> tuple[FaceTable, pd.DataFrame]:
    """Load face table and verification pairs of a preset from its available data sets; every image is checked.

    Each label comes only from the data set in the label's role. `notes["roles"]` names the data set of each role, or
    says how to get one. The pairs are those of `readers.lfw.read_pairs`.

    Raises InputError if no data set is available, or files are wrong; see the loaders.
    """
    if preset.synth is not None:
        return load_synth(preset.synth, build_dir(preset.name))
    tables = {}
    for name in _present(preset):
        options = {"everything": preset.everything} if name in ("diveface", "cfee") else {}
        tables[name] = LOADERS[name](dataset_dir(name), **options)
    chosen = {role: _choose(role, names, tables) for role, names in preset.sources.items()}
    if not any(chosen.values()):
        raise InputError(data_dir(), f"{', '.join(tables)} carry the labels of no role", "see the roles in DATA.md")
    pairs = _pairs_of(tables, chosen)
    faces = _combine(tables, chosen, len(pairs))
    for_faces(preset, faces)  # raises here, before two notebooks have run, if there are too few emotions
    return faces, pairs


def _choose(role: str, names: tuple[str, ...], tables: dict[str, FaceTable]) -> str | None:
    """Return the first available data set with all of the role's labels (verification needs none).

    If there is none, return for demographics the first with gender or ethnicity, since each has its own row.
    """
    here = [name for name in names if name in tables]
    whole = [name for name in here if tables[name].has(*DATA_ROLES[role])]
    some = [name for name in here if role == "demographics" and any(map(tables[name].has, DATA_ROLES[role]))]
    return next(iter(whole + some), None)


def _combine(tables: dict[str, FaceTable], chosen: dict[str, str | None], pairs: int) -> FaceTable:
    """Build one face table of the data sets that were chosen for a role."""
    used = [name for name in tables if name in chosen.values()]
    parts = {name: tuple(role for role, other in chosen.items() if other == name) for name in used}
    provenances = {
        label: _provenance(role, name, tables[name].provenance, pairs)
        for role, name in chosen.items()
        if name
        for label in DATA_ROLES[role] or ("identity",)
    }
    roles = {role: name or f"no data. The paper's: {how_to_get(PAPER[role])}" for role, name in chosen.items()}
    idle = [name for name in tables if name not in parts]
    if idle:
        roles["here, but not used"] = ", ".join(idle)
    notes = {key: counts for name in parts for key, counts in tables[name].notes.items()}
    return make_facetable(
        pd.concat([_labelled(name, tables[name].frame, roles) for name, roles in parts.items()], ignore_index=True),
        data_dir(),
        name=" + ".join(tables[name].name for name in parts),
        provenance=weakest(list(provenances.values())),
        notes={"roles": roles, **notes},
        folders={name: tables[name].root for name in parts},
        parts=parts,
        provenances=provenances,
    )


def _labelled(name: str, frame: pd.DataFrame, roles: tuple[str, ...]) -> pd.DataFrame:
    """Return a data set's rows below its name, with the labels of its roles only."""
    hidden = set(ATTRIBUTES).difference(*(DATA_ROLES[role] for role in roles))
    frame = frame.assign(**dict.fromkeys(hidden), **{key: f"{name}/" + frame[key] for key in ("image", "identity")})
    if name in _FREQUENT:
        frame["emotion"] = frame["emotion"].where(frame["emotion"].isin(_FREQUENT[name]))
    return frame


def _provenance(role: str, name: str, loaded: str, pairs: int) -> str:
    if (dataset_dir(name) / SYNTHETIC).exists():
        return "synthetic"
    complete = pairs == VIEW2 if role == "verification" else loaded == "real"
    return "real" if PAPER[role] == name and complete else "substitute"


def source_state(preset: Preset) -> str:
    """Return a digest of the names, sizes and times of all files that a preset loads.

    Raises InputError, which says what to fetch and where it goes, if none of its data sets is available.
    """
    files = []
    for folder in map(dataset_dir, _present(preset)):
        for at, _, names in os.walk(folder, followlinks=True):
            files += [f"{at}/{name}" for name in names if not name.startswith(".")]
    return digest([(file, (found := os.lstat(file)).st_size, found.st_mtime_ns) for file in sorted(files)])


def _present(preset: Preset) -> list[str]:
    wanted = list(dict.fromkeys(name for names in preset.sources.values() for name in names))
    here = [name for name in wanted if is_here(name)]
    for name in set(wanted) - set(here):
        if os.environ.get(f"BLINDLIB_{name.upper()}"):
            problem = f"{CATALOGUE[name].title} was said to be here; no such folder, or nothing is in it"
            raise InputError(dataset_dir(name), problem, f"name its folder. {how_to_get(name)}")
    for name in here:
        require_layout(name)
    if not here:
        problem = f"preset '{preset.name}' finds none of its data sets here ({', '.join(wanted)})"
        how = f"{how_to_get(wanted[0])}; `make data` tells of the others; or run without data: `make paper`"
        raise InputError(data_dir(), problem, f"fetch one: {how}")
    return here


def _pairs_of(tables: dict[str, FaceTable], chosen: dict[str, str | None]) -> pd.DataFrame:
    """Map View 2's pairs to rows of the combined table, which sorts the sets by name and keeps each set's order."""
    name = chosen.get("verification")
    if name is None:
        return pd.DataFrame({"fold": [], "left": [], "right": [], "same": []}, dtype=int).astype({"same": bool})
    pairs = read_pairs(dataset_dir(name) / "pairs.txt", tables[name])
    before = sum(len(tables[other]) for other in set(filter(None, chosen.values())) if other < name)
    return pairs.assign(left=pairs["left"] + before, right=pairs["right"] + before)
