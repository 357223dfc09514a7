"""The numbers that every room means by the same name: balanced accuracy, effective rank, Diff, intervals."""

import numpy as np
from scipy import stats

AT_CHANCE = 0.05  # points from chance: what prints as chance with one decimal


def balanced_accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall over the classes that occur in `truth` (N,), in percent; chance is 100 / their number."""
    classes, code = np.unique(truth, return_inverse=True)
    hits = np.bincount(code, guess == truth, len(classes))
    return 100 * float((hits / np.bincount(code)).mean())


def diff(x: float, phi: float, chance: float) -> float:
    """Diff: the share of the above-chance performance that is lost, in percent; NaN where x prints as chance,
    or where one of them is not known.

    Source: not printed in the paper; its own columns give back its printed ones by it, within rounding.
    """
    return float("nan") if abs(x - chance) < AT_CHANCE else 100 * (x - phi) / (x - chance)


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of the 95 % t-interval of independent values; the half-width of one value is NaN."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


def spectrum(z: np.ndarray) -> np.ndarray:
    """Eigenvalues of the covariance of z (N, D) over their sum, those above 0, rising; none of a constant z."""
    share = np.linalg.eigvalsh(np.atleast_2d(np.cov(np.asarray(z, np.float64), rowvar=False))).clip(0)
    return share[share > 0] / max(share.sum(), 1e-300)


def effective_rank(z: np.ndarray) -> float:
    """exp of the entropy of the covariance's normalised eigenvalues, of z (N, D): 1 for a line or a point, at most D.

    Source: Roy & Vetterli 2007.
    """
    share = spectrum(z)
    return float(np.exp(-(share * np.log(share)).sum()))


def people_needed(half_width: float, rate: float, images: float, alike: float, rotations: int) -> int:
    """How many people have to be tested, in all rotations together, for an interval of some half-width.

    Parameters
    ----------
    half_width, rate : float
        Wanted of `interval`, and the rate that is expected, both in percent.
    images : float
        Of each person, on average.
    alike : float
        Correlation of one person's answers, 0 to 1: at 1 a second image of a person tells nothing.

    Source: variance of a mean of clusters (Kish 1965), p (1 − p) (1 + (images − 1) alike) / (people · images).
    """
    share, width = rate / 100, half_width / 100
    spread = share * (1 - share) * (1 + (images - 1) * alike) / images
    return int(np.ceil(stats.t.ppf(0.975, rotations - 1) ** 2 * spread / width**2))


def paired_diff(x: np.ndarray, phi: np.ndarray, chance: float) -> tuple[float, float, np.ndarray]:
    """Diff of the means of x and φ by rotation, with the half-width of its interval.

    Parameters
    ----------
    x, phi : float arrays (rotations,)
        What was measured of the same people, in percent.
    chance : float

    Returns
    -------
    lost, half_width : float
        Diff of the means, and the half-width of the drop's interval as a share of what x has above chance, in percent;
        NaN where x prints as chance.
    by_rotation : float array (rotations,)
        The same share of every rotation's own drop.
    """
    of_x, of_phi = np.asarray(x, float), np.asarray(phi, float)
    lost = diff(of_x.mean(), of_phi.mean(), chance)
    above = of_x.mean() - chance
    half = float("nan") if np.isnan(lost) else 100 * interval(of_x - of_phi)[1] / abs(above)
    with np.errstate(divide="ignore", invalid="ignore"):  # where x is at chance
        return lost, half, 100 * (of_x - of_phi) / above
