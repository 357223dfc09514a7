"""Nothing wrong goes unseen: what is no embedding, label or number is refused by its name, or the answer is right."""

from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file

from blindlib import audit, metrics
from blindlib.appendix.centre_loss import CentreLoss
from blindlib.appendix.erasers import INLP, NAP, PCAControl, RandomControl
from blindlib.appendix.obliviator import Obliviator
from blindlib.blinders import LEACE, LNTL, Representation, SensitiveNets
from blindlib.blinders.training import TrainingSet
from blindlib.common import door
from blindlib.common.errors import InputError
from blindlib.data.splits import Split
from blindlib.evaluate import (
    collapsed_probe,
    fairness,
    ladder,
    measure,
    probes,
    results,
    verification,
)
from blindlib.settings import CentreLossSettings, LNTLSettings, ProbeSettings, SensitiveNetsSettings

NAN, INF = float("nan"), float("inf")
PLAIN = {"rounds": 1, "head_steps": 3, "hidden": 4, "identities": 8, "per_class": 4}
TINY = PLAIN | {"detector": (4,)}
MAKE = {
    "SN": lambda **more: SensitiveNets(**{"settings": SensitiveNetsSettings(**TINY), "device": "cpu"} | more),
    "LNTL": lambda **more: LNTL(**{"settings": LNTLSettings(**TINY), "device": "cpu"} | more),
    "centre loss": lambda **more: CentreLoss(**{"settings": CentreLossSettings(**PLAIN), "device": "cpu"} | more),
    "LEACE": LEACE,
    "INLP": INLP,
    "NAP": NAP,
    "Obliviator": lambda **more: Obliviator(**{"rounds": 1, "epochs": 1} | more),
    "PCA": PCAControl,
    "random": RandomControl,
}
TRAINED = ("SN", "LNTL", "centre loss")
WHO, Y = np.repeat(np.arange(40), 4), np.tile([0, 1], 80)


def embeddings():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))[WHO] + 0.3 * rng.normal(size=(160, 6))
    x[:, 0] += 2 * Y
    return x.astype(np.float32)


X = embeddings()
ONE = np.arange(160)[:, None] == 3  # one row of 160
BAD_X = {  # what stands in for x -> what the message has to name
    "constant": (np.full_like(X, 0.3), "X: does not vary"),
    "nearly constant": (1e7 + X, "X: does not vary"),
    "zero": (0 * X, "X: does not vary"),
    "1e30": (1e30 * X, "X: holds values above"),
    "1e60": (1e60 * X.astype(float), "X: holds NaN or infinity"),
    "1e-30": (1e-30 * X, "X: varies by"),
    "subnormal": (X * np.float32(1e-38) / 100, "X: varies by"),
    "NaN": (np.where(ONE, NAN, X), "X: holds NaN"),
    "infinity": (np.where(ONE, -INF, X), "X: holds NaN or infinity"),
    "complex": (X + 1j, "X: Complex data not supported"),
    "text": (np.where(X > 1, "a", "1"), "X: holds text"),
    "numbers as text": (X.astype(str), "X: holds text"),
    "a number as text": (np.where(ONE, "1.5", X.astype(object)), "X: holds text"),
    "a table with a column of text": (
        pd.DataFrame(X).assign(who="1").rename(columns=str),
        "X: holds text in column 'who'",
    ),
    "1-D": (X[:, 0], r"X: has shape \(160,\)"),
    "3-D": (X[:, :, None], r"X: has shape \(160, 6, 1\)"),
    "masked": (np.ma.masked_less(X, 0), "X: is sparse or masked"),
    "dates": ((1000 * X).astype("datetime64[D]"), "X: holds dates"),
    "durations": ((1000 * X).astype("timedelta64[s]"), "X: holds dates"),
    "a table of dates": (pd.DataFrame((1e9 * X).astype("M8[ns]")), "X: holds dates"),
    "a table with a date": (pd.DataFrame(X).assign(day=pd.Timestamp(0)).rename(columns=str), "X: holds dates"),
    "a table with names and numbers": (pd.DataFrame(X, columns=["a", 1, "b", 2, "c", 3]), "X: Feature names"),
    "a sparse tensor": (torch.tensor(X).to_sparse(), "X: is a tensor of torch.sparse_coo"),
    "a tensor without values": (torch.empty(160, 6, device="meta"), "X: is a tensor of torch.strided on meta"),
    "no rows": (X[:0], r"X: Found array with 0 sample"),
    "no columns": (X[:, :0], r"X: Found array with 0 feature"),
    "too short": (X[:-1], r"y: has shape \(160,\) for 159 rows"),
}


@pytest.mark.parametrize("case", BAD_X)
@pytest.mark.parametrize("name", MAKE)
def test_x_that_cannot_be_fitted_is_refused_by_name(name, case):
    x, words = BAD_X[case]
    with pytest.raises(ValueError, match=f"^{words}") as refused:
        MAKE[name]().fit(x, Y, identity=WHO)
    assert "\n" not in str(refused.value)


@pytest.fixture(scope="module")
def fitted():
    """Every blinder, hardly trained; no test may change it."""
    return {name: make().fit(X, Y, identity=WHO) for name, make in MAKE.items()}


@pytest.mark.parametrize("case", ["1e30", "1e60", "NaN", "infinity", "complex", "1-D", "3-D", "masked", "other width"])
@pytest.mark.parametrize("name", MAKE)
def test_x_that_cannot_be_mapped_is_refused_by_name(fitted, name, case):
    x, words = (X[:, :5], "X: X has 5 features") if case == "other width" else BAD_X[case]
    with pytest.raises(ValueError, match=f"^{words}"):
        fitted[name].transform(x)


@pytest.mark.parametrize("name", MAKE)
def test_constant_rows_and_zeros_are_mapped_to_finite_rows(fitted, name):
    for x in (0 * X, np.full_like(X, 0.3), 1e-30 * X):
        assert np.isfinite(fitted[name].transform(x)).all()


SAME_X = {
    "reversed rows": lambda x: x[::-1].copy()[::-1],
    "reversed columns": lambda x: x[:, ::-1].copy()[:, ::-1],
    "every second column of a wider one": lambda x: np.repeat(x, 2, 1)[:, ::2],
    "Fortran's order": np.asfortranarray,
    "objects": lambda x: x.astype(object),
    "float64": lambda x: x.astype(np.float64),
    "a list": lambda x: x.tolist(),
    "nullable numbers": lambda x: pd.DataFrame(x).astype("Float32"),
    "categories of numbers": lambda x: pd.DataFrame(x).astype("category"),
    "a tensor": torch.tensor,
    "a tensor with a gradient": lambda x: torch.tensor(x, requires_grad=True),
    "a matrix": lambda x: x.view(np.matrix),
    "read-only": lambda x: np.frombuffer(x.tobytes(), np.float32).reshape(x.shape),
}


@pytest.mark.parametrize("name", MAKE)
def test_another_layout_of_the_same_numbers_gives_the_same_map(fitted, name):
    z = fitted[name].transform(X)
    for case, change in SAME_X.items():
        again = MAKE[name]().fit(change(X), Y, identity=WHO).transform(change(X))
        np.testing.assert_array_equal(again, z, case)


@pytest.mark.parametrize("name", MAKE)
@pytest.mark.parametrize("power", [-16, 36])
def test_the_scale_of_x_decides_nothing(fitted, name, power):
    scale = np.float32(2.0**power)
    z = MAKE[name]().fit(scale * X, Y, identity=WHO).transform(scale * X)
    z = z if name == "Obliviator" else z / scale  # its rows have unit norm
    np.testing.assert_allclose(z, fitted[name].transform(X), rtol=1e-3, atol=1e-3)


BAD_LABELS = {
    "no y": ({"y": None}, "y"),
    "short y": ({"y": Y[:-1]}, "^y: has shape"),
    "2-D y": ({"y": np.stack([Y, Y], 1)}, "^y: has shape"),
    "one class": ({"y": 0 * Y}, "^y holds 1 class"),
    "unknown y": ({"y": [None] * 160}, "^y holds 0 class"),
    "short identity": ({"identity": WHO[:-1]}, "^identity: has shape"),
    "2-D identity": ({"identity": WHO[:, None].repeat(2, 1)}, "^identity: has shape"),
    "a number for identity": ({"identity": 7}, "^identity: has shape"),
    "a word for identity": ({"identity": "somebody"}, "^identity: has shape"),
    "some unknown": ({"identity": np.where(WHO == 3, None, WHO.astype(object))}, "^identity: is not known of 4 rows"),
    "all unknown": ({"identity": np.full(160, NAN)}, "^identity: is not known of 160 rows"),
    "masked y": ({"y": np.ma.array(Y, mask=WHO < 9)}, "^y: is sparse or masked"),
    "masked identity": ({"identity": np.ma.array(WHO, mask=WHO < 9)}, "^identity: is sparse or masked"),
    "a space": ({"y": ["ana", "ana "] * 80}, "^y: begins or ends with a space, .* in row 1 from 0"),
    "a space of no break": ({"identity": ["ana", "\xa0ana"] * 80}, "^identity: begins or ends with a space"),
    "a space in bytes": ({"identity": [b"ana", b"ana "] * 80}, "^identity: begins or ends with a space"),
    "a letter of no width": ({"identity": ["ana", "an\u200ba"] * 80}, "^identity: begins .* are not seen"),
    "a bell": ({"y": ["ana", "an\x07a"] * 80}, "^y: begins .* are not seen"),
    "numbers and words": ({"y": [1, "1"] * 80}, "^y: holds labels of several types: int, str"),
    "whole numbers and others": ({"identity": [1, 1.0] * 80}, "^identity: holds labels of several types: float, int"),
    "bytes and words": ({"y": np.array([b"a", "a"] * 80, object)}, "^y: holds labels of several types: bytes, str"),
    "true and one": ({"y": [True, 1] * 80}, "^y: holds labels of several types: bool, int"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
@pytest.mark.parametrize("name", MAKE)
def test_labels_that_do_not_fit_are_refused_by_name(name, case):
    given, words = BAD_LABELS[case]
    given = {"y": Y, "identity": WHO} | given
    with pytest.raises(ValueError, match=words):
        MAKE[name]().fit(X, given.pop("y"), **given)


SAME_LABELS = {
    "a tensor with a gradient": torch.tensor(Y, dtype=torch.float32, requires_grad=True),
    "a tensor of halves": torch.tensor(Y).bfloat16(),
    "zeros of both signs": np.where(Y == 1, 1.0, np.where(WHO % 2, 0.0, -0.0)),
    "a joiner within a word": np.where(Y == 1, "\u0639\u0644\u06cc\u200c\u0631\u0636\u0627", "a"),
    "both forms of a name": np.where(Y == 1, "z", np.where(WHO % 2, "\xe9", "e\u0301")),
    "unknown ones": np.where(WHO < 9, None, Y.astype(object)),
    "unknown ones of pandas": pd.array(np.where(WHO < 9, None, Y.astype(object)), dtype="Int64"),
    "unknown dates": np.where(Y == 1, np.datetime64("2020-01-01", "ns"), np.datetime64("2021-01-01", "ns")),
}


@pytest.mark.parametrize("case", SAME_LABELS)
def test_labels_that_are_equal_are_one_class(case):
    assert len(LEACE().fit(X, SAME_LABELS[case], identity=WHO).classes_) == 2


def test_a_day_that_is_not_known_is_no_class():
    dates = np.where(WHO < 9, np.datetime64("NaT", "ns"), SAME_LABELS["unknown dates"])
    assert LEACE().fit(X, dates, identity=WHO).images_ == [124]


@pytest.mark.parametrize("name", MAKE)
def test_one_person_alone_is_refused_where_people_are_needed_and_fitted_where_not(name):
    if name in (*TRAINED, "INLP"):
        with pytest.raises(ValueError, match="identity"):
            MAKE[name]().fit(X, Y, identity=0 * WHO)
    else:
        assert np.isfinite(MAKE[name]().fit(X, Y, identity=0 * WHO).transform(X)).all()


PARAMETERS = {
    **dict.fromkeys(TRAINED, ("strength", "random_state")),
    "INLP": ("rounds", "slack"),
    "NAP": ("share",),
    "PCA": ("share",),
    "random": ("share", "random_state"),
    "Obliviator": ("rounds", "epochs", "keep", "random_state"),
}


@pytest.mark.parametrize("value", [NAN, INF, -1, "a", None, [1.0], True, 10**40], ids=str)
@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_that_is_no_number_or_out_of_range_is_refused_by_name(name, value):
    for parameter in PARAMETERS[name]:
        with pytest.raises(InputError, match=f"^{parameter}: is "):
            MAKE[name](**{parameter: value}).fit(X, Y, identity=WHO)


def test_what_trains_heads_is_refused_by_name():
    for words, made, more in (
        ("settings: is a dict", {"settings": TINY}, {}),
        ("settings: is a LNTLSettings", {"settings": LNTLSettings(**TINY)}, {}),
        ("device: is 'tpu'", {"device": "tpu"}, {}),
        ("budget: is nan", {}, {"validation": WHO > 25, "budget": NAN}),
        ("validation: holds text", {}, {"validation": (WHO > 25).astype(str)}),
        ("validation: holds other values", {}, {"validation": WHO % 3}),
        ("validation: holds NaN", {}, {"validation": np.where(WHO > 25, 1.0, NAN)}),
        ("validation: holds 0 people", {}, {"validation": WHO < 0}),
        ("validation: holds 1 people", {}, {"validation": WHO == 3}),
        ("X: does not vary: its 0", {}, {"validation": WHO >= 0}),
        ("validation: has shape", {}, {"validation": (WHO > 25)[:-1]}),
        ("validation: holds 40 people who train too", {}, {"validation": np.arange(160) % 2 == 0}),
    ):
        with pytest.raises(InputError, match=f"^{words}"):
            MAKE["SN"](**made).fit(X, Y, identity=WHO, **more)
    for groups in ([None] * 160, ["a"] * 160):
        with pytest.raises(InputError, match=r"^demographic: names"):
            MAKE["LNTL"](task="demographic").fit(X, Y, identity=WHO, demographic=groups)


@pytest.mark.parametrize("name", TRAINED)
def test_a_split_of_a_bank_with_nan_or_one_class_is_refused(name):
    codes = {"identity": WHO, "attribute": Y, "demographic": np.full(160, -1), "part": np.zeros(160, int)}
    rows = {"head": [np.arange(80)], "validation": [np.arange(80, 160)], "classes": ("a", "b")}
    for x, change, words in (
        (np.where(ONE, NAN, X), {}, "X: holds NaN"),
        (0 * X, {}, "X: does not vary"),
        (X, {"attribute": 0 * Y}, "y: holds 1 class"),
    ):
        data = TrainingSet(torch.tensor(x, dtype=torch.float32), **codes | rows | change)
        with pytest.raises(InputError, match=f"^{words}"):
            MAKE[name]().fit_splits(data)


@pytest.mark.parametrize("name", ["SN", "LNTL"])
def test_images_that_are_their_class_s_mean_exactly_are_fitted(name):
    x = np.where(Y[:, None] == 1, 1.0, -1.0) * np.ones((160, 6))  # its covariance has no inverse
    assert np.isfinite(MAKE[name]().fit(x, Y, identity=WHO).transform(x)).all()


def spoilt(arrays, name, change):
    return arrays | {name: change(arrays[name])}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda value: value * NAN, "holds NaN or infinity"),
        (lambda value: value + INF, "holds NaN or infinity"),
        (lambda value: value.to(torch.int64), "holds int64, not dense floating point"),
        (lambda value: value.double(), "holds float64, not float32"),
    ],
)
@pytest.mark.parametrize("name", MAKE)
def test_a_saved_head_of_nan_or_whole_numbers_is_refused_with_its_file(fitted, tmp_path, name, change, words):
    path = fitted[name].save(tmp_path / "head")
    arrays = load_file(path)
    for array in arrays:
        save_file(spoilt(arrays, array, change), path)
        with pytest.raises(InputError, match=rf"head\.safetensors: {array} {words}"):
            type(fitted[name]).load(path)


@pytest.mark.parametrize(("name", "array"), [*((name, "scale") for name in TRAINED), ("Obliviator", "0.width")])
def test_a_saved_head_that_would_divide_by_nothing_is_refused_with_its_file(fitted, tmp_path, name, array):
    path = fitted[name].save(tmp_path / "head")
    for scale in (0, -1):
        save_file(spoilt(load_file(path), array, lambda value, by=scale: value * by), path)
        with pytest.raises(InputError, match=r"head\.safetensors: .*not above 0"):
            type(fitted[name]).load(path)
        fitted[name].save(tmp_path / "head")


@pytest.mark.parametrize(
    "change",
    [
        ('"features": 6', '"features": 5'),
        ('"features": 6', '"features": "6"'),
        ('"features": 6', '"features": ' + 5000 * "9"),
        ('"strength": 1.0', '"strength": NaN'),
        ('"strength": 1.0', '"strength": "a"'),
        ('"settings": {', '"settings": {"x": 1, '),
        ('"features": 6', '"features": ' + 10**5 * "["),
        ('"classes": [', '"chosen": [7], "chosen": [9], "classes": ['),
    ],
    ids=range(8),
)
def test_a_description_that_does_not_fit_its_head_is_refused_in_a_line(fitted, tmp_path, change):
    path = fitted["SN"].save(tmp_path / "head").with_suffix(".json")
    text = path.read_text()
    assert change[0] in text
    path.write_text(
        text.replace(*change) if "chosen" not in change[1] else text.replace('"chosen": [\n  1.0', '"chosen": [\n  9.0')
    )
    with pytest.raises(InputError, match="head") as refused:
        SensitiveNets.load(path.with_suffix(""))
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 600


PEOPLE = np.random.default_rng(1).permutation(40)
ROWS = [np.flatnonzero(np.isin(WHO, part)) for part in np.split(PEOPLE, [10, 17, 30])]
SPLIT = Split(0, 0, *ROWS)
TASK = probes.Task("emotion", Y.astype(np.int64), ["a", "b"])
QUICK = ProbeSettings(
    nn_hidden=(4,), nn_steps=4, svm_c=(1.0,), rf_trees=2, rf_leaf=(1,), ladder=("linear",), ladder_people=(10**6,)
)
MOOD = np.where(Y == 0, "neutral", "fear").astype(object)
STUDY = SimpleNamespace(
    faces=SimpleNamespace(frame=pd.DataFrame({"identity": WHO.astype(str)})), splits=[SPLIT], pairs=pd.DataFrame()
)
ATTACKS = {  # what is measured of a representation, of a task, on splits, of people
    "probes": lambda z, task, split, who: probes.run_probes(z, task, [split], QUICK, kinds=("SVM",), identity=who),
    "NN": lambda z, task, split, who: probes.run_probes(z, task, [split], QUICK, kinds=("NN",), identity=who),
    "ladder": lambda z, task, split, who: ladder.climb(z, task, [split], QUICK, who),
    "collapsed": lambda z, task, split, who: collapsed_probe.collapsed_probe(z, task, [split], each=9, norms=(1.0,)),
    "collapse": lambda z, task, split, who: measure.measure_collapse(z, [split]),
}
BAD_Z = {name: BAD_X[name][0] for name in ("1e30", "1e60", "NaN", "complex", "text", "1-D", "3-D", "masked")}
BAD_Z |= {"infinity": np.where(WHO[:, None] % 2, -INF, X), "NaN": np.where(WHO[:, None] % 2, NAN, X)}
BAD_Z |= {"too short": X[:50]}


def outcome(work):
    """What a measurement gives as numbers, or how it refuses; anything else is raised."""
    try:
        told = work()
    except ValueError as error:
        return str(error)
    rows = told.to_dict("records") if isinstance(told, pd.DataFrame) else told
    return [value for row in rows for value in row.values() if isinstance(value, float)]


@pytest.mark.parametrize("case", BAD_Z)
@pytest.mark.parametrize("name", ATTACKS)
def test_an_attacker_is_not_shown_what_is_no_embedding(name, case):
    told = outcome(lambda: ATTACKS[name](Representation.of("phi", BAD_Z[case]), TASK, SPLIT, WHO))
    assert isinstance(told, str) and told.startswith("phi: "), told


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attacker_reads_the_same_of_another_layout_and_nothing_of_a_constant(name):
    plain = outcome(lambda: ATTACKS[name](Representation.of("phi", X), TASK, SPLIT, WHO))
    assert len(plain) and np.isfinite(plain).all()
    for case in ("reversed rows", "Fortran's order", "objects", "float64", "a list"):
        z = Representation.of("phi", SAME_X[case](X))
        assert outcome(lambda z=z: ATTACKS[name](z, TASK, SPLIT, WHO)) == plain, case
    dead = outcome(lambda: ATTACKS[name](Representation.of("phi", np.full_like(X, 0.3)), TASK, SPLIT, WHO))
    assert np.isfinite(dead).all()


@pytest.mark.parametrize("name", ["probes", "NN", "ladder"])
def test_an_attacker_needs_labels_of_two_classes_people_and_rows_that_are_here(name):
    z, none = Representation.of("x", X), np.empty(0, np.int64)
    for words, task, split, who in (
        ("split 0, probe: shows 1 classes", probes.Task("mood", 0 * TASK.codes, ["a", "b"]), SPLIT, WHO),
        ("split 0, probe: shows 0 classes", probes.Task("mood", TASK.codes * 0 - 1, ["a", "b"]), SPLIT, WHO),
        ("split 0, test: shows 0 classes", TASK, Split(0, 0, *ROWS[:3], none), WHO),
        ("split 0, validation: shows 0 classes", TASK, Split(0, 0, ROWS[0], none, *ROWS[2:]), WHO),
        ("split 0, test: names a row", TASK, Split(0, 0, *ROWS[:3], ROWS[3] + 1000), WHO),
        ("identity: has 155 rows", TASK, SPLIT, WHO[:-5]),
        (r"identity: has shape \(160, 2\)", TASK, SPLIT, np.stack([WHO, WHO], 1)),
        ("identity: is not known of 4 rows", TASK, SPLIT, np.where(WHO == 3, NAN, WHO)),
    ):
        with pytest.raises(InputError, match=f"^{words}"):
            ATTACKS[name](z, task, split, who)
    for codes in (Y.astype(float), Y.astype(str), np.where(Y == 0, NAN, 1.0), Y * 10, Y - 2, np.stack([Y, Y])):
        with pytest.raises(InputError, match=r"^codes of mood: "):
            probes.Task("mood", codes, ["a", "b"])


D, SAME = np.random.default_rng(2).random(50), np.arange(50) % 3 == 0
FOLD = np.arange(50) % 2
PAIRS = pd.DataFrame({"left": [0, 1], "right": [1, 2]})
RESULTS = pd.DataFrame(
    {"probe": "NN", "rotation": [0, 1], "seed": 0, "value": [50.0, 60.0], "chance": 50.0}
    | dict.fromkeys(("n_train_subjects", "n_test_subjects", "n_test"), 9)
)
SHOWN = {"rows": np.arange(160), "attractive": Y == 1, "smiling": WHO % 2 == 1}
HALL = {"x": X, "truth": Y == 1, "share": np.full((160, 1), 1 / 160), "inverse_penalties": (0.1,)}
VECTORS = [
    np.where(np.arange(50) == 3, NAN, D),
    np.where(np.arange(50) == 3, INF, D),
    D + 1j,
    D[:, None],
    D.astype(str),
]
MATRICES = [
    BAD_X[name][0]
    for name in ("1e30", "NaN", "infinity", "complex", "text", "a number as text", "1-D", "3-D", "masked")
]
NUMBERS = [NAN, INF, -1, "a", None]
PEOPLE_NEEDED = {"half_width": 3.0, "rate": 45.0, "images": 6, "alike": 0.3, "rotations": 5}
DISTANCES = {"distance": D, "same": SAME}
ONE_KIND = [SAME | True, SAME & False, SAME[:-1], SAME.astype(str), SAME * 2]
DAYS = Y.astype("datetime64[D]")
BAD_TRUTH = {
    "truth": [
        [],
        Y[:-1],
        [None] * 160,
        [NAN, *159 * "a"],
        Y * NAN,
        [[0, 1]],
        np.ma.array(Y, mask=WHO < 9),
        Y.astype("S"),
        DAYS,
    ]
}
FUNCTIONS = [  # function, arguments that it takes, which of them becomes what
    (metrics.balanced_accuracy, {"truth": Y, "guess": Y}, BAD_TRUTH),
    (metrics.interval, {"values": D}, {"values": [*VECTORS, [], 3.0]}),
    (metrics.paired_diff, {"x": 60 + D, "phi": 55 + D, "chance": 50.0}, {"x": [*VECTORS, [], D[1:]], "phi": VECTORS}),
    (
        metrics.diff,
        {"x": 80.0, "phi": 60.0, "chance": 50.0},
        {key: [INF, "a", None, 1j] for key in ("x", "phi", "chance")},
    ),
    (metrics.effective_rank, {"z": X}, {"z": [*MATRICES, X[:0], X[:1], X[:, :0]]}),
    (metrics.spectrum, {"z": X}, {"z": [*MATRICES, X[:0]]}),
    (measure.collapse, {"z": X}, {"z": [*MATRICES, X[:0], X[:1]]}),
    (metrics.people_needed, PEOPLE_NEEDED, dict.fromkeys(PEOPLE_NEEDED, NUMBERS)),
    (
        verification.pair_distances,
        {"features": X, "pairs": PAIRS},
        {"features": MATRICES, "pairs": [PAIRS + 999, PAIRS - 1, PAIRS + 0.5, PAIRS[["left"]], None]},
    ),
    (verification.best_threshold, DISTANCES, {"distance": [*VECTORS, D[:0]], "same": ONE_KIND}),
    (verification.roc, DISTANCES, {"distance": [*VECTORS, D[:0]], "same": ONE_KIND}),
    (
        verification.mean_roc,
        {"distances": [D, D], "same": SAME},
        {"distances": [[], [VECTORS[0]], None], "same": ONE_KIND[:2]},
    ),
    (
        verification.fold_thresholds,
        {"distance": np.stack([D, D]), "same": SAME, "fold": FOLD, "seen": np.zeros((2, 50), bool)},
        {
            "distance": [D, np.stack([D, D * NAN])],
            "same": ONE_KIND[2:],
            "fold": [FOLD[1:], FOLD * 1.0],
            "seen": [SAME, np.zeros((2, 49))],
        },
    ),
    (
        verification.tar_at_far,
        {"curve": verification.roc(D, SAME), "far": 0.1},
        {"curve": [PAIRS, None], "far": NUMBERS},
    ),
    (verification.equal_error_rate, {"curve": verification.roc(D, SAME)}, {"curve": [PAIRS, None]}),
    (
        fairness.sample,
        SHOWN | {"count": 8, "bias": 0.7, "rng": np.random.default_rng(0)},
        {"count": [*NUMBERS, 1.5], "bias": [*NUMBERS, 0, 1], "smiling": [WHO, WHO[:-1] % 2]},
    ),
    (fairness.capacity, SHOWN | {"bias": 0.7}, {"bias": [*NUMBERS, 0, 1], "rows": [X[:, 0], X]}),
    (
        fairness.fit_classifiers,
        HALL,
        {
            "x": [*MATRICES, X[:9]],
            "truth": [WHO, Y[:9]],
            "share": [np.zeros((160, 1)), np.full((160, 1), NAN), np.full((160, 1), -1.0)],
            "inverse_penalties": [(), (0,), (NAN,), (INF,), ("a",)],
        },
    ),
    (
        collapsed_probe.collapsed_probe,
        {"representation": Representation.of("x", X), "task": TASK, "splits": [SPLIT], "each": 9, "norms": (1.0,)},
        {
            "each": [*NUMBERS, 1],
            "norms": [(), (0,), (NAN,), (INF,), ("a",)],
            "representation": [Representation.of("x", 0 * X)],
        },
    ),
    (
        results.summarise,
        {"frame": RESULTS, "by": ["probe"]},
        {"frame": [RESULTS.assign(value=NAN), RESULTS.assign(value="a"), RESULTS.drop(columns="seed")], "by": [["zz"]]},
    ),
]
CALLS = [(f, given, name, value) for f, given, bad in FUNCTIONS for name, values in bad.items() for value in values]


@pytest.mark.parametrize(
    ("function", "given"), [(f, given) for f, given, _ in FUNCTIONS], ids=lambda f: getattr(f, "__name__", "")
)
def test_the_functions_of_the_table_take_what_is_right(function, given):
    function(**given)


@pytest.mark.parametrize(
    ("function", "given", "name", "value"),
    CALLS,
    ids=[f"{f.__name__} {name} {n}" for n, (f, _, name, _) in enumerate(CALLS)],
)
def test_a_wrong_argument_is_refused_by_name(function, given, name, value):
    with pytest.raises(ValueError) as refused:
        function(**given | {name: value})
    message = str(refused.value)
    assert "\n" not in message and ("→" in message or "there is no leak" in message)
    named = {**dict.fromkeys(given, False), **{word: True for word in given if word in message.split("→")[0]}}
    assert any(named.values()) or message.startswith(("frame", "leak", "x: is 0")), message


def test_a_threshold_lets_no_nan_pass_as_an_impostor():
    """argsort puts NaN last: before there was a door it counted as the largest distance, and a threshold came out."""
    with pytest.raises(InputError, match="distance: holds NaN"):
        verification.best_threshold(VECTORS[0], SAME)


AUDITED = {"identity": WHO.repeat(3), "labels": {"mood": np.tile(MOOD, 3)}, "attackers": ("linear",)}
BAD_AUDITS = {
    "budget": [*NUMBERS, 101],
    "seed": [*NUMBERS, 1.5, 10**40],
    "rows": [*NUMBERS, 0, 1.5],
    "attackers": [(), "linear", None, (1,), ("oracle",)],
    "labels": [None, [], "mood", {"mood": None}, {"mood": 5}, {"mood": MOOD[:, None]}],
    "identity": [None, 5, "abc", np.stack([WHO, WHO]), np.full(480, NAN), np.zeros(480)],
    "head": [5, {}, X, LEACE()],
    "hide": [5, [], "age"],
    "heads": [5, None, ("a",), (LEACE(),)],
    "x": [np.tile(value, (3, *[1] * (value.ndim - 1))) for value in MATRICES],
}
BAD_AUDITS["labels"] += [
    {"mood": np.ma.array(AUDITED["labels"]["mood"], mask=np.arange(480) < 9)},
    {"mood": [1, "1"] * 240},
]
BAD_AUDITS["identity"] += [np.ma.array(WHO.repeat(3), mask=np.arange(480) < 9), np.where(WHO.repeat(3) < 9, "a", "a ")]
BAD_AUDITS["x"] += [torch.empty(480, 6, device="meta"), torch.tensor(X).repeat(3, 1).to_sparse()]


@pytest.mark.parametrize("name", BAD_AUDITS)
def test_an_audit_refuses_a_wrong_argument_by_name(name):
    x = np.tile(X, (3, 1))
    for value in BAD_AUDITS[name]:
        given = AUDITED | {name: value} | ({"hide": "mood"} if name == "heads" else {})
        with pytest.raises(InputError, match=rf"^(label '(mood|identity)'|{name}): ") as refused:
            audit(given.pop("x", x), progress=False, **given)
        assert "\n" not in str(refused.value)


def test_an_audit_of_a_constant_says_that_it_is_dead_and_will_not_hide_anything_in_it():
    who, dead = np.repeat(np.arange(120), 3), np.full((360, 6), 0.3, np.float32)
    given = {"identity": who, "labels": {"mood": np.tile(["a", "b"], 180)}, "attackers": ("linear",), "progress": False}
    report = audit(dead, **given)
    assert report.health["collapsed"].all() and "has collapsed" in str(report) and not report.readings["leak"].any()
    with pytest.raises(InputError, match=r"^X: does not vary"):
        audit(dead, hide="mood", heads=(), **given)


def test_an_audit_takes_a_tensor_and_a_matrix_as_the_array_that_they_are():
    who, mood = np.repeat(np.arange(120), 3), np.tile(["a", "b"], 180)
    x, told = np.random.default_rng(0).normal(size=(360, 6)).astype(np.float32), []
    for kind in (np.asarray, lambda x: x.view(np.matrix), lambda x: torch.tensor(x, requires_grad=True)):
        report = audit(kind(x), identity=who, labels={"mood": mood}, attackers=("linear",), progress=False)
        told.append(str(report))
    assert told[0] == told[1] == told[2]


def test_measures_take_lists_series_and_tensors():
    grown = torch.tensor(Y, dtype=torch.float32, requires_grad=True)
    assert metrics.balanced_accuracy(grown, Y) == metrics.balanced_accuracy([0.0, 1.0], [False, True]) == 100


def test_checks_run_in_several_threads_at_once():
    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(lambda _: metrics.interval(D), range(40)))) == 1


def test_a_check_is_asked_by_position_by_name_and_not_of_what_is_left_out():
    @door.takes("x", "y", x=door.vector, y=door.vector, z=door.number(0, 1))
    def between(x, y=None, z=0.5):
        return len(x) if y is None else len(y), z

    assert between([1, 2]) == (2, 0.5) and between([1, 2], y=[3, 4], z=1) == (2, 1)
    for words, call in (
        ("y: has 1 rows for 2 of x", lambda: between([1, 2], [3])),
        ("z: is 2", lambda: between([1], z=2)),
        ("z: is None", lambda: between([1], z=None)),
    ):
        with pytest.raises(InputError, match=f"^{words}"):
            call()


TABLE = pd.DataFrame(X, columns=list("abcdef"))


@pytest.mark.parametrize(
    ("fitted_on", "other", "words"),
    [
        (X, X[:, :5], "is expecting 6 features"),
        (X, np.column_stack([X, X]), "is expecting 6 features"),
        (TABLE, TABLE[list("fedcba")], "feature names should match"),
        (TABLE, TABLE.rename(columns={"a": "z"}), "feature names should match"),
    ],
)
def test_x_of_another_network_is_told_which_one_it_has_to_be_of(fitted_on, other, words):
    with pytest.raises(InputError, match=f"{words}.*give embeddings of the network that it was fitted on"):
        LEACE().fit(fitted_on, Y).transform(other)
