"""What a run can vary, by part: every number with its range, and its source or "our choice, because"."""

from dataclasses import dataclass, fields

from blindlib.common.errors import InputError

BASIC_EMOTIONS = ("happiness", "sadness", "fear", "anger", "surprise", "disgust")
COMPOUND_EMOTIONS = (  # of CFEE: Du, Tao & Martínez 2014
    "happily surprised",
    "happily disgusted",
    "sadly fearful",
    "sadly angry",
    "sadly surprised",
    "sadly disgusted",
    "fearfully angry",
    "fearfully surprised",
    "fearfully disgusted",
    "angrily surprised",
    "angrily disgusted",
    "disgustedly surprised",
    "appalled",
    "hatred",
    "awed",
)
EMOTIONS = ("neutral", *BASIC_EMOTIONS, "contempt", *COMPOUND_EMOTIONS)
GENDERS = ("female", "male")
ATTRIBUTES = ("emotion", "gender", "ethnicity", "smiling", "attractive")
DATA_ROLES = {  # what people are needed for, and the labels that a data set in that role tells
    "verification": (),
    "demographics": ("gender", "ethnicity"),
    "emotion": ("emotion",),
    "attractive": ("smiling", "attractive"),
}

RANGES = {  # field -> smallest and largest value that makes sense, of the number or of each in a tuple
    "strengths": (0.0, 1e3),
    "margin": (0.0, 4.0),
    "hidden": (1, 4096),
    "rounds": (1, 1000),
    "detector_steps": (1, 10**5),
    "head_steps": (1, 10**5),
    "identities": (2, 4096),
    "images": (2, 64),
    "expressions": (1, 4096),
    "rate": (1e-7, 1.0),
    "decay": (0.0, 10.0),
    "predictor_rate": (1e-7, 1.0),
    "entropy_share": (0.0, 10.0),
    "nn_epochs": (1, 10**4),
    "svm_c": (1e-6, 1e6),
    "rf_trees": (1, 10**4),
    "rf_leaf": (1, 1000),
    "rotations": (2, 100),
    "seeds": (0, 2**31),
    "shares": (0.01, 0.98),
    "id_budget": (0.0, 100.0),
    "demographics": (12, 10**6),
    "demographics_images": (2, 1000),
    "emotion": (8, 10**6),
    "folds": (2, 100),
    "fold_people": (4, 10**5),
    "verification_images": (2, 1000),
    "fold_pairs": (2, 10**5),
    "attractive": (20, 10**6),
    "attractive_images": (1, 1000),
    "inspected": (1, 10**6),
    "recognised": (2, 10**6),
    "biases": (0.5, 0.95),
    "bias": (0.5, 0.95),
    "train": (40, 10**6),
    "inverse_penalties": (1e-6, 1e6),
}


class Checked:
    """A dataclass whose numbers are held against `RANGES` when it is made; `InputError` names the one outside."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES.get(field.name, (None, None))
            for number in value if isinstance(value, tuple) else (value,):
                if low is not None and not low <= number <= high:
                    raise InputError(
                        f"{type(self).__name__}.{field.name}", f"is {number}", f"use a value of {low} to {high}"
                    )


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
