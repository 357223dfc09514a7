"""Store results, one row for each measurement, and summarise them by an interval over rotations."""

from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.files import made_by, parsed, write_csv
from blindlib.metrics import interval

COLUMNS = (
    "preset",
    "dataset",
    "provenance",
    "representation",
    "method",
    "strength",
    "task",
    "probe",
    "protocol",
    "rotation",
    "seed",
    "metric",
    "value",
    "chance",
    "n_train_subjects",
    "n_test_subjects",
    "n_test",
)


def tidy(rows: list[dict], metrics: tuple[str, ...], **constant) -> pd.DataFrame:
    """Turn a column for each metric into a row for each measurement, with the columns `COLUMNS`."""
    if not rows:
        return pd.DataFrame(columns=list(COLUMNS))
    wide = pd.DataFrame(rows).assign(**constant)
    keys = [column for column in COLUMNS if column in wide and column not in metrics]
    long = wide.melt(id_vars=keys, value_vars=list(metrics), var_name="metric", value_name="value")
    return long.reindex(columns=list(COLUMNS))


def save_results(frame: pd.DataFrame, path: Path) -> Path:
    """Write result rows atomically, with six decimals."""
    return write_csv(path, frame, float_format="%.6f")


def load_results(path: Path) -> pd.DataFrame:
    """Load result rows.

    Raises
    ------
    InputError
        If the file is absent, damaged or has other columns.
    """
    remedy = made_by("02_baseline" if path.stem.endswith("baseline") else "05_probes")
    frame = parsed(path, remedy, pd.read_csv)
    if list(frame.columns) != list(COLUMNS):
        raise InputError(path, f"has the columns {list(frame.columns)[:6]}…", remedy, line=1)
    return frame


def summarise(frame: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Return mean and interval of `value` over rotations; a rotation's value is the mean of its seeds.

    Rotations test different subjects, so the interval covers the choice of subjects as well as of training runs. They
    share training subjects, so it is too narrow, like every interval from cross-validation.

    Parameters
    ----------
    frame : DataFrame
        Result rows of one metric.
    by : list of str
        The columns that define a cell.

    Returns
    -------
    DataFrame
        `by`, `mean`, `half_width`, `chance`, `n_train_subjects` (smallest), `n_test_subjects`, `n_test` (sums over
        rotations, mean over seeds), `seeds`.
    """
    rows = []
    for cell, group in frame.groupby(by, sort=False, dropna=False):
        rotations = group.groupby("rotation")[["value", "n_test_subjects", "n_test"]].mean()
        mean, half_width = interval(rotations["value"])
        rows.append(
            {
                **dict(zip(by, cell, strict=True)),
                "mean": mean,
                "half_width": half_width,
                "chance": group["chance"].mean(),
                "n_train_subjects": group["n_train_subjects"].min(),
                "n_test_subjects": round(rotations["n_test_subjects"].sum()),
                "n_test": round(rotations["n_test"].sum()),
                "seeds": group["seed"].nunique(),
            }
        )
    counts = ["chance", "n_train_subjects", "n_test_subjects", "n_test", "seeds"]
    return pd.DataFrame(rows, columns=[*by, "mean", "half_width", *counts])
