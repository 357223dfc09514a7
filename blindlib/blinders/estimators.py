"""The blinders with scikit-learn's face: fit, transform, save, load. What goes in comes out in the same shape."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from blindlib.blinders import leace as erasers
from blindlib.blinders.heads import ResidualHeads
from blindlib.blinders.lntl import fit_lntl
from blindlib.blinders.sensitivenets import fit_sensitivenets
from blindlib.blinders.training import TrainingSet, encode, pick_device
from blindlib.common.errors import InputError
from blindlib.common.files import atomic_path, write_json
from blindlib.settings import LNTLConfig, SensitiveNetsConfig


def save_arrays(path: Path, arrays: dict[str, torch.Tensor], meta: dict) -> Path:
    """Write arrays as safetensors and what describes them as JSON beside them, each atomically."""
    with atomic_path(Path(path).with_suffix(".safetensors")) as temporary:
        save_file(arrays, temporary)
    write_json(Path(path).with_suffix(".json"), meta)
    return Path(path).with_suffix(".safetensors")


def load_arrays(path: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what `save_arrays` wrote; nothing is unpickled.

    Raises
    ------
    InputError
        If a file is absent or is not safetensors or JSON.
    """
    path = Path(path).with_suffix(".safetensors")
    remedy = "train it again: run the notebook that makes it"
    try:
        return load_file(path), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(error.filename or path, "not found", remedy) from None
    except (SafetensorError, ValueError, OSError) as error:
        raise InputError(path, f"does not read as safetensors and JSON ({str(error)[:80]})", remedy) from None


def load_heads(path: Path) -> tuple[ResidualHeads, dict]:
    """Read a bank of heads.

    Raises
    ------
    InputError
        As `load_arrays`, and for weights of the wrong shape.
    """
    arrays, meta = load_arrays(path)
    try:
        return ResidualHeads.from_arrays(arrays), meta
    except ValueError as error:
        raise InputError(
            Path(path).with_suffix(".safetensors"),
            f"weights of the wrong shape: {error}",
            "use the file that this version saved, or train it again",
        ) from None


class _HeadBlinder:
    """A blinder that is one residual head."""

    name = ""
    task = "identity"

    def __init__(self, strength: float = 1.0, *, config=None, seed: int = 0, device: str = "auto"):
        self.strength, self.seed, self.device = float(strength), seed, device
        self.config = config if config is not None else self._default()
        self.heads: ResidualHeads | None = None
        self.history: list[dict] = []

    def fit(self, x, identity, expression, *, validation=None, **task):
        """Train the head on the rows that carry labels.

        Parameters
        ----------
        x : float array (N, D)
            Embeddings.
        identity : array-like of str (N,)
        expression : array-like of str or missing (N,)
            The sensitive label.
        validation : bool array (N,), optional
            Rows of people held back: fresh probes look at them after every round, and `history` keeps what they read.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If lengths differ, x is not finite, or there are fewer than two expressions.
        """
        x = np.asarray(x, dtype=np.float32)
        if x.ndim != 2 or not len(x) == len(identity) == len(expression):
            raise ValueError(f"expected x (N, D) with N labels, got {x.shape}, {len(identity)} and {len(expression)}")
        if not np.isfinite(x).all():
            raise ValueError("x holds values that are not finite: leave those rows out")
        people, _ = encode(identity)
        moods, classes = encode(expression)
        if len(classes) < 2:
            raise ValueError(f"expression needs two classes or more, got {classes}")
        held = np.zeros(len(x), bool) if validation is None else np.asarray(validation, bool)
        device = pick_device(self.device)
        data = TrainingSet(
            torch.as_tensor(x, device=device),
            people,
            moods,
            self._demographic(len(x), task),
            np.zeros(len(x), np.int64),
            [np.flatnonzero(~held)],
            [np.flatnonzero(held)],
        )
        config = dataclasses.replace(self.config, strengths=(self.strength,))
        heads, self.history = self._fit(data, config, tuple(classes), validation is not None)
        self.heads = heads.pick([0])
        return self

    def _demographic(self, count: int, task: dict) -> np.ndarray:
        labels = task.pop("demographic", None)
        if task:
            raise TypeError(f"fit got the unknown argument {next(iter(task))!r}")
        return encode(labels)[0] if labels is not None else np.full(count, -1)

    @torch.no_grad()
    def transform(self, x) -> np.ndarray:
        """φ(x) of embeddings x (N, D), float32, same shape.

        Raises
        ------
        ValueError
            If the blinder is not fitted or D differs.
        """
        if self.heads is None:
            raise ValueError(f"{type(self).__name__} is not fitted: call fit or load first")
        x = torch.as_tensor(np.array(x, dtype=np.float32))
        if x.ndim != 2 or x.shape[1] != self.heads.down.shape[1]:
            raise ValueError(f"expected x of shape (N, {self.heads.down.shape[1]}), got {tuple(x.shape)}")
        return self.heads(x[None])[0].numpy()

    def save(self, path: Path) -> Path:
        """Write `path`.safetensors and `path`.json; returns the former."""
        if self.heads is None:
            raise ValueError(f"{type(self).__name__} is not fitted: nothing to save")
        meta = {
            "method": self.name,
            "strength": self.strength,
            "seed": self.seed,
            "task": self.task,
            "config": dataclasses.asdict(self.config),
            "history": self.history,
        }
        return save_arrays(path, self.heads.arrays(), meta)

    @classmethod
    def load(cls, path: Path):
        """The blinder that `save` wrote; `InputError` if it is another method's or its weights have the wrong shape."""
        heads, meta = load_heads(path)
        if meta.get("method") != cls.name or len(heads.down) != 1:
            raise InputError(
                path,
                f"holds {meta.get('method')!r} ({len(heads.down)} heads), not one {cls.name}",
                f"load it with the class of {meta.get('method')!r}",
            )
        blinder = cls(meta["strength"], config=cls._restore(meta["config"]), seed=meta["seed"])
        blinder.heads, blinder.history, blinder.task = heads, meta["history"], meta["task"]
        return blinder

    @classmethod
    def _restore(cls, config: dict):
        kind = type(cls._default())
        return kind(**{name: tuple(v) if isinstance(v, list) else v for name, v in config.items()})


class SensitiveNets(_HeadBlinder):
    """φ_SN: `SensitiveNets(strength).fit(x, identity, expression).transform(x)`. See `blindlib.sensitivenets`."""

    name = "SN"
    _default = staticmethod(SensitiveNetsConfig)

    def _fit(self, data, config, classes, judge):
        if config.target not in classes:
            raise ValueError(f"the penalty's class {config.target!r} is not among the expressions {classes}")
        return fit_sensitivenets(data, config, classes, seed=self.seed, judge=judge)


class LNTL(_HeadBlinder):
    """φ_LNTL: as SensitiveNets; `task` is `identity`, or `demographic` with `fit(..., demographic=labels)`."""

    name = "LNTL"
    _default = staticmethod(LNTLConfig)

    def _fit(self, data, config, classes, judge):
        self.task = "demographic" if (data.demographic >= 0).any() else "identity"
        return fit_lntl(data, config, classes, task=self.task, seed=self.seed, judge=judge)


class LEACE:
    """The closed-form eraser of all that a linear probe reads; the row to beat. See `blindlib.erasers`."""

    name = "LEACE"

    def __init__(self):
        self.arrays: dict[str, torch.Tensor] | None = None

    def fit(self, x, identity, expression):
        """Fit on the rows of x (N, D) that carry an expression; identity is not used. Returns self."""
        moods, classes = encode(expression)
        self.arrays = erasers.fit_leace(np.asarray(x), moods, len(classes))
        return self

    def transform(self, x) -> np.ndarray:
        """φ(x) of embeddings x (N, D), float32, same shape."""
        if self.arrays is None:
            raise ValueError("LEACE is not fitted: call fit or load first")
        return erasers.apply_leace(self.arrays, np.asarray(x))

    def save(self, path: Path) -> Path:
        """Write `path`.safetensors and `path`.json; returns the former."""
        if self.arrays is None:
            raise ValueError("LEACE is not fitted: nothing to save")
        return save_arrays(path, self.arrays, {"method": self.name})

    @classmethod
    def load(cls, path: Path):
        """The eraser that `save` wrote."""
        blinder = cls()
        arrays, meta = load_arrays(path)
        shapes = {name: tuple(value.shape) for name, value in arrays.items()}
        dim = shapes.get("bias", (0,))[0]
        if meta.get("method") != cls.name or shapes != {"bias": (dim,), "projection": (dim, dim)}:
            raise InputError(path, f"weights of the wrong shape for LEACE: {shapes}", "fit it again")
        blinder.arrays = arrays
        return blinder


BLINDERS = {blinder.name: blinder for blinder in (SensitiveNets, LNTL, LEACE)}
