"""Random weights for VGGFace2's ResNet-50 graph, drawn by one recipe for Keras' reference and for the test's files.

The recipe: one `default_rng(SEED)`; the 53 convolutions in the order conv1, then stage by stage and block by block
reduce, 3x3, increase, proj (a stage's first block only); of each the kernel, gamma, beta, moving mean and variance.
Small variances (about 0.1) let BatchNorm's epsilon show; kernels are scaled so that the features come out of order 1.
"""

import h5py
import numpy as np

SEED = 2020
BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}


def convolutions():
    """Yields (published name, kernel side, channels in, channels out)."""
    yield "conv1/7x7_s2", 7, 3, 64
    inner = 64
    for stage, blocks in BLOCKS.items():
        width = 64 * 2 ** (stage - 2)
        for block in range(1, blocks + 1):
            name = f"conv{stage}_{block}"
            yield f"{name}_1x1_reduce", 1, inner, width
            yield f"{name}_3x3", 3, width, width
            yield f"{name}_1x1_increase", 1, width, 4 * width
            if block == 1:
                yield f"{name}_1x1_proj", 1, inner, 4 * width
            inner = 4 * width


def draw_layers() -> dict[str, dict[str, np.ndarray]]:
    """Layer -> weights in Keras' order and shapes, kernels (height, width, in, out); 23.5 million numbers."""
    rng = np.random.default_rng(SEED)
    layers = {}
    for name, side, inner, outer in convolutions():
        scale = np.sqrt(0.2 / (side * side * inner)) / (75 if name.startswith("conv1/") else 1)  # pixels' deviation
        small = 0.1 if name.endswith("increase") else 1  # residual branches add up
        kernel = rng.standard_normal((side, side, inner, outer), np.float32) * np.float32(scale)
        norm = {
            "gamma": rng.uniform(0.5, 1.5, outer) * small,
            "beta": rng.normal(0, 0.2, outer) * small,
            "moving_mean": rng.normal(0, 0.1, outer),
            "moving_variance": rng.uniform(0.05, 0.15, outer),
        }
        layers[name] = {"kernel": kernel}
        layers[f"{name}/bn"] = {part: value.astype(np.float32) for part, value in norm.items()}
    return layers


def draw_frames() -> np.ndarray:
    """uint8 (2, 224, 224, 3): coloured squares of 8 pixels, so that the border counts as much as the middle."""
    small = np.random.default_rng(SEED + 1).integers(0, 256, (2, 28, 28, 3), np.uint8)
    return small.repeat(8, 1).repeat(8, 2)


def keras_order(layers: dict[str, dict[str, np.ndarray]]) -> list[str]:
    """Layers as Keras sorts its graph: a block's projection right after its increase, then the BatchNorms of both."""
    order = list(layers)
    for name in [name for name in order if name.endswith("_1x1_proj")]:
        order.remove(name)
        order.insert(order.index(name.replace("proj", "increase")) + 1, name)
    return order


def write_h5(path, layers: dict[str, dict[str, np.ndarray]]) -> None:
    """The file that Keras 2's `save_weights` writes, weightless layers reduced to the input."""
    order = keras_order(layers)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in ("input_1", *order)])
        file.attrs["backend"] = b"tensorflow"
        file.attrs["keras_version"] = b"2.0.8"
        file.create_group("input_1").attrs["weight_names"] = np.array([])
        for name in order:
            weights = layers[name]
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array([f"{name}/{part}:0".encode() for part in weights])
            for part, value in weights.items():
                group.create_dataset(f"{name}/{part}:0", data=value)
