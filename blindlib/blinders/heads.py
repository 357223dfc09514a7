"""Define banks of H independent small networks, trained at once along an axis H for speed."""

from itertools import pairwise

import torch
from torch import nn


class ResidualHeads(nn.Module):
    """Blind x by H heads φ_h(x) = ‖x‖ · u / ‖u‖ with u = x + s · a(x̃ V_h + c_h) U_h and x̃ = (x − m) / s.

    a is ReLU on the first half of the hidden units and linear on the others: leakage is mostly linear, and a linear
    path removes it without a nonlinear change. U starts at zero, so every head starts as the identity map. The norm of
    x is kept, so the head cannot blind by shrinking (**decision**; the paper does not describe its heads).

    Parameters
    ----------
    hidden : int
        Width M of the hidden layer.
    centre : Tensor (H, D), scale : Tensor (H,)
        Mean m of each head's training embeddings, and their mean per-dimension deviation s.
    generator : torch.Generator, sharing : int
        A generator on the CPU for the initial V, and the number of consecutive heads, those of a split, that share it.
    residual, keep_norm : bool
        Ablations: without `residual` u = s · a(x̃ V_h + c_h) U_h and U starts at random; without `keep_norm` φ_h = u.
    """

    def __init__(self, hidden, centre, scale, generator, sharing=1, *, residual=True, keep_norm=True):
        super().__init__()
        self.residual, self.keep_norm = residual, keep_norm
        count, dim = centre.shape
        start = torch.randn(count // sharing, dim, hidden, generator=generator) / dim**0.5
        self.down = nn.Parameter(start.repeat_interleave(sharing, 0))  # (H, D, M)
        self.bias = nn.Parameter(torch.zeros(count, 1, hidden))
        self.up = nn.Parameter(torch.zeros(count, hidden, dim))  # (H, M, D)
        if not residual:
            start = torch.randn(count // sharing, hidden, dim, generator=generator) / hidden**0.5
            self.up = nn.Parameter(start.repeat_interleave(sharing, 0))
        self.register_buffer("centre", centre[:, None, :].clone())  # (H, 1, D)
        self.register_buffer("scale", scale[:, None, None].clone())  # (H, 1, 1)

    def pick(self, which: list[int] | slice) -> "ResidualHeads":
        """Return a bank of some of these heads, frozen, on the CPU."""
        arrays = {name: value[which] for name, value in self.arrays().items()}
        return ResidualHeads.from_arrays(arrays, residual=self.residual, keep_norm=self.keep_norm)

    def arrays(self) -> dict[str, torch.Tensor]:
        """Return all arrays of the heads, on the CPU: `down`, `bias`, `up`, `centre`, `scale`, with leading axis H."""
        return {name: value.detach().cpu().contiguous() for name, value in self.state_dict().items()}

    @classmethod
    def from_arrays(cls, arrays: dict[str, torch.Tensor], **form: bool) -> "ResidualHeads":
        """Build a frozen bank from these arrays; `form` sets `residual` and `keep_norm` where they are not the default.

        Raises
        ------
        ValueError
            If names or shapes do not fit together, or a scale is not above 0.
        """
        names = {"down", "bias", "up", "centre", "scale"}
        if set(arrays) != names or arrays["down"].ndim != 3:
            raise ValueError(f"expected the arrays {sorted(names)}, got {sorted(arrays)}")
        count, dim, hidden = arrays["down"].shape
        heads = cls(hidden, torch.zeros(count, dim), torch.ones(count), torch.Generator(), **form)
        wrong = [n for n, v in heads.state_dict().items() if v.shape != arrays[n].shape or arrays[n].dtype != v.dtype]
        if wrong:
            shapes = [tuple(arrays[name].shape) for name in wrong]
            raise ValueError(f"{wrong} have shapes {shapes}, not those of a {dim} -> {hidden} -> {dim} head")
        if not (arrays["scale"] > 0).all():
            raise ValueError("scale, by which x is divided, is not above 0")
        heads.load_state_dict(arrays)
        return heads.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Blind x (H, B, D) -> (H, B, D), float32."""
        bent, straight = torch.baddbmm(self.bias, (x - self.centre) / self.scale, self.down).tensor_split(2, -1)
        hidden = torch.cat([bent.relu(), straight], -1)  # (H, B, M)
        moved = self.scale * torch.bmm(hidden, self.up)  # (H, B, D)
        if self.residual:
            moved = x + moved
        if not self.keep_norm:
            return moved
        return moved * (x.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True).clamp_min(1e-12))


def narrow(bank: nn.Module, which: torch.Tensor, optimiser: torch.optim.Optimizer | None = None) -> None:
    """Keep the networks `which` (K,), int64, of a bank, and the state of its optimiser for them."""
    for module in bank.modules():
        for name, value in list(module.named_parameters(recurse=False)):
            kept = nn.Parameter(value.detach()[which], value.requires_grad)
            setattr(module, name, kept)
            if optimiser is not None and value in optimiser.state:
                memory = optimiser.state.pop(value).items()
                optimiser.state[kept] = {key: m[which] if torch.is_tensor(m) and m.ndim else m for key, m in memory}
        for name, value in list(module.named_buffers(recurse=False)):
            setattr(module, name, value[which])
    if optimiser is not None:
        optimiser.param_groups[0]["params"] = list(bank.parameters())


class Classifiers(nn.Module):
    """Classify by H multilayer perceptrons D -> widths -> classes, on features scaled by each head's own statistics.

    `count` is H, `dim` is D; without widths they are linear; `generator` and `sharing` are as in `ResidualHeads`. The
    activation between the layers is ReLU, or the sigmoid of probe protocol A.
    """

    def __init__(self, count, dim, widths, classes, generator, sharing=1, activation=torch.relu):
        super().__init__()
        self.activation = activation
        sizes = (dim, *widths, classes)
        self.weights = nn.ParameterList(
            torch.randn(count // sharing, a, b, generator=generator).mul_((2 / a) ** 0.5).repeat_interleave(sharing, 0)
            for a, b in pairwise(sizes)
        )
        self.biases = nn.ParameterList(torch.zeros(count, 1, b) for b in sizes[1:])
        self.register_buffer("centre", torch.zeros(count, 1, dim))
        self.register_buffer("scale", torch.ones(count, 1, dim))

    @torch.no_grad()
    def standardise(self, features: torch.Tensor) -> None:
        """Set the means and deviations of features (H, B, D), by which later features are standardised."""
        self.centre.copy_(features.mean(1, keepdim=True))
        self.scale.copy_(features.std(1, keepdim=True).clamp_min(1e-8))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return logits (H, B, classes) of features (H, B, D)."""
        z = (features - self.centre) / self.scale
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = torch.baddbmm(bias, z if layer == 0 else self.activation(z), weight)
        return z
