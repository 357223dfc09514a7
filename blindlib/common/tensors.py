"""Files of weights, read without unpickling: whole, of floating point, finite; or one line says what is wrong.

And `fold_norms`, which makes a loaded network faster.
"""

import warnings
from itertools import pairwise
from pathlib import Path
from zipfile import ZipFile, is_zipfile

import torch
from safetensors import safe_open
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from blindlib.common.errors import InputError, reason
from blindlib.common.reading import parse_json, require_file

LIMIT = 1 << 30  # bytes of a network: ten times those of ResNet-50


def read_safetensors(path: Path, what: str, remedy: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """The tensors of a file, by name, and its metadata. `what` it is and the `remedy` are for the error.

    Raises
    ------
    InputError
        If it is absent, no regular file, damaged, or names a tensor twice (the library takes the last).
    """
    require_file(path, what, remedy)
    try:
        with path.open("rb") as stream:
            parse_json(stream.read(min(int.from_bytes(stream.read(8), "little"), path.stat().st_size)))
        with safe_open(path, "pt") as file:
            # copied: what is mapped ends the process by SIGBUS where the file is cut afterwards
            return {name: file.get_tensor(name).clone() for name in file.keys()}, file.metadata() or {}  # noqa: SIM118
    except Exception as error:  # a damaged file raises many types
        raise InputError(path, f"does not read as safetensors ({reason(error)})", remedy) from None


def read_state(path: Path, what: str, remedy: str) -> dict[str, torch.Tensor]:
    """The tensors of a `.pth` file, by name; nothing is unpickled but tensors.

    Raises
    ------
    InputError
        If it is absent, no regular file, damaged, no dictionary of tensors, or has or unpacks to more than `LIMIT`.
    """
    require_file(path, what, remedy, LIMIT)
    try:
        if is_zipfile(path):
            with ZipFile(path) as opened:
                require_room(sum(member.file_size for member in opened.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it tells of sparse tensors; `require_weights` refuses them
            found = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # a damaged file, or one with more than tensors: torch raises many types
        problem = f"is no .pth file of tensors, or a part of one ({type(error).__name__}: {reason(error, 60)})"
        raise InputError(path, problem, remedy) from None
    if not isinstance(found, dict) or not all(isinstance(n, str) and torch.is_tensor(v) for n, v in found.items()):
        raise InputError(path, "holds no state dict (names -> tensors)", remedy)
    return dict(found)


def require_room(size: int) -> None:
    """Raise ValueError if so many bytes are more than weights may take."""
    if size > LIMIT:
        raise ValueError(f"it would take {size:,} bytes of memory, {LIMIT:,} at most")


def require_weights(path: Path, tensors: dict[str, torch.Tensor], remedy: str) -> None:
    """Raise InputError at the first tensor that cannot be a weight: no dense floats, NaN, or a variance below 0."""
    for name, value in tensors.items():
        wrong = ""
        if name.endswith("num_batches_tracked"):  # a count, which plays no part once a network is frozen
            continue
        if value.layout is not torch.strided or value.device.type != "cpu" or not value.is_floating_point():
            wrong = f"{str(value.dtype).removeprefix('torch.')}, not dense floating point"
        elif not torch.isfinite(value.float()).all():
            wrong = "NaN or infinity"
        elif name.endswith(("running_var", "moving_variance")) and (value.float() < 0).any():
            wrong = "a variance below 0"
        if wrong:
            raise InputError(path, f"{name} holds {wrong}", remedy)


def fold_norms(network: nn.Module) -> nn.Module:
    """Fold each BatchNorm of a frozen network into the convolution before it: the same output up to rounding.

    In float32 it takes a tenth (ResNet-50) to a third (CompactNet) off the time. In bfloat16 the output is also closer
    to float32: the norms are folded before anything is rounded.
    """
    for parent in list(network.modules()):
        for (place, conv), (after, norm) in pairwise(list(parent.named_children())):
            if isinstance(norm, nn.BatchNorm2d):
                setattr(parent, place, fuse_conv_bn_eval(conv, norm))
                setattr(parent, after, nn.Identity())
    return network.requires_grad_(False)
