"""Every size, source, seed and hyper-parameter of a run, each with its source or "our choice, because"."""

from dataclasses import dataclass

from blindlib.errors import InputError


@dataclass(frozen=True)
class SensitiveNetsConfig:
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
class LNTLConfig:
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
class ProbeConfig:
    """How an attacker is trained and tuned on validation people; see `blindlib.probes`."""

    nn_hidden: tuple[int, ...] = (64, 256)  # protocol B; our choice
    nn_epochs: int = 100  # both protocols; FairCVtest's code
    svm_c: tuple[float, ...] = (0.3, 1.0, 3.0)  # protocol B; around scikit-learn's default 1
    rf_trees: int = 200  # protocol B; our choice, twice scikit-learn's default
    rf_leaf: tuple[int, ...] = (1, 5)  # protocol B; our choice around scikit-learn's default 1


@dataclass(frozen=True)
class SynthConfig:
    """How many people and photographs each role of SynthFaces has; see `blindlib.synthfaces.roles`."""

    demographics: int = 600  # people, a multiple of 6; DiveFace's balanced training set has 24,000
    demographics_images: int = 4  # of each; DiveFace: 3 or more
    emotion: int = 230  # subjects; as CFEE
    folds: int = 10  # as LFW, View 2
    fold_people: int = 60  # our choice: 600 people, as many as View 2's order of size
    verification_images: int = 4  # of each; LFW: 2.3
    fold_pairs: int = 300  # of each kind in each fold; as LFW
    attractive: int = 1500  # people; CelebA: 10,177
    attractive_images: int = 4  # of each; CelebA: 20


@dataclass(frozen=True)
class Preset:
    """One complete run.

    Attributes
    ----------
    name, dataset, backbone, kind, ceiling : str
        `dataset` is `drawn` or `lfw`; `ceiling` is the backbone of pixels;
        `kind` is what its emotion labels count as in a table.
    emotions : tuple of str
        The classes of the emotion task.
    rotations : int
        Subject-disjoint rotations of who is tested: every person is a test subject once.
    seeds : tuple of int
        Each seed deals the people anew within every rotation; its heads see other batches and other people.
    shares : tuple of float
        Of the people who are not tested: those who train the blinder, those who validate, those who train probes.
    id_budget : float
        Largest Diff of validation verification, in percent, that a chosen λ may cost.
    """

    name: str
    dataset: str
    backbone: str
    kind: str
    ceiling: str = "pixels32"  # our choice: the pixels beside which x is read
    emotions: tuple[str, ...] = ("neutral", "happiness")
    rotations: int = 5  # the pack has five of View 2's folds; the full set's ten give two folds a rotation
    seeds: tuple[int, ...] = (0, 1)  # our choice: the rotations bring the intervals, a second seed their stability
    shares: tuple[float, float, float] = (0.45, 0.20, 0.35)  # our choice: blinder and probes need people most
    id_budget: float = 3.0  # our choice: claim C1 allows 5 on test people, 3 leaves room
    sensitivenets: SensitiveNetsConfig = SensitiveNetsConfig()
    lntl: LNTLConfig = LNTLConfig()
    probes: ProbeConfig = ProbeConfig()
    drawn_people: int = 0  # only for the drawn data set
    drawn_pairs: int = 0  # same and different pairs of each fold


_TINY = {"hidden": 16, "rounds": 3, "head_steps": 20, "identities": 8, "expressions": 8}

PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            "drawn",
            "pixels16",
            "synthetic",
            emotions=("neutral", "happiness", "surprise"),
            seeds=(0,),
            drawn_people=100,
            drawn_pairs=12,
            sensitivenets=SensitiveNetsConfig(strengths=(0.0, 1.0), detector=(16,), detector_steps=40, **_TINY),
            lntl=LNTLConfig(strengths=(0.0, 1.0), predictor=(16,), **_TINY),
            probes=ProbeConfig(nn_hidden=(16,), nn_epochs=200, svm_c=(1.0,), rf_trees=30, rf_leaf=(1,)),
        ),
        Preset("open", "lfw", "dlib", "substitute"),
    )
}


def get_preset(name: str) -> Preset:
    """A preset by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in PRESETS:
        raise InputError("preset", f"there is no preset {name!r}", f"use one of {', '.join(PRESETS)}")
    return PRESETS[name]
