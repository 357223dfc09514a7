"""Learning Not to Learn (arXiv 1812.10352): a head that serves a task while a predictor of expression is unlearnt.

min over f, g of CE(g(f(x)), y) + λ_e · E[Σ_b P_h(b|f) log P_h(b|f)], and min over h, max over f of CE(h(f(x)), b)
through a gradient reversal. The entropy term moves f alone; the reversal moves f and h. The authors take the two
steps in turn; we add their gradients in one, the same to first order under plain gradient descent (**decision**).
"""

import numpy as np
import torch

from blindlib.blinders.heads import Classifiers, ResidualHeads
from blindlib.blinders.losses import cross_entropy, negative_entropy, reverse_gradient
from blindlib.blinders.sampling import GroupSampler
from blindlib.blinders.training import TrainingSet, spread, start_heads
from blindlib.blinders.validation import Judge, record
from blindlib.common.work import derive_seed, track
from blindlib.settings import LNTLConfig


def fit_lntl(
    data: TrainingSet, config: LNTLConfig, classes: tuple[str, ...], *, task: str, seed: int, judge: bool = True
) -> tuple[ResidualHeads, list[dict]]:
    """Train a bank of LNTL heads: every split with every strength, all at once.

    Parameters
    ----------
    data : TrainingSet
        S splits.
    config : LNTLConfig
        L strengths: the scale of the reversal; the entropy's weight is `entropy_share` of it.
    classes : tuple of str
        The expressions that `data.expression` codes.
    task : str
        The label y of g: `identity` or `demographic` (gender x ethnicity). The paper does not say which it used.
    seed : int
    judge : bool
        Look at every round with fresh probes on the validation people.

    Returns
    -------
    heads : ResidualHeads
        H = S * L, settings innermost.
    history : list of dict
        As `fit_sensitivenets`: `task`, `entropy` (nats) and the bias predictor's accuracy as `detector`.

    Raises
    ------
    ValueError
        If the task is unknown or a split has no labels for it.

    Source: arXiv 1812.10352, eq. 4 to 6, and its public code. It does not show that expression is gone.
    """
    labels = {"identity": data.identity, "demographic": data.demographic}
    if task not in labels:
        raise ValueError(f"task {task!r} is unknown: use one of {', '.join(labels)}")
    settings, device = len(config.strengths), data.device
    cpu = torch.Generator().manual_seed(derive_seed(seed, "lntl", task, "start"))
    draws = torch.Generator(device).manual_seed(derive_seed(seed, "lntl", task, "draws"))
    rng = np.random.default_rng(derive_seed(seed, "lntl", task, "tables"))
    heads = start_heads(data, settings, config.hidden, cpu)
    strength = torch.tensor(config.strengths, device=device).repeat(len(data.head))  # (H,)
    count, width = len(strength), data.x.shape[1]
    scale = strength[:, None, None]
    target, groups = _task_codes(data, labels[task])  # (S, N)
    target = spread(data.on_device(target), settings)  # (H, N)
    g = Classifiers(count, width, (), groups, cpu, settings).to(device)
    h = Classifiers(count, width, config.predictor, len(classes), cpu, settings).to(device)
    optimiser = torch.optim.AdamW(
        [
            {"params": heads.parameters(), "lr": config.rate, "weight_decay": config.decay},
            {"params": [*g.parameters(), *h.parameters()], "lr": config.predictor_rate, "weight_decay": 1e-4},
        ],
        fused=True,
    )
    judge_seed = derive_seed(seed, "lntl", task, "judge")
    look = Judge(data, settings, len(classes), config.expressions, judge_seed) if judge else None
    expression = data.on_device(data.expression)
    history = record(data, config.strengths, 0, {}, look, heads)

    for turn in track(range(1, config.rounds + 1), f"LNTL ({task})", unit="round"):
        by_identity = task == "identity"
        faces = GroupSampler(
            data.head, labels[task], cap=16 if by_identity else 512, at_least=2, generator=rng, device=device
        )
        moods = GroupSampler(data.head, data.expression, cap=512, at_least=1, generator=rng, device=device)
        if turn == 1:
            start = spread(moods.draw(None, 4 * config.expressions, draws), settings)
            g.standardise(data.x[start])
            h.standardise(data.x[start])
        for _ in range(config.head_steps):
            drawn = (
                faces.draw(config.identities, config.images, draws)
                if by_identity
                else faces.draw(None, config.identities, draws)
            )
            index = spread(drawn, settings)  # (H, B)
            shown = spread(moods.draw(None, config.expressions, draws), settings)
            serve = cross_entropy(g(heads(data.x[index])), target.gather(1, index))
            blinded = heads(data.x[shown])
            optimiser.zero_grad(set_to_none=True)
            h.requires_grad_(False)  # the entropy step moves the head alone
            entropy = negative_entropy(h(blinded))
            (serve + config.entropy_share * strength * entropy).sum().backward(retain_graph=True)
            h.requires_grad_(True)
            answer = h(reverse_gradient(blinded, scale))
            cross_entropy(answer, expression[shown]).sum().backward()
            optimiser.step()
        accuracy = 100 * (answer.argmax(-1) == expression[shown]).float().mean(-1)
        losses = {"task": serve, "entropy": -entropy, "detector": accuracy}
        history += record(data, config.strengths, turn, losses, look, heads)
    return heads, history


def _task_codes(data: TrainingSet, labels: np.ndarray) -> tuple[np.ndarray, int]:
    """Per split, the labels of its head people as 0, 1, …: (S, N) int64 and the largest number of groups."""
    codes = np.zeros((len(data.head), len(labels)), dtype=np.int64)
    groups = 0
    for split, rows in enumerate(data.head):
        rows = rows[labels[rows] >= 0]
        names, codes[split, rows] = np.unique(labels[rows], return_inverse=True)
        groups = max(groups, len(names))
    return codes, groups
