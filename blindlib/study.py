"""What the notebooks share: a preset's faces, pairs, splits, embeddings and folders, each read when first asked for."""

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
    """One run of a preset, with changes in its settings as `presets.get_preset` takes them.

    Attributes
    ----------
    asked : Preset
        As it was asked for.
    build, figures : Path
        Its folders; the former is private to the user.
    """

    def __init__(self, preset: str, changes: str = ""):
        self.asked = get_preset(preset, changes)
        self.build, self.figures = build_dir(self.asked.name), figures_dir(self.asked.name)

    @cached_property
    def faces(self) -> FaceTable:
        """The face table that notebook 01 left."""
        return load_facetable(self.build / "faces.parquet")

    @cached_property
    def preset(self) -> Preset:
        """The preset with the emotions that occur in these faces."""
        return for_faces(self.asked, self.faces)

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """The verification pairs that notebook 01 left; may be empty."""
        return parsed(self.build / "pairs.parquet", made_by("01_data_prep"), pd.read_parquet)

    @cached_property
    def splits(self) -> list[Split]:
        """Who trains, validates and is tested, as notebook 01 dealt them."""
        return load_splits(self.build / "splits.parquet", self.faces)

    @cached_property
    def embedded(self) -> list[EmbeddingSet]:
        """The backbone's embeddings, and the upper bound's where the preset has one: extracted once, then loaded."""
        names = filter(None, (self.asked.backbone, self.asked.ceiling))
        return embed_all(self.faces, [get_backbone(name) for name in names])

    @cached_property
    def x(self) -> Representation:
        """The backbone's embedding: where the frontier starts."""
        return Representation.of("x", self.embedded[0].x, 0.0)

    @cached_property
    def ceilings(self) -> list[Representation]:
        """The upper bound of what a probe can predict from the faces: the pixels, say; none in some presets."""
        return [Representation.of(self.asked.ceiling.rstrip("0123456789"), set_.x) for set_ in self.embedded[1:]]

    @property
    def hidden(self) -> np.ndarray:
        """The emotion of every image, missing where it is not known or the blinders do not tell it apart: (N,)."""
        emotion = self.faces.frame["emotion"]
        return emotion.where(emotion.isin(self.preset.blinded), None).to_numpy()
