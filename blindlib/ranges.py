"""The values that a setting may have: what is out of range is refused by its name when the setting is made."""

from dataclasses import fields

from blindlib.errors import InputError

RANGES = {  # field -> smallest and largest value that makes sense, of the number or of each in a tuple
    "strengths": (0.0, 1e3),
    "margin": (0.0, 4.0),
    "hidden": (1, 4096),
    "rounds": (1, 1000),
    "detector_steps": (1, 10**5),
    "head_steps": (1, 10**5),
    "identities": (2, 4096),
    "images": (2, 64),
    "expressions": (1, 4096),
    "rate": (1e-7, 1.0),
    "decay": (0.0, 10.0),
    "predictor_rate": (1e-7, 1.0),
    "entropy_share": (0.0, 10.0),
    "nn_epochs": (1, 10**4),
    "svm_c": (1e-6, 1e6),
    "rf_trees": (1, 10**4),
    "rf_leaf": (1, 1000),
    "rotations": (2, 100),
    "seeds": (0, 2**31),
    "shares": (0.01, 0.98),
    "id_budget": (0.0, 100.0),
    "demographics": (12, 10**6),
    "demographics_images": (2, 1000),
    "emotion": (8, 10**6),
    "folds": (2, 100),
    "fold_people": (4, 10**5),
    "verification_images": (2, 1000),
    "fold_pairs": (2, 10**5),
    "attractive": (20, 10**6),
    "attractive_images": (1, 1000),
    "inspected": (1, 10**6),
    "recognised": (2, 10**6),
    "biases": (0.5, 0.95),
    "bias": (0.5, 0.95),
    "train": (40, 10**6),
    "inverse_penalties": (1e-6, 1e6),
}


class Checked:
    """A dataclass whose numbers are held against `RANGES` when it is made; `InputError` names the one outside."""

    def __post_init__(self):
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = RANGES.get(field.name, (None, None))
            for number in value if isinstance(value, tuple) else (value,):
                if low is not None and not low <= number <= high:
                    raise InputError(
                        f"{type(self).__name__}.{field.name}", f"is {number}", f"use a value of {low} to {high}"
                    )
