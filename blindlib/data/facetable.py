"""FaceTable: the one validated table that every data set becomes."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from blindlib.common.errors import InputError
from blindlib.common.files import atomic_path
from blindlib.presets import Preset
from blindlib.settings import ATTRIBUTES, EMOTIONS, GENDERS

_OPTIONAL = {"nullable": True, "required": True, "coerce": True}
SCHEMA = pa.DataFrameSchema(
    {
        "image": pa.Column(str, unique=True, coerce=True),
        "identity": pa.Column(str, coerce=True),
        "emotion": pa.Column(str, pa.Check.isin(EMOTIONS), **_OPTIONAL),
        "gender": pa.Column(str, pa.Check.isin(GENDERS), **_OPTIONAL),
        "ethnicity": pa.Column(str, **_OPTIONAL),
        "smiling": pa.Column("boolean", **_OPTIONAL),
        "attractive": pa.Column("boolean", **_OPTIONAL),
        "sha256": pa.Column(str, pa.Check.str_matches(r"^[0-9a-f]{64}$"), coerce=True),
    },
    strict=True,
    ordered=False,
)


def weakest(kinds: list[str]) -> str:
    """Of what data sets count as, the one that a number on all of them counts as."""
    return max(kinds, key=("real", "substitute", "synthetic").index)


@dataclass(frozen=True)
class FaceTable:
    """Images with their labels, one row an image.

    Attributes
    ----------
    frame : DataFrame
        Columns `image` (path below `root`, with forward slashes, unique), `identity`, `emotion`, `gender`,
        `ethnicity`, `smiling`, `attractive` (each may be missing) and `sha256` of the file. Sorted by image.
    root : Path
        The folder that the image paths start from.
    name : str
        The data set's name, as it appears in tables.
    kind : str
        `real` (the paper's own data), `substitute` or `synthetic`.
    notes : dict
        What the loader counted: rows ignored, labels dropped. Shown in notebook 01, never silent.
    source : str
        `files`: the images are files; `synthfaces`: they are rendered from the album in `root`.
    folders : dict of str to Path
        Of a table that spans several data sets: an image's first folder -> the folder on disk that the rest of its path
        starts from. Empty where all images lie below `root`.
    parts : dict of str to tuple of str
        An image's first folder -> the roles that its people play (`DATA_ROLES`). Empty for a data set by itself.
    kinds : dict of str to str
        By attribute, what its labels count as in a table; where not named, `kind`.
    """

    frame: pd.DataFrame
    root: Path
    name: str
    kind: str
    notes: dict
    source: str = "files"
    folders: dict = field(default_factory=dict)
    parts: dict = field(default_factory=dict)
    kinds: dict = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def files(self) -> list[Path]:
        """Absolute path of every image, in row order."""
        if not self.folders:
            return [self.root / image for image in self.frame["image"]]
        split = [image.split("/", 1) for image in self.frame["image"]]
        return [self.folders[part] / rest for part, rest in split]

    @property
    def part(self) -> pd.Series:
        """The first folder of every image, in row order: a key of `parts`."""
        return self.frame["image"].str.split("/", n=1).str[0]

    def kind_of(self, attribute: str, *, trained: bool = False) -> str:
        """What a number on an attribute's labels counts as: `real`, `substitute` or `synthetic`.

        Of a representation that was trained on these data sets it is no better than the weakest of them (`kind`).
        """
        own = self.kinds.get(attribute, self.kind)
        return weakest([own, self.kind]) if trained else own

    def has(self, attribute: str) -> bool:
        """Whether any image carries a label for this attribute."""
        return bool(self.frame[attribute].notna().any())

    def save(self, path: Path) -> Path:
        """Write as parquet, atomically."""
        frame = self.frame.copy()
        rest = {n: getattr(self, n) for n in ("name", "kind", "notes", "source", "parts", "kinds")}
        folders = {part: str(folder) for part, folder in self.folders.items()}
        frame.attrs = {"root": str(self.root), "folders": folders, **rest}
        with atomic_path(path) as temporary:
            frame.to_parquet(temporary)
        return path


def make_facetable(
    frame: pd.DataFrame, root: Path, *, name: str, kind: str, notes: dict | None = None, source: str = "files", **more
) -> FaceTable:
    """Validate rows into a FaceTable; labels that a data set lacks become missing values.

    Parameters
    ----------
    frame : DataFrame
        At least `image`, `identity` and `sha256`; any of `ATTRIBUTES`.
    root : Path
    name, kind : str
    notes : dict, optional
    source : str
        `files` or `synthfaces`.
    **more
        `folders`, `parts`, `kinds` of the FaceTable.

    Raises
    ------
    InputError
        If a column is unknown, an image is repeated or a label is outside the vocabulary.
    """
    unknown = set(frame.columns) - set(SCHEMA.columns)
    if unknown:
        raise InputError(root, f"data set '{name}' has the unknown columns {sorted(unknown)}", "rename or drop them")
    frame = frame.reindex(columns=[*frame.columns, *(a for a in ATTRIBUTES if a not in frame)])
    try:
        frame = SCHEMA.validate(frame, lazy=False)
    except pa.errors.SchemaError as error:
        cases = error.failure_cases
        shown = cases["failure_case"].iloc[0] if hasattr(cases, "columns") else cases
        column = error.schema.name or "columns"
        raise InputError(
            root, f"data set '{name}', {column}: {shown!r} fails {error.check}", "mend its labels"
        ) from None
    frame = frame[list(SCHEMA.columns)].sort_values("image", ignore_index=True)
    return FaceTable(frame, Path(root), name, kind, dict(notes or {}), source, **more)


def load_facetable(path: Path) -> FaceTable:
    """Read what `FaceTable.save` wrote.

    Raises
    ------
    InputError
        If notebook 01 has not left the file yet.
    """
    if not path.exists():
        raise InputError(path, "no face table here", "run notebook 01_data_prep with the same preset first")
    frame = pd.read_parquet(path)
    meta, frame.attrs = frame.attrs, {}
    folders = {part: Path(folder) for part, folder in meta.pop("folders").items()}
    parts = {part: tuple(roles) for part, roles in meta.pop("parts").items()}
    return FaceTable(frame, Path(meta.pop("root")), folders=folders, parts=parts, **meta)


def for_faces(preset: Preset, faces: FaceTable) -> Preset:
    """A preset with the expressions that occur in these faces: no data set has all.

    Raises
    ------
    InputError
        If fewer than two are here, or the penalty's class is not among them.
    """
    here = set(faces.frame["emotion"].dropna()) & set(preset.blinded)
    if not here:
        return preset
    target = preset.sensitivenets.target
    if target not in here or len(here & set(preset.emotions)) < 2:
        raise InputError(
            f"expressions of {faces.name}",
            f"are {', '.join(sorted(here))}: two or more of {', '.join(preset.emotions)}, and {target}, are needed",
            "label more of them, or take that data set away: the next in DATA.md's order is used",
        )
    return replace(
        preset,
        emotions=tuple(e for e in preset.emotions if e in here),
        blinded=tuple(e for e in preset.blinded if e in here),
    )
