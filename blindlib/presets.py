"""Every size, source, seed and hyper-parameter of a run, each with its source or "our choice, because"."""

import os
from dataclasses import dataclass, replace

from blindlib.errors import InputError
from blindlib.facetable import BASIC_EMOTIONS, EMOTIONS, FaceTable
from blindlib.ranges import Checked


@dataclass(frozen=True)
class SensitiveNetsConfig(Checked):
    """How φ_SN is trained; see `blindlib.sensitivenets`."""

    strengths: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)  # λ; our choice: from no penalty to penalty only
    target: str = "neutral"  # the one class of the penalty; the poster names none, SensitiveNets fixes one
    margin: float = 0.2  # α; FaceNet's value for squared distances of unit-norm embeddings
    hidden: int = 128  # our choice: the width of dlib's embedding
    detector: tuple[int, ...] = (64, 64)  # three layers, as a public use of the penalty has
    rounds: int = 10  # our choice: by then the validation curves are flat
    detector_steps: int = 150  # our choice: a fresh detector's training accuracy levels off before
    head_steps: int = 60  # our choice: few, so that the detector is never far behind the head
    identities: int = 32  # P; our choice
    images: int = 2  # K; most people of LFW with more than one image have two
    expressions: int = 32  # images of each expression in a step of the penalty; our choice, balanced
    rate: float = 3e-4  # our choice: of 1e-3 and 3e-4 the one that cost validation people less identity
    decay: float = 0.1  # decoupled; our choice: a light pull to the identity map


@dataclass(frozen=True)
class LNTLConfig(Checked):
    """How φ_LNTL is trained; see `blindlib.lntl`."""

    strengths: tuple[float, ...] = (0.0, 0.1, 0.3, 1.0, 3.0, 10.0)  # reversal scale; the authors' code has 0.1
    entropy_share: float = 0.1  # λ of the entropy term over the reversal scale; the authors' 0.01 / 0.1
    hidden: int = 128  # as SensitiveNets
    predictor: tuple[int, ...] = (64, 64)  # h; as SensitiveNets' detector, so that the two differ in method alone
    rounds: int = 10  # as SensitiveNets
    head_steps: int = 100  # our choice: more than SensitiveNets, as the predictor learns in the same steps
    identities: int = 32  # as SensitiveNets
    images: int = 2  # as SensitiveNets
    expressions: int = 32  # as SensitiveNets
    rate: float = 3e-4  # as SensitiveNets
    decay: float = 0.1  # as SensitiveNets
    predictor_rate: float = 3e-3  # g and h; our choice: ten times the head's, so that the adversary keeps up


@dataclass(frozen=True)
class ProbeConfig(Checked):
    """How an attacker is trained and tuned on validation people; see `blindlib.probes`."""

    nn_hidden: tuple[int, ...] = (64, 256)  # protocol B; our choice
    nn_epochs: int = 100  # both protocols; FairCVtest's code
    svm_c: tuple[float, ...] = (0.3, 1.0, 3.0)  # protocol B; around scikit-learn's default 1
    rf_trees: int = 200  # protocol B; our choice, twice scikit-learn's default
    rf_leaf: tuple[int, ...] = (1, 5)  # protocol B; our choice around scikit-learn's default 1


@dataclass(frozen=True)
class SynthConfig(Checked):
    """How many people and photographs each role of SynthFaces has; see `blindlib.synthfaces.roles`."""

    demographics: int = 480  # people, a multiple of 6; DiveFace's balanced training set has 24,000
    demographics_images: int = 4  # of each; DiveFace: 3 or more
    emotion: int = 230  # subjects; as CFEE
    folds: int = 10  # as LFW, View 2
    fold_people: int = 50  # our choice: 4 images of each make 300 pairs of one person
    verification_images: int = 4  # of each; LFW: 2.3
    fold_pairs: int = 300  # of each kind in each fold; as LFW
    attractive: int = 1000  # people; CelebA: 10,177
    attractive_images: int = 4  # of each; CelebA: 20
    inspected: int = 1000  # faces shown to dlib's detector; the number asked of us
    recognised: int = 30  # people of the emotion role shown to dlib's recogniser, seven photographs each


@dataclass(frozen=True)
class FairnessConfig(Checked):
    """Table 2: attractiveness under expression bias; see `blindlib.fairness`."""

    bias: float = 0.70  # share of the attractive who smile, and of the unattractive who do not; the poster
    biases: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9)  # of the sweep; our choice around the poster's 0.7
    train: int = 1200  # images, at every bias; the poster: 40,000 of CelebA
    inverse_penalties: tuple[float, ...] = (0.003, 0.03)  # C, chosen on validation people; our choice: strong, as
    # there are few images for 256 dimensions


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
        Subject-disjoint rotations of who is tested: every person is a test subject once.
    seeds : tuple of int
        Each seed deals the people anew and trains other heads.
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
    shares: tuple[float, float, float] = (0.45, 0.20, 0.35)  # our choice: blinder and probes need people most
    id_budget: float = 3.0  # our choice: claim C1 allows 5 on test people, 3 leaves room
    sensitivenets: SensitiveNetsConfig = SensitiveNetsConfig()
    lntl: LNTLConfig = LNTLConfig()
    probes: ProbeConfig = ProbeConfig()
    fairness: FairnessConfig = FairnessConfig()
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
        Preset("paper-smoke", "compactnet", _PAPER_SOURCES, **_SMOKE),
    )
}


def get_preset(name: str) -> Preset:
    """A preset by its name; `BLINDLIB_BACKBONE`, where it is set, replaces the backbone of one that reads files.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError("preset", f"there is no preset {name!r}", f"use one of {', '.join(PRESETS)}")
    preset, backbone = PRESETS[name], os.environ.get("BLINDLIB_BACKBONE")
    return replace(preset, backbone=backbone) if backbone and preset.sources else preset


def for_faces(preset: Preset, faces: FaceTable) -> Preset:
    """A preset with the expressions that occur in these faces: no data set has all.

    Raises
    ------
    InputError
        If the expressions that are here lack the penalty's class.
    """
    here = set(faces.frame["emotion"].dropna())
    if not here:
        return preset
    return replace(
        preset,
        emotions=tuple(e for e in preset.emotions if e in here),
        blinded=tuple(e for e in preset.blinded if e in here),
    )
