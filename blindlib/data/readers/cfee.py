"""CFEE: 230 posed subjects, each with a photograph of neutral, six basic and fifteen compound emotions."""

import re
from pathlib import Path

import pandas as pd

from blindlib.common.errors import InputError
from blindlib.data.checks import inside, read_table
from blindlib.data.facetable import FaceTable, make_facetable
from blindlib.settings import BASIC_EMOTIONS, COMPOUND_EMOTIONS

CATEGORIES = "categories.csv"
SUBJECTS = 230  # fewer are a part of it, and no table of the paper's
_BASIC = ("neutral", *BASIC_EMOTIONS)
_CODED = re.compile(r"^(?P<code>\d{2})_(?P<subject>\d{3})_\d+\.jpe?g$", re.IGNORECASE)
_ADJECTIVES = ("happy", "sad", "fearful", "angry", "surprised", "disgusted")
_WORDS = {**dict(zip(_ADJECTIVES, BASIC_EMOTIONS, strict=True)), "awe": "awed", "hate": "hatred"}
_REMEDY = "see CFEE in DATA.md: `blindlib data fetch cfee` prints how to ask for it"


def load_cfee(root: Path, *, everything: bool = False) -> FaceTable:
    """Load CFEE as distributed, with `categories.csv` (see DATA.md), or sorted by hand: `subject/emotion/any.jpg`.

    Neutral and the six basic emotions are read, or everything: the fifteen compound ones too. Raises InputError without
    photographs, and for one that has no known emotion or stands there twice.

    `emotion`: what the subject was asked to show; `real` with all 230 subjects. `notes` counts photographs passed over:
    other categories (the distribution holds four more than the paper's 22), and, unless asked for, compound ones.

    Source: Du, Tao & Martínez, PNAS 2014. The layout as distributed is read off public code, not off the data.
    """
    root = Path(root)
    files = sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    if not files:
        raise InputError(root, "holds no photographs (.jpg)", _REMEDY)
    files = [inside(root, file, root) for file in files]
    read = _read_codes if any(_CODED.match(Path(file).name) for file in files) else _read_folders
    rows = pd.DataFrame(read(root, files), columns=["image", "identity", "emotion"])
    frame = rows[rows["emotion"].isin((*_BASIC, *COMPOUND_EMOTIONS) if everything else _BASIC)]
    if frame.empty:
        raise InputError(root, "holds no photograph of a known emotion", _REMEDY)
    twice = frame[frame.duplicated(["identity", "emotion"])]
    if len(twice):
        image, subject, emotion = twice.iloc[0]
        raise InputError(root / image, f"subject {subject} shows {emotion!r} twice", "keep one of the two")
    subjects = frame["identity"].nunique()
    counted = {"photographs": len(rows), "passed over": len(rows) - len(frame), "subjects": subjects}
    kind = "real" if subjects >= SUBJECTS else "substitute"
    return make_facetable(frame, root, name="CFEE", kind=kind, notes={"CFEE": counted})


def emotion_of(words: str) -> str:
    """A category's name as the face table has it: `Happy` -> `happiness`, `Sadly_Angry` -> `sadly angry`."""
    plain = " ".join(re.split(r"[\s_-]+", words.strip().lower()))
    return _WORDS.get(plain, plain)


def _read_codes(root: Path, files: list[str]) -> list[tuple[str, str, str]]:
    """Every file with its subject and emotion, by the code in its name."""
    remedy = "save the sheet 'summary' of AU_annotation_all_subjects.xls there as CSV: code,emotion"
    listing = read_table(root / CATEGORIES, "the table of CFEE's category codes", ["code", "emotion"], remedy)
    code, words = listing.rows["code"].str.strip(), listing.rows["emotion"].str.strip()
    broken = ~code.str.fullmatch("[0-9]+") | (words == "")
    listing.refuse(broken, "expected a code and an emotion, got {code!r}, {emotion!r}", "mend it")
    listing.refuse(code.astype(int).duplicated(), "repeats the code {code}", "keep one line of the two")
    emotion_by_code = dict(zip(code.astype(int), words.map(emotion_of), strict=True))
    missing = ", ".join(emotion for emotion in _BASIC if emotion not in emotion_by_code.values())
    if missing:
        raise InputError(listing.path, f"names no {missing}", "use the words neutral, happy, sad, … or DATA.md's")
    rows = []
    for file in files:
        match = _CODED.match(Path(file).name)
        if match is None or int(match["code"]) not in emotion_by_code:
            problem = f"is not named code_subject_photograph.jpg with a code of {CATEGORIES}"
            raise InputError(root / file, problem, "rename or remove it")
        rows.append((file, match["subject"], emotion_by_code[int(match["code"])]))
    return rows


def _read_folders(root: Path, files: list[str]) -> list[tuple[str, str, str]]:
    """Every file with its subject and emotion, by the folders that it lies in."""
    rows = []
    for file in files:
        folders = file.split("/")
        if len(folders) != 3 or emotion_of(folders[1]) not in (*_BASIC, *COMPOUND_EMOTIONS):
            raise InputError(root / file, "does not lie in subject/emotion/", "sort it so, or remove it")
        rows.append((file, folders[0], emotion_of(folders[1])))
    return rows
