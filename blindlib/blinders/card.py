"""A model card for every saved blinder, as the Hugging Face hub reads it: what was measured, and what it is not."""

import inspect
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pydantic_core import to_jsonable_python

from blindlib.common.errors import InputError
from blindlib.common.files import damage, write_text
from blindlib.metrics import diff

_FRONT = """---
license: other
license_name: that-of-the-training-data
library_name: blindlib
pipeline_tag: feature-extraction
tags: [face-recognition, biometrics, privacy, fairness, attribute-removal, {kind}]
---
"""
_PROBED = (
    "Read: balanced accuracy in %, of the best of fresh probes (a network, ridge regressions) that one half of the\n"
    "validation people trains and the other tests. Verified: the share of their pairs, in %, that the best threshold\n"
    "gets right; chance 50. Cost: the share of verification above chance that is lost, in %. These people chose the\n"
    "round{chosen}, so the numbers flatter the head: measure it on people who had no part in it."
)
_NOTHING = "Nothing: no people were held back. What is still read of φ(x), and what identity costs, is not known."
_LIMITS = """## What this is not

* **No proof.** More labelled people, other attackers or other labels may read more; what was not read is not proved to
  be gone. Other attributes (gender, age, who is shown) are not hidden.
* **No anonymity.** φ(x) still tells who is shown: it is biometric data, and the law that holds for x holds for it.

It must not be used to decide about persons, to claim that data are anonymous or that a decision is fair, to recognise
emotions (alone, or as what x has and φ(x) lacks), or for surveillance. It is meant for research on what embeddings give
away.
"""


def write_card(file: Path, blinder, notes: Sequence[str] = ()) -> Path:
    """Write the model card of a fitted blinder to `file`, with further sentences on what was measured; returns `file`.

    Raises
    ------
    InputError
        If the file is there and is no card.
    """
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() and not damage(file) else ""
    if text and "library_name: blindlib" not in text[:400]:
        raise InputError(file, "exists and is no model card", "name another path: the card would take its place")
    return write_text(file, card(blinder, notes))


def card(blinder, notes: Sequence[str] = ()) -> str:
    """The model card of a fitted blinder, Markdown below YAML: counts of people and images, and nobody's name.

    `notes` are sentences on what was measured elsewhere; without them and without validation people in `history_` the
    card says that nothing was measured. Its licence is the training data's: the weights are made of their embeddings.

    Source: Mitchell et al. 2019, arXiv 1810.03993, for what a card tells.
    """
    kind, classes = type(blinder), blinder.classes_
    says = " ".join((inspect.getdoc(kind) or "").split("\n\n")[0].split())
    source = re.search(r"Source: (.+?)(?:\n\n|$)", inspect.getdoc(kind) or "", re.S)
    known = f"{len(classes)} classes, {_code(classes)}; chance {100 / len(classes):.1f} %" if classes else "not known"
    lines = [
        f"# {blinder.name}: a map of face embeddings that hides an attribute",
        f"* **Method**: {kind.__name__}. {says}\n"
        f"* **Source**: {' '.join(source[1].split()) if source else 'none but this package.'}\n"
        f"* **Takes** x of {blinder.n_features_in_} dimensions, of the network that it was fitted on; gives as many.\n"
        f"* **Hides**: {known}.\n"
        f"* **Settings**: {_code(blinder.get_params())}\n" + "\n".join(_training(blinder)),
        "## What was measured",
        *_measured(blinder, notes),
        _LIMITS,
    ]
    return _FRONT.format(kind=kind.__name__.lower()) + "\n" + "\n\n".join(lines)


def _code(value: object) -> str:
    """A value as JSON in a code span: labels may hold anything."""
    return f"`{json.dumps(to_jsonable_python(value), ensure_ascii=False).replace('`', chr(39))}`"


def _training(blinder) -> Iterator[str]:
    """What it was trained on, a line for each split, and λ."""
    for split, images in enumerate(blinder.images_ or []):
        people = f"{blinder.people_[split]:,} people" if blinder.people_ else "nobody said of how many people"
        yield f"* **Trained on** (split {split}): {images:,} images, {people}."
    if not blinder.images_:
        yield "* **Trained on**: the file does not say how many people and images."
    if hasattr(blinder, "strengths_"):
        chosen = ", ".join(f"{strength:g}" for strength in blinder.chosen_)
        trained = ", ".join(f"{strength:g}" for strength in blinder.strengths_)
        yield f"* **λ**: {chosen} (of each split); trained at {trained}."


def _measured(blinder, notes: Sequence[str]) -> Iterator[str]:
    """What validation people told of the kept heads at the chosen λ, as a table, and the notes."""
    rows = [row for row in getattr(blinder, "history_", []) if "attribute" in row]
    rows.sort(key=lambda row: row["split"])
    start, table = {row["split"]: row for row in rows if row["round"] == 0}, []
    for row in rows:
        if row["kept"] and row["strength"] == blinder.chosen_[row["split"]]:
            x = start[row["split"]]
            cost = diff(x["identity"], row["identity"], 50.0)
            values = (x["attribute"], row["attribute"], x["identity"], row["identity"], cost)
            table.append(" | ".join([f"| {row['split']} | {row['strength']:g}", *(f"{v:.1f}" for v in values)]) + " |")
    if table:
        head = "| split | λ | read of x | read of φ(x) | verified by x | by φ(x) | cost |\n|" + " --- |" * 7
        yield "\n".join([head, *table])
        yield _PROBED.format(chosen=" and λ" if len(blinder.strengths_) > 1 else "")
    if notes:
        yield "\n".join(f"* {note}" for note in notes)
    elif not table:
        yield _NOTHING
