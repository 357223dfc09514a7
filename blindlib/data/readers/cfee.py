"""CFEE: 230 posed subjects, neutral, six basic and fifteen compound expressions, one photograph of each."""

import re
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.data.checks import check_images, inside, read_csv, require_columns, require_file
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import BASIC_EMOTIONS, COMPOUND_EMOTIONS

CATEGORIES = "categories.csv"
SUBJECTS = 230  # fewer are a part of it, and no table of the paper's
_CODED = re.compile(r"^(?P<code>\d{2})_(?P<subject>\d{3})_\d+\.jpe?g$", re.IGNORECASE)
_WORDS = {
    "happy": "happiness",
    "sad": "sadness",
    "fearful": "fear",
    "angry": "anger",
    "surprised": "surprise",
    "disgusted": "disgust",
    "awe": "awed",
    "hate": "hatred",
}
_REMEDY = "see CFEE in DATA.md: `blindlib data fetch cfee` prints how to ask for it"


def load_cfee(root: Path, *, everything: bool = False) -> FaceTable:
    """Load CFEE.

    Parameters
    ----------
    root : Path
        Either as distributed: `…/Images…/02_339_3470.jpg` (category code, subject, photograph) with `categories.csv`
        beside (`code,emotion`: the sheet `summary` of the distribution's `AU_annotation_all_subjects.xls`, saved as
        CSV), or sorted by hand: `subject/expression/any.jpg`, the folder named by the expression.
    everything : bool
        The fifteen compound expressions too; otherwise neutral and the six basic ones.

    Returns
    -------
    FaceTable
        `emotion`: what the subject was asked to show; `real` with all 230 subjects. `notes` counts photographs passed
        over: other categories (the distribution holds four more than the paper's 22), and, if so asked, compound ones.

    Raises
    ------
    InputError
        No photographs, no table of codes, a code or folder that names no known expression, a subject who shows one
        expression twice, a photograph that does not decode.

    Source: Du, Tao & Martínez, PNAS 2014. The layout as distributed is read off public code, not off the data.
    """
    root = Path(root)
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    files = [inside(root, file, root, 1) for file in files]
    if not files:
        raise InputError(root, "holds no photographs (.jpg)", _REMEDY)
    coded = [_CODED.match(Path(file).name) for file in files]
    rows = _of_codes(root, files, coded) if any(coded) else _of_folders(root, files)
    wanted = ("neutral", *BASIC_EMOTIONS, *(COMPOUND_EMOTIONS if everything else ()))
    known = rows["emotion"].isin(wanted)
    frame = rows[known].reset_index(drop=True)
    twice = frame.duplicated(["identity", "emotion"])
    if twice.any():
        row = frame[twice].iloc[0]
        raise InputError(
            root / row["image"], f"subject {row['identity']} shows {row['emotion']!r} twice", "keep one of the two"
        )
    if frame.empty:
        raise InputError(root, "holds no photograph of a known expression", _REMEDY)
    frame["sha256"] = check_images(root, list(frame["image"]))
    counted = {"photographs": len(rows), "passed over": int((~known).sum()), "subjects": frame["identity"].nunique()}
    kind = "real" if counted["subjects"] >= SUBJECTS else "substitute"
    return make_facetable(frame, root, name="CFEE", kind=kind, notes={"CFEE": counted})


def emotion_of(words: str) -> str:
    """An expression's name as the face table has it: `Happy` -> `happiness`, `Sadly_Angry` -> `sadly angry`."""
    plain = " ".join(re.split(r"[\s_-]+", words.strip().lower()))
    return _WORDS.get(plain, plain)


def _of_codes(root: Path, files: list[str], coded: list) -> pd.DataFrame:
    path = require_file(
        root / CATEGORIES,
        "the table of CFEE's category codes",
        "save the sheet 'summary' of AU_annotation_all_subjects.xls there as CSV: code,emotion",
    )
    table = read_csv(path)
    require_columns(path, list(table.columns), ["code", "emotion"])
    name_of = {}
    for line, (code, words) in enumerate(table[["code", "emotion"]].fillna("").to_numpy(), 2):
        if not code.strip().isdigit() or not words.strip():
            raise InputError(path, f"expected a code and an emotion, got {code!r}, {words!r}", "mend it", line=line)
        if int(code) in name_of:
            raise InputError(path, f"repeats the code {int(code)}", "keep one line of the two", line=line)
        name_of[int(code)] = emotion_of(words)
    known = set(name_of.values())
    missing = [emotion for emotion in ("neutral", *BASIC_EMOTIONS) if emotion not in known]
    if missing:
        raise InputError(path, f"names no {', '.join(missing)}", "use the words neutral, happy, sad, … or DATA.md's")
    rows = []
    for file, match in zip(files, coded, strict=True):
        if match is None or int(match["code"]) not in name_of:
            raise InputError(
                root / file,
                f"is not named code_subject_photograph.jpg with a code of {CATEGORIES}",
                "rename or remove it",
            )
        rows.append((file, match["subject"], name_of[int(match["code"])]))
    return pd.DataFrame(rows, columns=["image", "identity", "emotion"])


def _of_folders(root: Path, files: list[str]) -> pd.DataFrame:
    rows, known = [], ("neutral", *BASIC_EMOTIONS, *COMPOUND_EMOTIONS)
    for file in files:
        folders = file.split("/")
        if len(folders) != 3 or emotion_of(folders[1]) not in known:
            raise InputError(root / file, "does not lie in subject/expression/", "sort it so, or remove it")
        rows.append((file, folders[0], emotion_of(folders[1])))
    return pd.DataFrame(rows, columns=["image", "identity", "emotion"])
