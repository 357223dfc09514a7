"""Presets and their settings: what is out of range is refused by its name; a changed run has a name of its own."""

import ast
import dataclasses
import subprocess
import sys

import pandas as pd
import pytest

from blindlib.common.errors import InputError
from blindlib.common.files import ROOT
from blindlib.presets import PRESETS, get_preset
from blindlib.settings import FairnessSettings, LNTLSettings, SensitiveNetsSettings


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: dataclasses.replace(PRESETS["demo"], rotations=1), "rotations"),
        (lambda: dataclasses.replace(PRESETS["demo"], rotations=2), r"Preset\.rotations of 'demo'"),
        (lambda: dataclasses.replace(PRESETS["demo"], emotions=("joy", "neutral")), r"Preset\.emotions"),
        (lambda: dataclasses.replace(PRESETS["demo"], shares=(0.5, 0.5, 0.5)), "shares"),
        (lambda: LNTLSettings(rate=5e3), "rate"),
        (lambda: LNTLSettings(detector=(0,)), r"detector\.0\s.*greater than or equal to 1"),
        (lambda: SensitiveNetsSettings(detector=(64, -1)), r"detector\.1\s.*greater than or equal to 1"),
        (lambda: SensitiveNetsSettings(anew=-1), r"anew\s.*greater than or equal to 0"),
        (lambda: LNTLSettings(patience=0), r"patience\s.*greater than or equal to 1"),
        (lambda: LNTLSettings(anew=3), r"anew\s.*Unexpected"),  # the ablation is SensitiveNets' alone
        (lambda: SensitiveNetsSettings(epochs=3), "epochs"),
        (lambda: FairnessSettings(biases=(0.5, 1.2)), "biases"),
    ],
)
def test_a_setting_out_of_range_is_refused_by_name(make, name):
    with pytest.raises(ValueError, match=name):
        make()


def test_an_unknown_preset_is_refused_by_name():
    for name in ("paper2", "dmeo", "paper+../../victim", "demo~12345678"):
        with pytest.raises(InputError, match="there is no preset"):
            get_preset(name)
    with pytest.raises(InputError, match="another backbone for rendered faces"):
        get_preset("demo+dlib")


def test_any_setting_can_be_changed_and_such_a_run_has_a_name_of_its_own():
    preset = get_preset("demo", "seeds=[3, 4]; rotations=2; sensitivenets.strengths=[0, 1]; synth.emotion=40")
    assert preset.seeds == (3, 4) and preset.sensitivenets.strengths == (0.0, 1.0) and preset.synth.emotion == 40
    assert preset.name.startswith("demo~") and preset.name != get_preset("demo", "id_budget=2").name
    assert preset.name == get_preset("demo", preset.changed).name, "what run.json says makes the same run"
    assert preset.lntl == PRESETS["demo"].lntl and "seeds=(3, 4)" in preset.title
    assert get_preset("demo", "rotations=5") is PRESETS["demo"], "nothing changed: the preset itself"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ("seed=3", "has no setting 'seed' → use synth.seed"),
        ("seeds", "holds no ="),
        ("patience=3", "→ use sensitivenets.patience or lntl.patience or centre_loss.patience"),
        ("lntl.patiense=3", "has no setting 'lntl.patiense' → use lntl.patience"),
        ("nonsense=1", "has no setting 'nonsense'"),
        ("name='demo'", "has no setting 'name'"),
        ("sensitivenets=3", "has no setting 'sensitivenets'"),
        ("lntl.rate=5000", r"setting lntl\.rate: Input should be less than or equal to 1000"),
        ("fairness.bias=2", r"setting fairness\.bias: Input should be less than or equal to 0\.95"),
        ("emotions=['anger', 'anger']", "each once"),
        ("seeds=[0]", "are 5 for 1 seeds"),
        ("lntl.strengths=[1, 10]", "0 comes first"),
        ("sensitivenets.strengths=[0]", "one or more that rise"),
        ("sensitivenets.rounds=True", r"setting sensitivenets\.rounds: Input should be a valid integer"),
        ("crossed=on", r"setting crossed: Input should be a valid boolean"),
        ("seeds=[0, 1]; seeds=[1, 2]", "give it once"),
        ("seeds=[]; crossed=True", r"setting seeds: Tuple should have at least 1 item"),
        ("emotions=[]", r"setting emotions: Tuple should have at least 1 item"),
        ("probes.svm_c=[]", r"setting probes\.svm_c: Tuple should have at least 1 item"),
        ("erasers=['../x:Y']", r"erasers are \('../x:Y',\): each once, of LEACE, "),
        ("erasers=['Leace']", "or module:Class"),
        ("erasers=['LEACE', 'LEACE']", "each once"),
        ("seeds={[]}", r"setting seeds"),
        (f"seeds={3000 * '-'}1", r"setting seeds"),
        (f"seeds={3000 * 'lambda:'}1", r"setting seeds"),  # by the fuzz, after an hour: a MemoryError
        ("rotations=many", r"setting rotations: Input should be a valid integer"),
    ],
)
def test_a_change_that_cannot_be_is_refused_in_one_line(changes, words):
    with pytest.raises(InputError, match=words) as error:
        get_preset("demo", changes)
    assert "\n" not in str(error.value)


def test_what_make_runs_every_time_starts_without_the_heavy_libraries():
    code = (
        "import sys; from blindlib.report import record; from blindlib.cli import app; "
        "app(['name', '--preset', 'demo'], standalone_mode=False); "
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    heavy = {"torch", "numpy", "pandas", "scipy", "sklearn", "papermill", "pandera", "matplotlib", "dlib"}
    assert "blindlib.pipeline" in done.stdout.split() and not heavy & set(done.stdout.split())


def test_the_demo_takes_the_settings_that_development_subjects_chose():
    table, demo = pd.read_csv(ROOT / "blindlib" / "tuned.csv"), PRESETS["demo"]
    chosen = table[table["chosen"]]
    heads = chosen[chosen["stage"] == "head"].set_index("method")
    for method, settings in (("SN", demo.sensitivenets), ("LNTL", demo.lntl)):
        assert settings.strengths == (0.0, heads.loc[method, "strength"]) and settings.rate == heads.loc[method, "rate"]
    bits = chosen[(chosen["stage"] == "bits") & (chosen["method"] == "SN")]["bits"].item()
    assert int(bits) == demo.bits and len(table) > 50, "every setting tried stands in the table"
    for setting in chosen.loc[chosen["stage"] == "probe", "setting"]:
        for name, value in ast.literal_eval(setting).items():
            assert getattr(demo.probes, name) == value
