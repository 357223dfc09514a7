"""`make tune`: select the settings of preset demo on development subjects, and keep every setting tried.

Development subjects are a rendered world of another seed: no subject of `demo` is among them. The table goes to
`blindlib/tuned.csv`; the chosen settings stand in `blindlib/presets.py` and `settings.py`, where a test compares them.
"""

from dataclasses import replace
from itertools import product

import pandas as pd

from blindlib.appendix.inversion import invert
from blindlib.blinders.lntl import LNTL
from blindlib.blinders.sensitivenets import SensitiveNets
from blindlib.blinders.training import TrainingSet, pick_device
from blindlib.common.files import ROOT, write_csv, write_parquet
from blindlib.common.work import on_all_cores, track
from blindlib.data.source import load_source
from blindlib.data.splits import deal, save_splits
from blindlib.evaluate.measure import KEPT_RELEASED, RELEASED_PROBES, make_tasks, measure_verification
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
TIE = 1.0  # points of accuracy within which the head that costs less identity, or more bits, are chosen
PROBE_TIE = 0.3  # points within which the cheaper probe is chosen
NETWORKS = [
    {"nn_steps": n, "nn_rate": rate, "nn_decay": decay}
    for n, rate, decay in product((240, 480, 960), (3e-3, 1e-2), (1.0, 3.0))
]
FORESTS = [{"rf_leaf": (n,), "rf_features": share} for n, share in product((10, 3), (0.03, 0.0625))]
MACHINES = [{"svm_c": (c,)} for c in (1.0, 3.0, 10.0)]
OF_KIND = {"NN": NETWORKS, "SVM": MACHINES, "RF": FORESTS}


def make_world() -> Study:
    """Make the development subjects' faces, pairs, splits and embeddings, as notebooks 01 and 02 make a preset's."""
    preset = PRESETS["demo"]
    PRESETS["development"] = replace(preset, name="development", synth=replace(preset.synth, seed=WORLD, attractive=20))
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
        self.tasks = {task.name: task for task in make_tasks(study.faces, study.preset)}
        self.x = study.embedded[0].x
        self.identity = pd.factorize(study.faces.frame["identity"])[0]
        self.x_id = self.verify(study.x)

    def verify(self, z) -> float:
        """Verification accuracy in percent, mean over folds."""
        rows = pd.DataFrame(measure_verification(z, self.study))
        return rows.loc[rows["metric"] == "balanced_accuracy", "value"].mean()

    def accuracy(self, z, probes=RELEASED_PROBES, name: str = "selected", task: str = "emotion", **settings) -> float:
        """Balanced accuracy of a probe in percent, mean over splits."""
        settings = replace(self.study.preset.probes, **settings)
        options = {"probes": probes, "identity": self.identity}
        rows = pd.DataFrame(run_probes(z, self.tasks[task], self.study.splits, settings, **options))
        return rows.loc[rows["probe"] == name, "balanced_accuracy"].mean()

    def kept(self, z) -> dict[str, float]:
        """Accuracy of gender and ethnicity in percent, by the probe of Table 1."""
        return {task: self.accuracy(z, KEPT_RELEASED, task=task) for task in ("gender", "ethnicity")}

    def release(self, stage: str, blinder, strength: float, bits: int | None, **settings) -> tuple[dict, object]:
        """Measure a trained head as it is released, and add the row; gives the row and φ."""
        z = blinder.representation(self.x, strength, bits).kept(len(self.study.faces))
        row = {"stage": stage, "method": blinder.name, "strength": strength, "bits": bits or "float", **settings}
        row |= {"accuracy": self.accuracy(z), "id_diff": diff(self.x_id, self.verify(z), 50.0)}
        self.rows.append(row | {"chosen": False})
        return self.rows[-1], z

    def heads(self, kind, part: str):
        """Try every rate and strength of a method in 6 bits; gives the chosen bank and strength."""
        strengths, banks, tried = STRENGTHS[kind().name], {}, []
        for rate in RATES:
            settings = replace(getattr(self.study.preset, part), rate=rate, strengths=(0.0, *strengths))
            banks[rate] = kind(bits=6, settings=settings).fit_splits(self.data, budget=self.study.preset.id_budget)
            for strength in strengths:
                options = {"rate": rate, "converged": banks[rate].converged_}
                tried.append(self.release("head", banks[rate], strength, 6, **options)[0])
        able = [row for row in tried if row["id_diff"] <= COST] or tried
        least = min(row["accuracy"] for row in able)
        best = min((row for row in able if row["accuracy"] <= least + TIE), key=lambda row: row["id_diff"])
        best["chosen"] = True
        return banks[best["rate"]], best["strength"]

    def bits(self, chosen: list[tuple]) -> None:
        """Release the chosen heads in every number of bits, against an inverting attacker too; choose one for both."""
        of_x, leak = self.kept(self.study.x), {}
        for bits in BITS:
            rows = []
            for bank, strength in chosen:
                row, z = self.release("bits", bank, strength, bits, rate=bank.used_settings.rate)
                inverted = pd.DataFrame(invert(z, self.x, self.tasks["emotion"], self.study.splits, self.identity))
                row["inversion"] = inverted["balanced_accuracy"].mean()
                kept = self.kept(z).items()
                chances = {name: 100 / len(self.tasks[name].classes) for name in of_x}
                row |= {f"{name}_diff": diff(of_x[name], value, chances[name]) for name, value in kept}
                rows.append(row)
            if bits and all(row["id_diff"] <= COST for row in rows):
                leak[bits] = sum(max(row["accuracy"], row["inversion"]) for row in rows) / len(rows)
        best = max(bits for bits, value in leak.items() if value <= min(leak.values()) + TIE)
        for row in self.rows:
            row["chosen"] |= row["stage"] == "bits" and row["bits"] == best

    def probes(self, shown: list) -> None:
        """Try every setting of NN, SVM and RF on some representations; choose the cheapest of the best."""
        for kind, grid in OF_KIND.items():
            views = ("standardised", "whitened") if kind in ATTACKERS else ("standardised",)
            tried = []
            for settings in track(grid, kind, unit="setting"):
                rows = []
                for view in views:
                    name = probe_name(kind, view)
                    read = {f"of {z.name}": self.accuracy(z, ((kind, view),), name, **settings) for z in shown}
                    row = {"stage": "probe", "method": name, "setting": str(settings)}
                    rows.append(row | {"accuracy": sum(read.values()) / len(read), **read, "chosen": False})
                tried.append(rows)
            means = [sum(row["accuracy"] for row in rows) / len(rows) for rows in tried]
            first = next(n for n, mean in enumerate(means) if mean >= max(means) - PROBE_TIE)  # the cheapest come first
            for row in tried[first]:
                row["chosen"] = True
            self.rows += [row for rows in tried for row in rows]


def main() -> None:
    """Tune, and write the table."""
    tuning = Tuning(make_world())
    methods = [(SensitiveNets, "sensitivenets"), (LNTL, "lntl")]
    chosen = on_all_cores(lambda method: tuning.heads(*method), methods)
    tuning.bits(chosen)
    phi = [bank.representation(tuning.x, strength) for bank, strength in chosen]
    tuning.probes([tuning.study.x, *(z.kept(len(tuning.x)) for z in phi)])
    print(write_csv(ROOT / "blindlib" / "tuned.csv", pd.DataFrame(tuning.rows), float_format="%.2f"))


if __name__ == "__main__":
    main()
