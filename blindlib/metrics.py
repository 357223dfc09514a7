"""Define the metrics that all packages share: balanced accuracy, effective rank, Diff, intervals."""

import numpy as np
from scipy import stats

AT_CHANCE = 0.05  # points from chance: what rounds to chance with one decimal


def balanced_accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Return the mean recall of the classes in `truth` (N,), in percent; chance is 100 / their number."""
    classes, code = np.unique(truth, return_inverse=True)
    hits = np.bincount(code, guess == truth, len(classes))
    return 100 * float((hits / np.bincount(code)).mean())


def diff(x: float, phi: float, chance: float) -> float:
    """Return Diff, the share of above-chance performance lost, in percent; NaN if x rounds to chance or one is missing.

    Source: not printed in the paper; the formula reproduces its printed values within rounding.
    """
    return float("nan") if abs(x - chance) < AT_CHANCE else 100 * (x - phi) / (x - chance)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Return mean and half-width of the 95 % t-interval of independent values; the half-width of one value is NaN."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def spectrum(z: np.ndarray) -> np.ndarray:
    """Return the covariance eigenvalues of z (N, D) over their sum, those above 0, rising; none of a constant z."""
    share = np.linalg.eigvalsh(np.atleast_2d(np.cov(np.asarray(z, np.float64), rowvar=False))).clip(0)
    return share[share > 0] / max(share.sum(), 1e-300)


def effective_rank(z: np.ndarray) -> float:
    """Return the effective rank of z (N, D), exp of the spectrum's entropy: 1 for a line or a point, at most D.

    Source: Roy & Vetterli 2007.
    """
    share = spectrum(z)
    return float(np.exp(-(share * np.log(share)).sum()))


def people_needed(half_width: float, rate: float, images: float, alike: float, rotations: int) -> int:
    """Return the number of test subjects, over all rotations, that an interval of some half-width needs.

    Parameters
    ----------
    half_width, rate : float
        The half-width of `interval`, and the expected rate, both in percent.
    images : float
        The mean number of images of a subject.
    alike : float
        Correlation of a subject's outcomes, 0 to 1: at 1 a second image of a subject adds nothing.

    Source: variance of a mean of clusters (Kish 1965), p (1 − p) (1 + (images − 1) alike) / (people · images).
    """
    share, width = rate / 100, half_width / 100
    spread = share * (1 - share) * (1 + (images - 1) * alike) / images
    return int(np.ceil(stats.t.ppf(0.975, rotations - 1) ** 2 * spread / width**2))


def paired_diff(x: np.ndarray, phi: np.ndarray, chance: float) -> tuple[float, float, np.ndarray]:
    """Return Diff of the means of x and φ by rotation, with the half-width of its interval.

    Parameters
    ----------
    x, phi : float arrays (rotations,)
        Results of the same test subjects, in percent.
    chance : float

    Returns
    -------
    lost, half_width : float
        Diff of the means, and the half-width of the drop's interval over the above-chance performance of x, in percent;
        NaN where x rounds to chance.
    by_rotation : float array (rotations,)
        The drop of each rotation, over the mean above-chance performance of x, in percent.
    """
    of_x, of_phi = np.asarray(x, float), np.asarray(phi, float)
    lost = diff(of_x.mean(), of_phi.mean(), chance)
    above = of_x.mean() - chance
    half = float("nan") if np.isnan(lost) else 100 * interval(of_x - of_phi)[1] / abs(above)
    with np.errstate(divide="ignore", invalid="ignore"):  # where x is at chance
        return lost, half, 100 * (of_x - of_phi) / above
