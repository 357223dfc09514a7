"""The numbers that every room means by the same name: balanced accuracy, effective rank, Diff, intervals."""

from numbers import Real

import numpy as np
from scipy import stats

from blindlib.common import door
from blindlib.common.errors import InputError

AT_CHANCE = 0.05  # points from chance: what prints as chance with one decimal


@door.takes("truth", "guess", truth=door.some(door.labels), guess=door.labels)
def balanced_accuracy(truth: np.ndarray, guess: np.ndarray) -> float:
    """Mean recall over the classes that occur in `truth` (N,), in percent; chance is 100 / their number.

    Raises InputError if one is not known, or guesses are of another kind than the truth.
    """
    try:
        classes, code = np.unique(truth, return_inverse=True)
        kinds = [door.type_of(labels[0]) for labels in (truth, guess)]
        if len({Real if issubclass(kind, Real) else kind for kind in kinds}) > 1:
            raise TypeError(" and ".join(kind.__name__ for kind in kinds))
    except TypeError as error:
        message = " ".join(str(error).split())[:90]
        raise InputError("truth, guess", f"are no classes of one kind ({message})", "give codes or names") from None
    hits = np.bincount(code, guess == truth, len(classes))
    return 100 * float((hits / np.bincount(code)).mean())


@door.takes(x=door.measured, phi=door.measured, chance=door.measured)
def diff(x: float, phi: float, chance: float) -> float:
    """Diff: the share of the above-chance performance that is lost, in percent; NaN where x prints as chance,
    or where one of them is not known.

    Source: not printed in the paper; its own columns give back its printed ones by it, within rounding.
    """
    return float("nan") if abs(x - chance) < AT_CHANCE else 100 * (x - phi) / (x - chance)


@door.takes(values=door.some(door.vector))
def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean and half-width of the 95 % t-interval of independent values; the half-width of one value is NaN."""
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return float(values.mean()), float("nan")
    return float(values.mean()), float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))


@door.takes(z=door.some(door.matrix, 2))
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


@door.takes(
    half_width=door.number(1e-3, 100),
    rate=door.number(0, 100),
    images=door.number(1e-3, 10**6),
    alike=door.number(0, 1),
    rotations=door.number(2, 10**6, whole=True),
)
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
    of_x, of_phi = (door.some(door.vector)(name, values) for name, values in (("x", x), ("phi", phi)))
    door.alike(x=of_x, phi=of_phi)
    lost = diff(of_x.mean(), of_phi.mean(), chance)
    above = of_x.mean() - chance
    half = float("nan") if np.isnan(lost) else 100 * interval(of_x - of_phi)[1] / abs(above)
    with np.errstate(divide="ignore", invalid="ignore"):  # where x is at chance
        return lost, half, 100 * (of_x - of_phi) / above
