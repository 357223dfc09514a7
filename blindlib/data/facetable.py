"""Define FaceTable, the validated table that every data set is loaded into."""

from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from blindlib.common.errors import InputError
from blindlib.common.files import made_by, parsed, write_parquet
from blindlib.data.checks import check_images
from blindlib.presets import Preset
from blindlib.settings import EMOTIONS, GENDERS

SCHEMA = pa.DataFrameSchema(
    {
        "image": pa.Column(str, unique=True),
        "identity": pa.Column(str),
        "emotion": pa.Column(str, pa.Check.isin(EMOTIONS), nullable=True),
        "gender": pa.Column(str, pa.Check.isin(GENDERS), nullable=True),
        "ethnicity": pa.Column(str, nullable=True),
        "smiling": pa.Column("boolean", nullable=True),
        "attractive": pa.Column("boolean", nullable=True),
        "sha256": pa.Column(str, pa.Check.str_matches(r"^[0-9a-f]{64}$")),
    },
    coerce=True,
)


def weakest(provenances: list[str]) -> str:
    """Return the weakest of several provenances."""
    return max(provenances, key=("real", "substitute", "synthetic").index)


@dataclass(frozen=True)
class FaceTable:
    """Hold images and their labels, one row an image, sorted by image.

    In a table over several data sets the first folder of an image names its data set: `folders` maps it to the folder
    on disk, and `parts` to the roles of its subjects (`DATA_ROLES`). Otherwise both are empty.
    """

    frame: pd.DataFrame  # the columns of SCHEMA; `image` is a path below `root`, with forward slashes
    root: Path
    name: str  # in tables
    provenance: str  # `real` (the paper's own data), `substitute` or `synthetic`
    notes: dict  # counts by the loader: rows ignored, labels dropped; notebook 01 shows them
    source: str = "files"  # or `synthfaces`: the images are rendered from the album in `root`
    folders: dict[str, Path] = field(default_factory=dict)
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    provenances: dict[str, str] = field(default_factory=dict)  # by attribute, where it differs from `provenance`

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def files(self) -> list[Path]:
        """Return the absolute path of every image, in row order."""
        if not self.folders:
            return [self.root / image for image in self.frame["image"]]
        return [self.folders[part] / rest for part, rest in self.frame["image"].str.split("/", n=1)]

    @property
    def part(self) -> pd.Series:
        """Return the first folder of every image, in row order: a key of `parts`."""
        return self.frame["image"].str.split("/", n=1).str[0]

    def provenance_of(self, attribute: str, *, trained: bool = False) -> str:
        """Return an attribute's provenance: `real`, `substitute` or `synthetic`.

        For a representation trained on these data sets it is at most their weakest (`provenance`).
        """
        provenance = self.provenances.get(attribute, self.provenance)
        return weakest([provenance, self.provenance]) if trained else provenance

    def has(self, *attributes: str) -> bool:
        """Return whether each of these attributes has a label on some image."""
        return bool(self.frame[list(attributes)].notna().any().all())

    def save(self, path: Path) -> Path:
        """Write as parquet, atomically."""
        frame = self.frame.copy()
        folders = {part: str(folder) for part, folder in self.folders.items()}
        names = ("name", "provenance", "notes", "source", "parts", "provenances")
        plain = {name: getattr(self, name) for name in names}
        frame.attrs = {"root": str(self.root), "folders": folders, **plain}
        return write_parquet(path, frame)


def make_facetable(
    frame: pd.DataFrame, root: Path, *, name: str, provenance: str, notes: dict | None = None, **more
) -> FaceTable:
    """Validate rows as a FaceTable; labels that a data set lacks become missing values.

    Rows need `image` and `identity`. Without `sha256` every image is decoded and hashed. `more` sets the table's
    `source`, `folders`, `parts` and `provenances`. Raises InputError if an image is repeated or does not decode, or a
    label has an unknown value.
    """
    if "sha256" not in frame:
        frame = frame.assign(sha256=check_images(Path(root), list(frame["image"])))
    frame = frame.reindex(columns=list(SCHEMA.columns))
    try:
        frame = SCHEMA.validate(frame)
    except pa.errors.SchemaError as error:
        raise InputError(root, f"data set '{name}': {error}", "mend its labels") from None
    frame = frame.sort_values("image", ignore_index=True)
    return FaceTable(frame, Path(root), name, provenance, dict(notes or {}), **more)


def load_facetable(path: Path) -> FaceTable:
    """Load a table that `FaceTable.save` wrote. Raises InputError if it is absent or damaged."""
    return parsed(path, made_by("01_data_prep"), _as_written)


def _as_written(content: BytesIO) -> FaceTable:
    frame = pd.read_parquet(content)
    meta, frame.attrs = frame.attrs, {}
    folders = {part: Path(folder) for part, folder in meta.pop("folders").items()}
    parts = {part: tuple(roles) for part, roles in meta.pop("parts").items()}
    return FaceTable(frame, Path(meta.pop("root")), folders=folders, parts=parts, **meta)


def for_faces(preset: Preset, faces: FaceTable) -> Preset:
    """Return a preset with the emotions that occur in these faces.

    Raises InputError if there are fewer than two, or the penalty's class is not among them.
    """
    here = set(faces.frame["emotion"].dropna()) & set(preset.blinded)
    if not here:
        return preset
    target = preset.sensitivenets.target
    if target not in (None, *here) or len(here & set(preset.emotions)) < 2:
        wanted = f"two or more of {', '.join(preset.emotions)}" + (f", and {target}, are needed" if target else "")
        remedy = "label more of them, or take that data set away: the next in DATA.md's order is used"
        raise InputError(f"emotions of {faces.name}", f"are {', '.join(sorted(here))}: {wanted}", remedy)
    emotions, blinded = (tuple(e for e in names if e in here) for names in (preset.emotions, preset.blinded))
    return replace(preset, emotions=emotions, blinded=blinded)
