"""`make tune`: select the settings of preset demo on development subjects, and keep every setting tried.

Development subjects are a rendered world of another seed: no subject of `demo` is among them. The table goes to
`blindlib/tuned.csv`; the chosen settings stand in `blindlib/presets.py` and `settings.py`, where a test compares them.
"""

from dataclasses import replace
from itertools import product

import pandas as pd

from blindlib.blinders.lntl import LNTL
from blindlib.blinders.sensitivenets import SensitiveNets
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.files import ROOT, write_csv, write_parquet
from blindlib.common.work import on_all_cores, track
from blindlib.data.source import load_source
from blindlib.data.splits import deal, save_splits
from blindlib.evaluate.measure import EMOTION_PROBES, make_tasks, measure_verification
from blindlib.evaluate.probes import ATTACKERS, probe_name, run_probes
from blindlib.metrics import diff
from blindlib.presets import PRESETS
from blindlib.study import Study

WORLD = 20261201  # seed of the development subjects
SPLITS = 2  # of the five: enough to choose by
RATES = (1.5, 3.0, 6.0)
STRENGTHS = {"SN": (1.0, 3.0, 10.0), "LNTL": (0.1, 0.3, 1.0)}
BITS = (None, 8, 6, 4)
COST = 2.0  # the largest ID Diff, in percent, of a chosen head
TIE = 1.0  # points of accuracy within which the cheaper setting is chosen
NETWORKS = [{"nn_steps": n, "nn_decay": d} for n, d in product((240, 480, 960), (0.3, 1.0, 3.0))]
FORESTS = [{"rf_leaf": (n,), "rf_features": share} for n, share in product((3, 10), (0.03, 0.0625))]
MACHINES = [{"svm_c": (c,)} for c in (1.0, 3.0, 10.0)]
OF_KIND = {"NN": NETWORKS, "SVM": MACHINES, "RF": FORESTS}


def make_world() -> Study:
    """Make the development subjects' faces, pairs, splits and embeddings, as notebooks 01 and 02 make a preset's."""
    preset = PRESETS["demo"]
    PRESETS["development"] = replace(preset, name="development", synth=replace(preset.synth, seed=WORLD))
    study = Study("development")
    faces, pairs = load_source(study.asked)
    faces.save(study.build / "faces.parquet")
    write_parquet(study.build / "pairs.parquet", pairs)
    save_splits(deal(faces, pairs, study.asked), study.build / "splits.parquet")
    study.splits = study.splits[:SPLITS]
    return study


class Tuning:
    """One run: the study, and the table of what was tried."""

    def __init__(self, study: Study):
        self.study, self.rows, self.data = study, [], TrainingSet.of(study, pick_device())
        self.task = next(task for task in make_tasks(study.faces, study.preset) if task.name == "emotion")
        self.identity = pd.factorize(study.faces.frame["identity"])[0]
        self.x_id = self.verify(study.x)

    def verify(self, z) -> float:
        """Verification accuracy in percent, mean over folds."""
        rows = pd.DataFrame(measure_verification(z, self.study))
        return rows.loc[rows["metric"] == "balanced_accuracy", "value"].mean()

    def accuracy(self, z, probes=EMOTION_PROBES, name: str = "selected", **settings) -> float:
        """Balanced accuracy of a probe in percent, mean over splits."""
        settings = replace(self.study.preset.probes, **settings)
        rows = run_probes(z, self.task, self.study.splits, settings, probes=probes, identity=self.identity)
        rows = pd.DataFrame(rows)
        return rows.loc[rows["probe"] == name, "balanced_accuracy"].mean()

    def release(self, stage: str, blinder, strength: float, bits: int | None, **settings) -> dict:
        """Measure a trained head as it is released, and add the row."""
        z = blinder.representation(self.study.embedded[0].x, strength, bits).kept(len(self.study.faces))
        row = {"stage": stage, "method": blinder.name, "strength": strength, "bits": bits or "float", **settings}
        row |= {"accuracy": self.accuracy(z), "id_diff": diff(self.x_id, self.verify(z), 50.0)}
        self.rows.append(row | {"chosen": False})
        return self.rows[-1]

    def heads(self, kind, part: str):
        """Try every rate and strength of a method in 6 bits; then the chosen head in every number of bits."""
        strengths, banks, tried = STRENGTHS[kind().name], {}, []
        for rate in RATES:
            settings = replace(getattr(self.study.preset, part), rate=rate, strengths=(0.0, *strengths))
            banks[rate] = kind(bits=6, settings=settings).fit_splits(self.data, budget=self.study.preset.id_budget)
            for strength in strengths:
                options = {"rate": rate, "converged": banks[rate].converged_}
                tried.append(self.release("head", banks[rate], strength, 6, **options))
        best = _choose(tried, ("id_diff",))
        bank = banks[best["rate"]]
        released = [self.release("bits", bank, best["strength"], bits, rate=best["rate"]) for bits in BITS]
        _choose(released, ())
        return bank, best["strength"]

    def probes(self, shown: dict) -> None:
        """Try every setting of NN, SVM and RF on several representations; the best on average is chosen."""
        for kind, grid in OF_KIND.items():
            views = ("standardised", "whitened") if kind in ATTACKERS else ("standardised",)
            tried = []
            for settings in track(grid, kind, unit="setting"):
                rows = []
                for view in views:
                    name = probe_name(kind, view)
                    read = {f"of {n}": self.accuracy(z, ((kind, view),), name, **settings) for n, z in shown.items()}
                    row = {"stage": "probe", "method": name, "setting": str(settings)}
                    rows.append(row | {"accuracy": sum(read.values()) / len(read), **read, "chosen": False})
                tried.append(rows)
            for row in max(tried, key=lambda rows: sum(row["accuracy"] for row in rows)):
                row["chosen"] = True
            self.rows += [row for rows in tried for row in rows]


def _choose(rows: list[dict], by: tuple[str, ...]) -> dict:
    """Mark the row of least accuracy within the cost; among ties the one that is least `by`, or comes first."""
    able = [row for row in rows if row["id_diff"] <= COST] or rows
    least = min(row["accuracy"] for row in able)
    ties = [row for row in able if row["accuracy"] <= least + TIE]
    best = min(ties, key=lambda row: [row[name] for name in by])
    best["chosen"] = True
    return best


def main() -> None:
    """Tune, and write the table."""
    tuning = Tuning(make_world())
    x = tuning.study.embedded[0].x
    methods = [(SensitiveNets, "sensitivenets"), (LNTL, "lntl")]
    (sn, sn_strength), (lntl, lntl_strength) = on_all_cores(lambda method: tuning.heads(*method), methods)
    phi = {"SN": sn.representation(x, sn_strength), "SN 6 bits": sn.representation(x, sn_strength, 6)}
    phi["LNTL"] = lntl.representation(x, lntl_strength)
    tuning.probes({"x": tuning.study.x} | {name: z.kept(len(x)) for name, z in phi.items()})
    print(write_csv(ROOT / "blindlib" / "tuned.csv", pd.DataFrame(tuning.rows), float_format="%.2f"))


if __name__ == "__main__":
    main()
