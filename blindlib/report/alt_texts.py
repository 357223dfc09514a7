"""Hold the alternative text of every figure that a notebook saves, by its name.

A text says what is drawn and how to read it. The results differ from run to run, and are in the CSV.
"""

ALT_TEXTS = {
    "contact_sheet": "Grid of rendered faces: eight subjects of both genders and three groups in rows, neutral and the "
    "six basic expressions in columns.",
    "compound_gallery": "Grid of fifteen rendered portraits of one person, each showing a compound expression, from "
    "happily surprised to awed, named above it.",
    "realism": "Left, how often dlib's detector finds exactly one face in rendered frames, by emotion and group, with "
    "intervals and the asked rate. Right, histograms of dlib's distances between pictures of one person and of two.",
    "alignment": "Four rendered portraits in columns: above, the frame with the detected box and five points; below, "
    "the same face as each backbone sees it, aligned.",
    "framework": "Diagram from left to right: rendered faces and their grey crops, the frozen backbone, the embedding "
    "x, the head φ with the triplet loss and the adversary that train it, and behind φ(x) the tasks to be kept and the "
    "probes from which emotion is to be hidden.",
    "synthetic_leaks": "A panel for each planted leak, a row for each method: the strongest attacker's accuracy in "
    "float (hollow) and in few bits (filled), beside chance; a last panel shows the lowest identity score.",
    "adversaries": "Three line plots by training epoch, one for each way to train against adversaries: the accuracy of "
    "the adversary network and that of the validation probes.",
    "probe_suite": "Dot plot, a row for each representation: balanced accuracy of every kind of probe on standardised "
    "and on whitened features in grey, the selected probe with its interval in colour, a dotted line at chance.",
    "learning_curves": "Line plot: balanced accuracy of the selected probe by the number of subjects who train it, a "
    "line for each representation with intervals, dashed where it is released in few bits; a dotted line marks chance.",
    "inversion": "Two dot plots, a row for each representation: R² of the embedding x that a network reconstructs, and "
    "the accuracy with which emotion is predicted from the reconstruction; a dotted line marks chance.",
    "more_subjects": "Dot plot, a row for each representation: accuracy of the selected probe with the run's training "
    "subjects and with twice as many, the difference in numbers.",
    "degenerate_svm": "Two line plots by the norm of x: balanced accuracy of an SVM and the share of its most "
    "predicted class, for both defaults of γ and for equal and slightly unequal classes; a dotted line marks chance.",
    "roc": "Corner of the ROC: true accept rate by false accept rate on a logarithmic axis, a curve for each "
    "representation; the legend gives the true accept rate at a false accept rate of one percent.",
    "frontier": "Four scatter plots, in float and in 8, 6 and 4 bits: verification accuracy (better to the right) "
    "against the selected probe of emotion (better below), each method and λ with intervals; dotted lines mark chance.",
    "tradeoff": "Scatter plot of verification accuracy (better to the right) against probe accuracy of emotion (better "
    "below). A line joins each representation under the paper's probes (hollow), a probe that whitens (filled) and "
    "after rounding (cross). A dotted line marks chance.",
    "penalty_sweep": "Line plot of the gap between the true positive rates of smiling and other faces by the "
    "classifier's inverse penalty C on a logarithmic axis, with intervals, for x, φ_SN and φ_SN in few bits.",
}


def alt_text(name: str) -> str:
    """Return the alternative text of a figure, by the name under which it is saved, or ""."""
    return ALT_TEXTS.get(name, "")
