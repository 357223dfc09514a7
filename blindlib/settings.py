"""Define the settings of a run, each with its range and its source or "our choice, because", and the labels.

A value out of range or of another type, or an unknown name, raises pydantic's `ValidationError`, a `ValueError`.
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
DATA_ROLES = {  # role of a data set: the labels that it provides
    "verification": (),
    "demographics": ("gender", "ethnicity"),
    "emotion": ("emotion",),
    "attractive": ("smiling", "attractive"),
}
# Networks, and grey pixels, by the names that presets use: those of `backbones.registry`.
BACKBONES = ("compactnet", "dlib", "resnet50", "sface", "pixels16", "pixels32")
ERASERS = ("LEACE", "INLP", "NAP", "Obliviator", "PCA", "random")  # those of `blinders.erasers`
FROZEN = ConfigDict(extra="forbid")


def between(low: float, high: float) -> object:
    """Return the range of a number, both ends included; booleans are rejected."""
    return Field(ge=low, le=high, strict=True)


Flag = Annotated[bool, Field(strict=True)]  # rejects text such as "on"
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
    """Set how φ_SN and φ_LNTL are trained alike, so that only the method differs; each adds its own λ."""

    hidden: Width = 256  # our choice: half of them linear; with 128 a planted leak stayed
    residual: Flag = True  # whether φ starts as the identity map and adds to x; else a plain network, an ablation
    keep_norm: Flag = True  # whether φ(x) is scaled back to the norm of x; else an ablation
    head_steps: Annotated[int, between(1, 10**5)] = 100  # of an epoch; our choice
    # The most epochs. Early stopping ends training after `patience` validation steps without gain; without validation
    # subjects all epochs are trained.
    rounds: Annotated[int, between(1, 1000)] = 20
    look: Annotated[int, between(1, 1000)] = 1  # epochs from one validation step to the next; our choice
    patience: Annotated[int, between(1, 100)] = 4  # our choice
    identities: Annotated[int, between(2, 4096)] = 32  # P; our choice
    images: Annotated[int, between(2, 64)] = 2  # K; most subjects of LFW with more than one image have two
    per_class: Annotated[int, between(1, 4096)] = 32  # images of each class to hide in a step; our choice, balanced
    rate: Rate = 3.0  # SGD with momentum 0.9, as LNTL's code, which has 0.01; ours by development subjects
    detector: tuple[Width, ...] = (64, 64)  # three layers, as in a public use of SensitiveNets' penalty
    detector_rate: Rate = 3e-3  # AdamW; our choice: the adversary keeps up with the head
    means: Flag = True  # whether the class means are adversaries; without them, an ablation
    network: Flag = True  # whether a network is an adversary; without it, an ablation


@dataclass(frozen=True, config=FROZEN)
class SensitiveNetsSettings(HeadSettings):
    """Set how φ_SN is trained; see `blindlib.blinders.sensitivenets`."""

    strengths: tuple[Strength, ...] = (0.0, 0.3, 1.0, 3.0, 10.0)  # λ; our choice: up to where verification fails
    target: str | None = None  # the one class of the penalty, as SensitiveNets fixes one; None is the most frequent
    margin: Annotated[float, between(0, 4)] = 0.2  # α; FaceNet's value for squared distances of unit-norm embeddings
    # An ablation: new adversaries in every epoch, trained for so many steps, and frozen while the head learns. 0 keeps
    # one adversary, which learns in every step.
    anew: Annotated[int, between(0, 10**5)] = 0


@dataclass(frozen=True, config=FROZEN)
class LNTLSettings(HeadSettings):
    """Set how φ_LNTL is trained; see `blindlib.blinders.lntl`. λ weights the reversal; the authors' code has 0.1."""

    strengths: tuple[Strength, ...] = (0.0, 0.01, 0.03, 0.1, 0.3)  # λ; our choice: up to where verification fails
    entropy_share: Annotated[float, between(0, 10)] = 0.1  # λ_e / λ; authors: 0.01 / 0.1


@dataclass(frozen=True, config=FROZEN)
class CentreLossSettings(HeadSettings):
    """Set how the head with a centre loss is trained; see `blindlib.appendix.centre_loss`."""

    strengths: tuple[Strength, ...] = (0.0, 0.03)  # λ; selected on validation subjects from 0.03, 0.1, 0.2 and 0.3
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
    rf_features: Annotated[float, between(0.001, 1)] = 0.03  # share of the dimensions that a tree's split considers


@dataclass(frozen=True, config=FROZEN)
class SynthSettings:
    """Set the number of subjects and images in each role of SynthFaces; see `blindlib.synthfaces.roles`."""

    seed: Seed = 0  # of the rendered subjects. A preset's seeds divide these subjects and train on them
    demographics: Annotated[int, between(12, 10**6)] = 960  # subjects, a multiple of 6; DiveFace's balanced set: 24,000
    demographics_images: Annotated[int, between(2, 1000)] = 3  # of each; DiveFace: 3 or more
    emotion: Annotated[int, between(8, 10**6)] = 1200  # subjects; CFEE: 230. More than 500 train probes
    folds: Annotated[int, between(2, 100)] = 10  # as LFW, View 2
    fold_people: Annotated[int, between(4, 10**5)] = 80  # our choice: 4 images of each make 480 pairs of one subject
    verification_images: Annotated[int, between(2, 1000)] = 4  # of each; LFW: 2.3
    fold_pairs: Annotated[int, between(2, 10**5)] = 480  # of each kind in each fold; LFW: 300
    attractive: Annotated[int, between(20, 10**6)] = 3000  # subjects, enough to decide claim C7; CelebA: 10,177
    attractive_images: Annotated[int, between(1, 1000)] = 3  # of each; CelebA: 20
    inspected: Annotated[int, between(1, 10**6)] = 300  # images for dlib's face detector; our choice
    recognised: Annotated[int, between(2, 10**6)] = 30  # posed subjects for dlib's recogniser, seven images each


CEILINGS = ("pixels",)  # upper bounds of probe accuracy, beside x
UNBIASED = 0.5  # the bias of an unbiased training set: half of the attractive smile, and half of the others


@dataclass(frozen=True, config=FROZEN)
class FairnessSettings:
    """Set Table 2, attractiveness under expression bias; see `blindlib.evaluate.fairness`."""

    bias: Bias = 0.70  # share of the attractive who smile, and of the unattractive who do not; the paper
    train: Annotated[int, between(40, 10**6)] = 1600  # images, at every bias; the paper: 40,000 of CelebA
    draws: Annotated[int, between(1, 100)] = 6  # training sets of a rotation at each bias; our choice: the gap depends
    # as much on the training set as on the test subjects
    inverse_penalties: Some[Penalty] = (0.003, 0.03)  # C, selected on validation subjects; our choice: a strong
    # penalty, as there are few images for 256 dimensions
    swept_penalties: Some[Penalty] = (0.003, 0.03, 0.3, 3.0, 30.0, 100.0)  # of the figure that varies C
