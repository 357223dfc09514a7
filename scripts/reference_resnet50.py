"""Make tests/fixtures/resnet50_keras.npz: what real Keras answers on the recipe's weights and frames.

Needs TensorFlow, so a virtual environment of its own: `pip install tensorflow-cpu tf-keras`, then run this file.
Ran with Python 3.11, tensorflow-cpu 2.21.0, tf-keras 2.21.0 (Keras 2), h5py 3.14.0, numpy 2.4.6.

The graph is keras-vggface's RESNET50(include_top=False, pooling="avg"), told in our own words; its published weights
are not needed. Also checks that the recipe's `write_h5` gives what Keras 2's own `save_weights` gives.
"""

import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import tf_keras as keras
from tf_keras import layers

TESTS = Path(__file__).parents[1] / "tests"
sys.path.insert(0, str(TESTS))
from resnet50_recipe import BLOCKS, SEED, draw_frames, draw_layers, write_h5  # noqa: E402


def conv_bn(x, name: str, filters: int, side: int, stride: int = 1, padding: str = "valid"):
    """A convolution without bias and its BatchNorm, Keras' defaults otherwise (epsilon 1e-3)."""
    x = layers.Conv2D(filters, side, strides=stride, padding=padding, use_bias=False, name=name)(x)
    return layers.BatchNormalization(name=f"{name}/bn")(x)


def bottleneck(x, name: str, width: int, stride: int, project: bool):
    """Reduce (with the stride), 3 x 3, increase; added to the input or its projection."""
    inner = layers.Activation("relu")(conv_bn(x, f"{name}_1x1_reduce", width, 1, stride))
    inner = layers.Activation("relu")(conv_bn(inner, f"{name}_3x3", width, 3, padding="same"))
    inner = conv_bn(inner, f"{name}_1x1_increase", 4 * width, 1)
    shortcut = conv_bn(x, f"{name}_1x1_proj", 4 * width, 1, stride) if project else x
    return layers.Activation("relu")(layers.add([inner, shortcut]))


def reference() -> keras.Model:
    """keras-vggface's graph down to the pooled features: (B, 224, 224, 3) -> (B, 2048)."""
    frames = layers.Input((224, 224, 3))
    x = layers.Activation("relu")(conv_bn(frames, "conv1/7x7_s2", 64, 7, 2, "same"))
    x = layers.MaxPooling2D(3, strides=2)(x)
    for stage, blocks in BLOCKS.items():
        for block in range(1, blocks + 1):
            stride = 2 if block == 1 and stage > 2 else 1
            x = bottleneck(x, f"conv{stage}_{block}", 64 * 2 ** (stage - 2), stride, block == 1)
    x = layers.AveragePooling2D(7, name="avg_pool")(x)
    return keras.Model(frames, layers.GlobalAveragePooling2D()(x))


def preprocess(frames: np.ndarray) -> np.ndarray:
    """keras-vggface's preprocess_input, version 2: RGB -> BGR minus VGGFace2's means."""
    return frames[..., ::-1].astype(np.float32) - np.array([91.4953, 103.8827, 131.0912], np.float32)


def tree(path: Path) -> dict:
    """Weighted layers -> {dataset's name: its bytes}, in the listed order (h5py 3 lists text, h5py 2 bytes)."""
    found = {}
    with h5py.File(path) as file:
        for layer in np.asarray(file.attrs["layer_names"]).astype(str):
            names = np.asarray(file[layer].attrs["weight_names"]).astype(str)
            found |= {(layer, n): file[layer][str(name)][()].tobytes() for n, name in enumerate(names)}
            found |= {(layer, str(name)): n for n, name in enumerate(names)}
    return found


def main() -> None:
    """Build, set the weights, compare the layouts, save the answers."""
    model, drawn = reference(), draw_layers()
    for name, weights in drawn.items():
        model.get_layer(name).set_weights(list(weights.values()))
    with tempfile.TemporaryDirectory() as folder:
        theirs, ours = Path(folder, "keras.h5"), Path(folder, "recipe.h5")
        model.save_weights(theirs)
        write_h5(ours, drawn)
        a, b = tree(theirs), tree(ours)
        assert list(a) == list(b) and a == b, "write_h5 is not Keras 2's layout"
    pooled = model.predict(preprocess(draw_frames()), verbose=0)
    np.savez(TESTS / "fixtures" / "resnet50_keras.npz", seed=SEED, pooled=pooled)
    print(f"layouts equal; pooled {pooled.shape}, mean {pooled.mean():.3f}, largest {pooled.max():.3f}")


if __name__ == "__main__":
    main()
