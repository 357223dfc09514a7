"""The complete runs: which data, which backbone, which seeds, and where they depart from the defaults of configs.py."""

from dataclasses import dataclass, field, replace

from blindlib.common.errors import InputError
from blindlib.settings import (
    BASIC_EMOTIONS,
    COMPOUND_EMOTIONS,
    EMOTIONS,
    Checked,
    FairnessConfig,
    LNTLConfig,
    ProbeConfig,
    SensitiveNetsConfig,
    SynthConfig,
)


@dataclass(frozen=True)
class Preset(Checked):
    """One complete run.

    Attributes
    ----------
    name, backbone : str
    sources : dict of str to tuple of str
        For each role the data sets that may fill it, the preferred one first; the first that is here is taken. Empty
        for SynthFaces.
    ceiling : str
        The backbone of pixels.
    emotions : tuple of str
        The classes of the emotion probes.
    blinded : tuple of str
        The expressions that the blinders' detectors tell apart: the probes' and the penalty's target class.
    rotations : int
        Subject-disjoint rotations of who is tested; see `splits.deal`.
    seeds : tuple of int
        Each seed deals the people anew and trains other heads.
    everything : bool
        All of DiveFace and CFEE's compound expressions too, not the balanced and basic part.
    crossed : bool
        Whether every seed has all rotations. Otherwise the k-th seed tests the k-th rotation, so that intervals over
        seeds are intervals over people too.
    shares : tuple of float
        Of the people who are not tested: those who train the blinder, those who validate, those who train probes.
    id_budget : float
        Largest Diff of validation verification, in percent, that a chosen λ may cost.
    synth : SynthConfig or None
        Only for SynthFaces.
    """

    name: str
    backbone: str
    sources: dict | None = None
    ceiling: str = "pixels32"  # our choice: the pixels beside which x is read
    emotions: tuple[str, ...] = BASIC_EMOTIONS  # the poster's six
    blinded: tuple[str, ...] = ("neutral", *BASIC_EMOTIONS)
    rotations: int = 5  # the pack has five of View 2's folds; the full set's ten give two folds a rotation
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)  # our choice: five parts of the people, five trainings
    crossed: bool = False
    everything: bool = False
    shares: tuple[float, float, float] = (0.45, 0.20, 0.35)  # our choice: blinder and probes need people most
    id_budget: float = 3.0  # our choice: claim C1 allows 5 on test people, 3 leaves room
    sensitivenets: SensitiveNetsConfig = field(default_factory=SensitiveNetsConfig)
    lntl: LNTLConfig = field(default_factory=LNTLConfig)
    probes: ProbeConfig = field(default_factory=ProbeConfig)
    fairness: FairnessConfig = field(default_factory=FairnessConfig)
    synth: SynthConfig | None = None

    def __post_init__(self):
        super().__post_init__()
        unknown = [e for e in (*self.emotions, *self.blinded) if e not in EMOTIONS]
        if unknown or not set(self.emotions) <= set(self.blinded) or self.sensitivenets.target not in self.blinded:
            raise InputError(
                f"Preset.emotions of {self.name!r}",
                f"{unknown or self.emotions} with blinded {self.blinded} and target {self.sensitivenets.target!r}",
                "name known emotions; `blinded` holds them and the penalty's target",
            )
        if not self.crossed and self.rotations != len(self.seeds):
            raise InputError(
                f"Preset.rotations of {self.name!r}",
                f"are {self.rotations} for {len(self.seeds)} seeds",
                "one rotation a seed: make them equal, or set `crossed`",
            )
        if len(set(self.seeds)) < len(self.seeds) or abs(sum(self.shares) - 1) > 1e-9:
            raise InputError(f"Preset {self.name!r}", "seeds repeat or shares do not sum to 1", "mend them")


PAPER = {"verification": "lfw", "demographics": "diveface", "emotion": "cfee", "attractive": "celeba"}
_PAPER_SOURCES = {role: (name,) for role, name in PAPER.items()}
_OPEN_SOURCES = {  # one's own photographs first, then people's labels before a machine's
    "verification": ("lfw",),
    "demographics": ("manifest", "fairface", "cremad", "lfw"),
    "emotion": ("manifest", "cremad", "lfw"),
    "attractive": ("manifest", "celeba", "lfw"),
}
_SEVEN = ("neutral", *BASIC_EMOTIONS)
# The budget of the default run, eight minutes on two cores, sets these: fewer steps, smaller batches than above.
_DEMO = {"strengths": (0.0, 0.1, 0.3, 1.0, 3.0), "rounds": 6, "expressions": 12}
_TINY = {"hidden": 16, "rounds": 2, "head_steps": 15, "identities": 8, "expressions": 8}
_SMOKE = {
    "ceiling": "pixels16",
    "rotations": 2,
    "seeds": (0, 1),
    "sensitivenets": SensitiveNetsConfig(strengths=(0.0, 1.0), detector=(16,), detector_steps=30, **_TINY),
    "lntl": LNTLConfig(strengths=(0.0, 1.0), predictor=(16,), **_TINY),
    "probes": ProbeConfig(nn_hidden=(16,), nn_epochs=150, svm_c=(1.0,), rf_trees=30, rf_leaf=(1,)),
    "fairness": FairnessConfig(biases=(0.5, 0.7), train=80, inverse_penalties=(0.01,)),
}
_SMALL_WORLD = SynthConfig(
    demographics=48,
    demographics_images=3,
    emotion=40,
    folds=4,
    fold_people=8,
    verification_images=3,
    fold_pairs=16,
    attractive=180,
    attractive_images=3,
    inspected=48,
    recognised=6,
)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("smoke", "compactnet", synth=_SMALL_WORLD, **_SMOKE),
        Preset(
            "demo",
            "compactnet",
            ceiling="pixels16",
            sensitivenets=SensitiveNetsConfig(**_DEMO),
            lntl=LNTLConfig(**_DEMO | {"rounds": 5, "rate": 1e-3}),  # of 3e-4 and 1e-3 the one that gets there in 5
            probes=ProbeConfig(nn_hidden=(64,), nn_epochs=60, svm_c=(1.0, 3.0), rf_trees=100),
            synth=SynthConfig(),
        ),
        Preset(
            "open",
            "dlib",
            _OPEN_SOURCES,
            emotions=_SEVEN,
            seeds=(0, 1),  # our choice: the rotations bring the intervals, a second seed their stability
            crossed=True,  # there are few people: all rotations of View 2 for every seed
        ),
        Preset("open-smoke", "compactnet", _OPEN_SOURCES, emotions=_SEVEN, crossed=True, **_SMOKE | {"seeds": (0,)}),
        Preset("paper", "resnet50", _PAPER_SOURCES, fairness=FairnessConfig(train=40_000)),  # the poster's 40,000
        Preset(
            "paper-full",
            "resnet50",
            _PAPER_SOURCES,
            emotions=(*_SEVEN, *COMPOUND_EMOTIONS),  # CFEE's 22 categories
            blinded=(*_SEVEN, *COMPOUND_EMOTIONS),
            everything=True,
            fairness=FairnessConfig(train=40_000),
        ),
        Preset("paper-smoke", "compactnet", _PAPER_SOURCES, **_SMOKE),
    )
}


def get_preset(name: str) -> Preset:
    """A preset by its name; `paper+dlib` is preset `paper` with the backbone `dlib`, with tables of its own.

    Raises
    ------
    InputError
        If there is none of that name, or its faces are rendered and fit one backbone only.
    """
    base, plus, backbone = name.partition("+")
    if base not in PRESETS:
        raise InputError("preset", f"there is no preset {name!r}", f"use one of {', '.join(PRESETS)}")
    if plus and PRESETS[base].synth is not None:
        raise InputError("preset", f"{name!r} asks for another backbone for rendered faces", f"use {base}")
    return replace(PRESETS[base], name=name, backbone=backbone) if plus else PRESETS[base]
