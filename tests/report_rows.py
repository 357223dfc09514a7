"""Result rows and study rows whose content is known, for the tests of the report."""

from itertools import product

import pandas as pd

from blindlib.data.facetable import make_facetable
from blindlib.evaluate.results import COLUMNS
from blindlib.report import tables
from blindlib.report.claims import judge_claims, scorecard

TASKS = {"ID": ("ID", "verification"), "Gender": ("gender", "selected"), "Ethnicity": ("ethnicity", "selected")}
TASKS |= {f"Emotion ({probe})": ("emotion", probe) for probe in ("NN", "SVM", "RF")}
TASKS |= {"Emotion (whitened)": ("emotion", "selected")}


def result_rows(means, domains=("ID", "Emotion (NN)"), seeds=(0, 1)):
    """Balanced accuracies by representation: the mean, and 0 to 4 by rotation and the number of the seed on top."""
    rows = [
        {
            **{
                "preset": "t",
                "dataset": "d",
                "provenance": "substitute",
                "protocol": "B",
                "metric": "balanced_accuracy",
            },
            **{"n_train_subjects": 9, "n_test_subjects": 10, "n_test": 20, "chance": 50.0},
            **{"representation": name, "rotation": rotation, "seed": seed, "value": mean + rotation + seed},
            **dict(zip(("task", "probe"), TASKS[domain], strict=True)),
        }
        for (name, mean), domain, rotation, seed in product(means.items(), domains, range(5), seeds)
    ]
    return pd.DataFrame(rows).reindex(columns=list(COLUMNS))


def study_rows(gaps, acc=70.0):
    """Rows of the case study in five rotations; `gaps`: representation -> its gap at bias 0.5 and at 0.7."""
    rows = [
        {
            **{"representation": name, "bias": bias, "rotation": rotation, "seed": rotation},
            **{"acc": acc + 0.1 * rotation, "gap": gap + 0.1 * rotation},
            **{"tpr_smiling": 80.0 + gap + 0.1 * rotation, "tpr_not_smiling": 80.0},
            **{"n_train": 600, "n_test": 40, "n_test_subjects": 30},
        }
        for name, (fair, biased) in gaps.items()
        for bias, gap in ((0.5, fair), (0.7, biased))
        for rotation in range(5)
    ]
    return pd.DataFrame(rows)


def one_face():
    """One rendered face: what kind of data the numbers stand on."""
    frame = pd.DataFrame({"image": ["a"], "identity": ["p"], "sha256": ["0" * 64]})
    return make_facetable(frame, "nowhere", name="t", provenance="synthetic")


def write_run(folder):
    """Write Table 1, Table 2 and the claims of known rows, as notebooks 05 and 06 do."""
    means = {"x": 75.0, "SN": 65.0, "LNTL": 60.0, "SN 6 bits": 55.0, "LNTL 6 bits": 56.0, "x 6 bits": 74.0}
    controls = {"SN λ=0": 70.0, "LNTL λ=0": 71.0, "SN λ=0 6 bits": 58.0, "LNTL λ=0 6 bits": 66.0}
    results = result_rows(means | controls, TASKS)
    study = study_rows({name: (2.0, 17.0 if name == "x" else 3.0) for name in means})
    one, two = tables.table1(results), tables.table2(study, 0.7, one_face())
    verdicts = judge_claims(results, study, 0.7, 6)
    tables.save_table(one, tables.readable(one), folder, "table1", "Table 1")
    tables.save_table(two, tables.readable2(two), folder, "table2", "Table 2")
    tables.save_table(verdicts, scorecard(verdicts, 6), folder, "claims", "The claims")
    return folder
