"""Load what the notebooks share, each on first use: a preset's faces, pairs, splits, embeddings and folders."""

from functools import cached_property

import numpy as np
import pandas as pd

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import EmbeddingSet, embed_all
from blindlib.blinders.representation import Representation
from blindlib.common.files import build_dir, figures_dir, made_by, parsed
from blindlib.data.facetable import FaceTable, for_faces, load_facetable
from blindlib.data.splits import Split, load_splits
from blindlib.presets import Preset, get_preset


class Study:
    """Represent one run of a preset, with changed settings as in `presets.get_preset`.

    Attributes
    ----------
    asked : Preset
        The preset before `for_faces` fits it to the faces.
    build, figures : Path
        The run's folders; the former is private to the user.
    """

    def __init__(self, preset: str, changes: str = ""):
        self.asked = get_preset(preset, changes)
        self.build, self.figures = build_dir(self.asked.name), figures_dir(self.asked.name)

    @cached_property
    def faces(self) -> FaceTable:
        """Return the face table that notebook 01 wrote."""
        return load_facetable(self.build / "faces.parquet")

    @cached_property
    def preset(self) -> Preset:
        """Return the preset with the emotions that occur in these faces."""
        return for_faces(self.asked, self.faces)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """Return the verification pairs that notebook 01 wrote; may be empty."""
        return parsed(self.build / "pairs.parquet", made_by("01_data_prep"), pd.read_parquet)

    @cached_property
    def splits(self) -> list[Split]:
        """Return the splits that notebook 01 wrote."""
        return load_splits(self.build / "splits.parquet", self.faces)

    @cached_property
    def embedded(self) -> list[EmbeddingSet]:
        """Return the embeddings of the backbone and, if any, of the upper bound: extracted once, then loaded."""
        names = filter(None, (self.asked.backbone, self.asked.ceiling))
        return embed_all(self.faces, [get_backbone(name) for name in names])

    @cached_property
    def x(self) -> Representation:
        """Return the backbone's embedding: the start of the frontier."""
        return Representation.of("x", self.embedded[0].x, 0.0)

    @cached_property
    def ceilings(self) -> list[Representation]:
        """Return the upper bounds of probe accuracy, such as pixels; none in some presets."""
        return [Representation.of(self.asked.ceiling.rstrip("0123456789"), set_.x) for set_ in self.embedded[1:]]

    @property
    def hidden(self) -> np.ndarray:
        """Return the emotion of every image, missing where unknown or outside the classes of the blinders: (N,)."""
        emotion = self.faces.frame["emotion"]
        return emotion.where(emotion.isin(self.preset.blinded), None).to_numpy()
