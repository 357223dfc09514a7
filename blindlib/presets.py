"""Define the presets, complete runs: data, backbone, seeds, and departures from the defaults of settings.py."""

import ast
import hashlib
import re
from dataclasses import fields, is_dataclass, replace
from difflib import get_close_matches
from typing import Annotated, Literal

from pydantic import ValidationError
from pydantic.dataclasses import dataclass

from blindlib.common.errors import InputError
from blindlib.settings import (
    BACKBONES,
    BASIC_EMOTIONS,
    COMPOUND_EMOTIONS,
    EMOTIONS,
    ERASERS,
    FROZEN,
    CentreLossSettings,
    FairnessSettings,
    Flag,
    LNTLSettings,
    ProbeSettings,
    Seed,
    SensitiveNetsSettings,
    Share,
    Some,
    SynthSettings,
    between,
)

SEVEN = ("neutral", *BASIC_EMOTIONS)


@dataclass(frozen=True, config=FROZEN)
class Preset:
    """Define one complete run."""

    name: str  # of its folders in `build/` and `figures/`
    backbone: str
    sources: dict[str, tuple[str, ...]] | None = None  # data sets of each role; the first available one is used
    ceiling: str | None = "pixels32"  # the backbone whose probes give an upper bound beside x; our choice
    emotions: Some[str] = BASIC_EMOTIONS  # the classes of the emotion probes; the paper's six
    blinded: Some[str] = SEVEN  # the classes of the adversaries: the emotions, and the target of the penalty
    # Names in `blinders.erasers`, or `module:Class`.
    erasers: tuple[str, ...] = ("LEACE",)  # in Table 1; the appendix has the others
    rotations: Annotated[int, between(2, 100)] = 5  # of the test subjects; View 2 has ten folds, LFW's public subset 5
    seeds: Some[Seed] = (0, 1, 2, 3, 4)  # each divides the subjects again and trains other heads; our choice: five
    # Whether every seed has all rotations. Otherwise the k-th seed tests the k-th rotation, so that intervals over
    # seeds are intervals over subjects too.
    crossed: Flag = False
    everything: Flag = False  # all of DiveFace and CFEE's compound emotions too, not the balanced and basic part
    # Of the subjects not tested: those that train the head, validate, and train probes.
    shares: tuple[Share, Share, Share] = (0.45, 0.20, 0.35)  # our choice: heads and probes need the most subjects
    bits: Literal[4, 6, 8] | None = 6  # of the released φ; chosen by `make tune`
    # The largest Diff of validation verification, in percent, of a selected λ.
    id_budget: Annotated[float, between(0, 100)] = 3.0  # our choice: claim C1 allows 5 on test subjects
    sensitivenets: SensitiveNetsSettings = SensitiveNetsSettings(target="neutral")
    lntl: LNTLSettings = LNTLSettings()
    centre_loss: CentreLossSettings = CentreLossSettings()  # in the appendix
    probes: ProbeSettings = ProbeSettings()
    fairness: FairnessSettings = FairnessSettings()
    synth: SynthSettings | None = None  # of SynthFaces, which need no `sources`
    changed: str = ""  # the changed settings, as `name=value; name=value`

    def __post_init__(self):
        if self.ceiling not in (None, *BACKBONES):
            raise ValueError(f"ceiling: there is no backbone {self.ceiling!r}, use one of {', '.join(BACKBONES)}")
        target, names = self.sensitivenets.target, (*self.emotions, *self.blinded)
        twice = any(len(set(each)) < len(each) for each in (self.emotions, self.blinded))
        outside = set(names) - set(EMOTIONS) or set(self.emotions) - set(self.blinded)
        if twice or outside or target not in (None, *self.blinded):
            raise ValueError(
                f"Preset.emotions of {self.name!r} are {self.emotions}, blinded {self.blinded}, the target {target!r}: "
                "name known emotions, each once; `blinded` holds them and the penalty's target"
            )
        foreign = [name for name in self.erasers if name not in ERASERS and not re.fullmatch(r"[\w.]+:\w+", name)]
        if foreign or len(set(self.erasers)) < len(self.erasers):
            raise ValueError(f"erasers are {self.erasers}: each once, of {', '.join(ERASERS)} or module:Class")
        if not self.crossed and self.rotations != len(self.seeds):
            raise ValueError(
                f"Preset.rotations of {self.name!r} are {self.rotations} for {len(self.seeds)} seeds; it takes one "
                "rotation a seed: make them equal, or set `crossed`"
            )
        for part in (self.sensitivenets, self.lntl, self.centre_loss):
            rising = sorted({0.0, *part.strengths})
            if len(rising) < 2 or list(part.strengths) != rising:
                raise ValueError(f"strengths are {part.strengths}: 0 comes first, then one or more that rise")
        if len(set(self.seeds)) < len(self.seeds) or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"Preset {self.name!r}: its seeds repeat, or its shares do not sum to 1")

    @property
    def title(self) -> str:
        """Return the title of tables and figures: the preset, and its changed settings."""
        base = self.name.partition("~")[0]
        return f"{base} with {self.changed}" if self.changed else base


PAPER = {"verification": "lfw", "demographics": "diveface", "emotion": "cfee", "attractive": "celeba"}
_PAPER_SOURCES = {role: (name,) for role, name in PAPER.items()}
_OPEN_SOURCES = {  # the user's photographs first, then labels by people before those by a machine
    "verification": ("lfw",),
    "demographics": ("manifest", "fairface", "lfw"),
    "emotion": ("manifest", "lfw"),
    "attractive": ("manifest", "celeba", "lfw"),
}
DATA_SETS = set(PAPER.values()).union(*_OPEN_SOURCES.values())
_TINY = {"strengths": (0.0, 1.0), "hidden": 16, "rounds": 2, "head_steps": 15, "identities": 8, "per_class": 8}
_SMOKE = {
    "ceiling": "pixels16",
    "rotations": 2,
    "seeds": (0, 1),
    "sensitivenets": SensitiveNetsSettings(target="neutral", detector=(16,), **_TINY),
    "lntl": LNTLSettings(detector=(16,), **_TINY | {"strengths": (0.0, 0.1), "rate": 0.03}),  # a larger rate diverges
    "centre_loss": CentreLossSettings(**_TINY),
    "probes": ProbeSettings(nn_hidden=(16,), nn_steps=60, rf_trees=30),
    "fairness": FairnessSettings(train=80, inverse_penalties=(0.01,), swept_penalties=(0.01, 1.0)),
}
_SMALL_WORLD = SynthSettings(
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
    recognised=3,
)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("smoke", "compactnet", synth=_SMALL_WORLD, **_SMOKE | {"ceiling": None}),
        Preset(
            "demo",
            "compactnet",
            ceiling=None,
            shares=(0.25, 0.20, 0.55),  # 240 posed subjects for a head, as CFEE has; 528 for the probes
            # λ, rates and bits: `make tune`, on development subjects; every setting tried is in tuned.csv
            sensitivenets=SensitiveNetsSettings(target="neutral", strengths=(0.0, 3.0), rate=6.0, per_class=16),
            lntl=LNTLSettings(strengths=(0.0, 0.3), rate=3.0, per_class=16),
            synth=SynthSettings(),
        ),
        Preset(
            "open",
            "dlib",
            _OPEN_SOURCES,
            emotions=SEVEN,
            seeds=(0, 1),  # our choice: intervals come from the rotations, a second seed shows stability
            crossed=True,  # with few subjects, every seed has all rotations of View 2
        ),
        Preset("open-smoke", "compactnet", _OPEN_SOURCES, emotions=SEVEN, crossed=True, **_SMOKE | {"seeds": (0,)}),
        Preset("paper", "resnet50", _PAPER_SOURCES, fairness=FairnessSettings(train=40_000)),  # the paper's 40,000
        Preset(
            "paper-full",
            "resnet50",
            _PAPER_SOURCES,
            emotions=(*SEVEN, *COMPOUND_EMOTIONS),  # CFEE's 22 categories
            blinded=(*SEVEN, *COMPOUND_EMOTIONS),
            everything=True,
            fairness=FairnessSettings(train=40_000),
        ),
        Preset("paper-smoke", "compactnet", _PAPER_SOURCES, **_SMOKE),
    )
}


def get_preset(name: str, changes: str = "") -> Preset:
    """Return a preset by its name, with some of its settings changed.

    Parameters
    ----------
    name : str
        For example `demo`; `paper+dlib` is preset `paper` with the backbone `dlib`.
    changes : str
        `seeds=[0, 1, 2]; rotations=3; sensitivenets.rounds=20`: any setting by its name. The run's name is then `demo~`
        and eight hex digits of a hash of the changes, so that it overwrites no preset's tables.

    Raises
    ------
    InputError
        If there is no such preset or setting, a value is out of range, or a preset of rendered faces is combined with
        another backbone.
    """
    base, plus, backbone = name.partition("+")
    if base not in PRESETS:
        raise InputError("preset", f"there is no preset {name!r}", f"use one of {', '.join(PRESETS)}")
    if plus and backbone not in BACKBONES:
        problem = f"there is no preset {name!r}: no backbone is called {backbone!r}"
        raise InputError("preset", problem, f"use {base}+ one of {', '.join(BACKBONES)}")
    if plus and PRESETS[base].synth is not None:
        raise InputError("preset", f"{name!r} asks for another backbone for rendered faces", f"use {base}")
    preset = replace(PRESETS[base], name=name, backbone=backbone) if plus else PRESETS[base]
    return _changed(preset, _read_changes(preset, changes)) if changes.strip() else preset


def _settings(preset: Preset) -> dict[str, object]:
    """Return the values of all settings that can be changed, those of a part as `part.name`."""
    values = {}
    for one in fields(preset):
        value = getattr(preset, one.name)
        if is_dataclass(value):
            values |= {f"{one.name}.{inner.name}": getattr(value, inner.name) for inner in fields(value)}
        elif one.name not in ("name", "backbone", "sources", "synth", "changed"):
            values[one.name] = value
    return values


def _read_changes(preset: Preset, text: str) -> dict[str, object]:
    """Parse `name=value; name=value` to values by name; a value is a Python literal, or text."""
    values, known = {}, _settings(preset)
    for change in filter(None, map(str.strip, text.split(";"))):
        name, equals, value = (part.strip() for part in change.partition("="))
        if not equals:
            raise InputError(f"-p {change}", "holds no =", "give NAME=VALUE")
        if name not in known:
            meant = [each for each in known if each.rpartition(".")[2] == name or each.startswith(f"{name}.")]
            close = meant or get_close_matches(name[:99], known)
            remedy = f"use {' or '.join(close)}" if close else f"use {', '.join(known)}"
            raise InputError(f"-p {change}", f"preset {preset.name!r} has no setting {name!r}", remedy)
        if name in values:
            raise InputError(f"-p {change}", f"setting {name!r} is there already", "give it once")
        try:
            values[name] = ast.literal_eval(value)
        except (SyntaxError, ValueError, TypeError, MemoryError, RecursionError):  # all that literal_eval may raise
            values[name] = value
    return values


def _changed(preset: Preset, values: dict[str, object]) -> Preset:
    parts: dict[str, dict] = {"": {}}
    for name, value in values.items():
        part, _, inner = name.rpartition(".")
        parts.setdefault(part, {})[inner] = value
    whole = parts.pop("")
    for part, inner in parts.items():
        whole[part] = _replaced(getattr(preset, part), inner, f"{part}.")
    result = _replaced(preset, whole)
    before, after = _settings(preset), _settings(result)
    text = "; ".join(f"{name}={after[name]!r}" for name in sorted(values) if after[name] != before[name])
    if not text:
        return preset
    return replace(result, name=f"{preset.name}~{hashlib.sha256(text.encode()).hexdigest()[:8]}", changed=text)


def _replaced(settings, values: dict[str, object], prefix: str = ""):
    """Replace some values of settings; InputError names the one that is out of range."""
    try:
        return replace(settings, **values)
    except ValidationError as error:
        first = error.errors()[0]
        place = f"setting {prefix}{first['loc'][0]}" if first["loc"] else "settings"
        problem = first["msg"].removeprefix("Value error, ")
        raise InputError(
            place, problem, f"see its range in blindlib/{'settings' if prefix else 'presets'}.py"
        ) from None
