"""What a run can vary, by part: every number with its range, and its source or "our choice, because"; and the labels.

A value outside its range, an unknown name or a value of another type is refused when the setting is made: pydantic's
`ValidationError`, which is a `ValueError`.
"""

from typing import Annotated, TypeVar

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

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
DATA_ROLES = {  # what people are needed for, and the labels that a data set in that role brings
    "verification": (),
    "demographics": ("gender", "ethnicity"),
    "emotion": ("emotion",),
    "attractive": ("smiling", "attractive"),
}
# Networks, and grey pixels, by the names that a preset may ask for: those of `backbones.registry`.
BACKBONES = ("compactnet", "dlib", "resnet50", "sface", "pixels16", "pixels32")
ERASERS = ("LEACE", "INLP", "NAP", "Obliviator", "PCA", "random")  # those of `blinders.erasers`
FROZEN = ConfigDict(extra="forbid")


def between(low: float, high: float) -> object:
    """The range of a number, both ends included; True is no number."""
    return Field(ge=low, le=high, strict=True)


Flag = Annotated[bool, Field(strict=True)]  # a text such as "on" is none
T = TypeVar("T")
Some = Annotated[tuple[T, ...], Field(min_length=1)]
Strength = Annotated[float, between(0, 1e3)]
Width = Annotated[int, between(1, 4096)]
Rate = Annotated[float, between(1e-7, 1e3)]
Bias = Annotated[float, between(0.5, 0.95)]
Seed = Annotated[int, between(0, 2**31)]
Share = Annotated[float, between(0.01, 0.98)]
Penalty = Annotated[float, between(1e-6, 1e6)]


@dataclass(frozen=True, config=FROZEN)
class HeadSettings:
    """What training φ_SN and φ_LNTL has in common, so that the two differ in method alone; each adds its strengths."""

    hidden: Width = 256  # our choice: half of them linear; with 128 a planted leak stayed
    residual: Flag = True  # whether φ starts as the identity map and adds to x; else a plain network, an ablation
    keep_norm: Flag = True  # whether φ(x) is scaled back to the norm of x; else an ablation
    head_steps: Annotated[int, between(1, 10**5)] = 100  # of a round; our choice
    # A ceiling: training ends when `patience` looks at validation people have brought nothing better; without
    # validation people it goes up to here.
    rounds: Annotated[int, between(1, 1000)] = 20
    look: Annotated[int, between(1, 1000)] = 1  # rounds from one look at validation people to the next; our choice
    patience: Annotated[int, between(1, 100)] = 4  # our choice
    identities: Annotated[int, between(2, 4096)] = 32  # P; our choice
    images: Annotated[int, between(2, 64)] = 2  # K; most people of LFW with more than one image have two
    per_class: Annotated[int, between(1, 4096)] = 32  # images of each class to hide in a step; our choice, balanced
    rate: Rate = 3.0  # SGD with momentum 0.9, as LNTL's code has, at 0.01; ours by people of another world
    detector: tuple[Width, ...] = (64, 64)  # three layers, as a public use of SensitiveNets' penalty has
    detector_rate: Rate = 3e-3  # AdamW; our choice: the detector keeps up with the head
    means: Flag = True  # whether the class means are adversaries; without them, an ablation
    network: Flag = True  # whether a network is an adversary; without it, an ablation


@dataclass(frozen=True, config=FROZEN)
class SensitiveNetsSettings(HeadSettings):
    """How φ_SN is trained; see `blindlib.blinders.sensitivenets`."""

    strengths: tuple[Strength, ...] = (0.0, 0.3, 1.0, 3.0, 10.0)  # λ; our choice: up to where identity breaks
    target: str | None = None  # the one class of the penalty, as SensitiveNets fixes one; None is the most frequent
    margin: Annotated[float, between(0, 4)] = 0.2  # α; FaceNet's value for squared distances of unit-norm embeddings
    # An ablation: detectors that begin anew in every round, learn for so many steps, and are frozen while the head
    # flees them. 0 keeps one detector and lets it learn in every step.
    anew: Annotated[int, between(0, 10**5)] = 0


@dataclass(frozen=True, config=FROZEN)
class LNTLSettings(HeadSettings):
    """How φ_LNTL is trained; see `blindlib.blinders.lntl`. λ is the reversal's scale; the authors' code has 0.1."""

    strengths: tuple[Strength, ...] = (0.0, 0.01, 0.03, 0.1, 0.3)  # λ; our choice: up to where identity breaks
    entropy_share: Annotated[float, between(0, 10)] = 0.1  # entropy's λ over the reversal scale; authors: 0.01 / 0.1


@dataclass(frozen=True, config=FROZEN)
class CentreLossSettings(HeadSettings):
    """Set how the head with a centre loss is trained; see `blindlib.appendix.centre_loss`."""

    strengths: tuple[Strength, ...] = (0.0, 0.03)  # λ; our choice, by validation people, of 0.03, 0.1, 0.2 and 0.3
    margin: Annotated[float, between(0, 4)] = 0.2  # α, as for SensitiveNets


@dataclass(frozen=True, config=FROZEN)
class ProbeSettings:
    """Set how probes are trained; steps, rate, decay, C and leaf by `make tune`. See `blindlib.evaluate.probes`."""

    nn_hidden: tuple[Width, ...] = (128, 64)  # as deep as the adversaries that heads are trained against; our choice
    nn_steps: Annotated[int, between(4, 10**6)] = 960
    nn_rate: Rate = 1e-2
    nn_decay: Annotated[float, between(0, 100)] = 1.0
    svm_c: Some[Penalty] = (10.0,)
    rf_trees: Annotated[int, between(1, 10**4)] = 100  # scikit-learn's default
    rf_leaf: Some[Annotated[int, between(1, 1000)]] = (10,)
    rf_features: Annotated[float, between(0.001, 1)] = 0.03  # share of the dimensions that a cut looks at


@dataclass(frozen=True, config=FROZEN)
class SynthSettings:
    """How many people and photographs each role of SynthFaces has; see `blindlib.synthfaces.roles`."""

    seed: Seed = 0  # of the world: who exists. A preset's seeds deal these people and train on them
    demographics: Annotated[int, between(12, 10**6)] = 960  # people, a multiple of 6; DiveFace's balanced set: 24,000
    demographics_images: Annotated[int, between(2, 1000)] = 3  # of each; DiveFace: 3 or more
    emotion: Annotated[int, between(8, 10**6)] = 1200  # subjects; CFEE: 230. 500 and more train attackers
    folds: Annotated[int, between(2, 100)] = 10  # as LFW, View 2
    fold_people: Annotated[int, between(4, 10**5)] = 80  # our choice: 4 images of each make 480 pairs of one person
    verification_images: Annotated[int, between(2, 1000)] = 4  # of each; LFW: 2.3
    fold_pairs: Annotated[int, between(2, 10**5)] = 480  # of each kind in each fold; LFW: 300
    attractive: Annotated[int, between(20, 10**6)] = 3000  # people, so that C7 is decided; CelebA: 10,177
    attractive_images: Annotated[int, between(1, 1000)] = 3  # of each; CelebA: 20
    inspected: Annotated[int, between(1, 10**6)] = 300  # faces shown to dlib's detector; our choice
    recognised: Annotated[int, between(2, 10**6)] = 30  # posed people shown to dlib's recogniser, seven pictures each


CEILINGS = ("pixels",)  # upper bounds beside x: what a probe can predict from the face at all
UNBIASED = 0.5  # the bias of an unbiased training set: half of the attractive smile, and half of the others


@dataclass(frozen=True, config=FROZEN)
class FairnessSettings:
    """Table 2: attractiveness under expression bias; see `blindlib.evaluate.fairness`."""

    bias: Bias = 0.70  # share of the attractive who smile, and of the unattractive who do not; the paper
    train: Annotated[int, between(40, 10**6)] = 1600  # images, at every bias; the paper: 40,000 of CelebA
    draws: Annotated[int, between(1, 100)] = 6  # training sets of a rotation at each bias; our choice: the gap of one
    # set is as uncertain by who stands in it as by who is tested
    inverse_penalties: Some[Penalty] = (0.003, 0.03)  # C, chosen on validation people; our choice: a strong
    # penalty, as there are few images for 256 dimensions
    swept_penalties: Some[Penalty] = (0.003, 0.03, 0.3, 3.0, 30.0, 100.0)  # of the figure that varies C
