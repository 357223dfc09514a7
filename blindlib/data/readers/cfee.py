"""Load CFEE: 230 posed subjects, each with a photograph of neutral, six basic and fifteen compound emotions."""

import re
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.common.pictures import SUFFIXES
from blindlib.data.checks import read_table
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import BASIC_EMOTIONS, COMPOUND_EMOTIONS

CATEGORIES = "categories.csv"
SUBJECTS = 230  # with fewer it is a subset, and not the paper's data
_BASIC = ("neutral", *BASIC_EMOTIONS)
_CODED = re.compile(r"^(?P<code>[0-9]{2})_(?P<subject>[0-9]{3})_[0-9]+\.(jpe?g|png)$", re.IGNORECASE)
_ADJECTIVES = ("happy", "sad", "fearful", "angry", "surprised", "disgusted")
_WORDS = {**dict(zip(_ADJECTIVES, BASIC_EMOTIONS, strict=True)), "awe": "awed", "hate": "hatred"}
_REMEDY = "see CFEE in DATA.md: `blindlib data fetch cfee` prints how to ask for it"


def load_cfee(root: Path, *, everything: bool = False) -> FaceTable:
    """Load CFEE as distributed, with `categories.csv` (see DATA.md), or sorted by hand: `subject/emotion/any.jpg`.

    By default neutral and the six basic emotions are loaded; `everything` adds the fifteen compound ones. `emotion` is
    the emotion that the subject posed. The provenance is `real` with all 230. `notes` counts photographs ignored: of
    compound emotions, and of the four categories beyond the paper's 22. Raises InputError without photographs, and for
    one that has no known emotion or occurs twice.

    Source: Du, Tao & Martínez, PNAS 2014. The distributed layout is known from public code, not from the data.
    """
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in SUFFIXES)
    if not files:
        raise InputError(root, "holds no photographs (.jpg or .png)", _REMEDY)
    emotion_of_code = _read_codes(root) if any(_CODED.match(Path(file).name) for file in files) else None
    rows = [(file, *_read_name(root, file, emotion_of_code)) for file in files]
    rows = pd.DataFrame(rows, columns=["image", "identity", "emotion"])
    frame = rows[rows["emotion"].isin((*_BASIC, *COMPOUND_EMOTIONS) if everything else _BASIC)]
    twice = frame[frame.duplicated(["identity", "emotion"])]
    if len(twice):
        image, subject, emotion = twice.iloc[0]
        raise InputError(root / image, f"subject {subject} shows {emotion!r} twice", "keep one of the two")
    subjects = frame["identity"].nunique()
    counted = {"photographs": len(rows), "passed over": len(rows) - len(frame), "subjects": subjects}
    provenance = "real" if subjects >= SUBJECTS else "substitute"
    return make_facetable(frame, root, name="CFEE", provenance=provenance, notes={"CFEE": counted})


def emotion_of(words: str) -> str:
    """Return a category's name in the face table: `Happy` -> `happiness`, `Sadly_Angry` -> `sadly angry`."""
    plain = " ".join(re.split(r"[\s_-]+", words.strip().lower()))
    return _WORDS.get(plain, plain)


def _read_codes(root: Path) -> dict[int, str]:
    remedy = "save the sheet 'summary' of AU_annotation_all_subjects.xls there as CSV: code,emotion"
    listing = read_table(root / CATEGORIES, "the table of CFEE's category codes", ["code", "emotion"], remedy)
    code = listing.rows["code"].str.strip()
    listing.refuse(~code.str.fullmatch("[0-9]{1,2}"), "expected a code, got {code!r}", "mend it")
    emotion_of_code = dict(zip(code.astype(int), listing.rows["emotion"].map(emotion_of), strict=True))
    missing = ", ".join(emotion for emotion in _BASIC if emotion not in emotion_of_code.values())
    if missing:
        raise InputError(listing.path, f"names no {missing}", "use the words neutral, happy, sad, … or DATA.md's")
    return emotion_of_code


def _read_name(root: Path, file: str, emotion_of_code: dict[int, str] | None) -> tuple[str, str]:
    """Return a file's subject and emotion, by the code in its name; without codes by its folders."""
    if emotion_of_code is None:
        folders = file.split("/")
        if len(folders) != 3 or emotion_of(folders[1]) not in (*_BASIC, *COMPOUND_EMOTIONS):
            raise InputError(root / file, "does not lie in subject/emotion/", "sort it so, or remove it")
        return folders[0], emotion_of(folders[1])
    match = _CODED.match(Path(file).name)
    if match is None or int(match["code"]) not in emotion_of_code:
        problem = f"is not named code_subject_photograph.jpg with a code of {CATEGORIES}"
        raise InputError(root / file, problem, "rename or remove it")
    return match["subject"], emotion_of_code[int(match["code"])]
