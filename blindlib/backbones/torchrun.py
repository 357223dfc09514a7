"""Embed a preset by several processes of torchrun: each extracts its shards, the first one joins them.

`torchrun --nproc-per-node 2 -m blindlib embed --preset NAME` writes the same bytes as one process. On machines without
a shared file system, copy the same `faces.parquet` to each and run torchrun across them. Each fills its own folder, and
the first process stops with one line. Then merge the folders `build/embeddings/*.partial` and run `blindlib embed`.
"""

import os
import time
from datetime import timedelta

import torch
from torch import distributed

from blindlib.backbones.registry import get_backbone
from blindlib.backbones.store import absent, embed_all, fill, finish, unfinished
from blindlib.common.errors import InputError
from blindlib.common.files import build_dir
from blindlib.data.facetable import load_facetable
from blindlib.data.source import load_source
from blindlib.presets import get_preset


def embed_preset(name: str) -> str:
    """Extract the embeddings for notebook 02, of the preset's backbone and its pixels, into the store.

    The faces are those of `faces.parquet` in the preset's build folder, which is made if absent. The first process
    returns a line about the work and its speed; the others return an empty one.

    Raises
    ------
    InputError
        As `store.embed`; if `faces.parquet` is damaged; or if another process has ended.
    """
    preset = get_preset(name)
    path = build_dir(preset.name) / "faces.parquet"
    backbones = [get_backbone(name) for name in filter(None, (preset.backbone, preset.ceiling))]
    rank, world = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", 0)))
    if world > 1:  # a set takes hours, and all wait for the slowest process; the end of one is noticed at once
        distributed.init_process_group("gloo", timeout=timedelta(days=30))
    try:
        if rank == 0 and not path.exists():
            load_source(preset)[0].save(path)
        _wait_for_all()
        faces, start = load_facetable(path), time.perf_counter()
        sets = absent(faces, backbones)
        images = max((unfinished(faces, folder) for folder in sets), default=0)
        _wait_for_all()  # no process writes before all have checked what is missing
        fill(faces, sets, rank, world)
        _wait_for_all()
    finally:
        if world > 1:
            distributed.destroy_process_group()
    if rank:
        return ""
    for folder, backbone in sets.items():
        finish(faces, backbone, folder)
    missed = sum(int((~done.detected).sum()) for done in embed_all(faces, backbones))
    seconds, names = time.perf_counter() - start, " and ".join(backbone.name for backbone in backbones)
    speed = f"{images:,} of them now, in {seconds:.1f} s ({images / seconds:.1f} images/s)"
    return f"{names}: {len(faces):,} images, {speed}; {missed:,} faces not found, embedded by the median box"


def _wait_for_all() -> None:
    """Wait until every process of the run has reached this point; raise when one of them has ended."""
    try:
        if distributed.is_initialized():
            distributed.barrier()
    except RuntimeError:
        who = f"process {distributed.get_rank()} of {distributed.get_world_size()}"
        remedy = "read its error message; finished shards are kept"
        raise InputError(who, "another process has ended", remedy) from None
