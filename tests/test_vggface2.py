"""VGGFace2's ResNet-50: the port against real Keras, Caffe's flavour against a slow graph, layouts, errors."""

import os
import pickle
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from resnet50_recipe import SEED, draw_frames, draw_layers, write_h5
from torch.nn import functional

from blindlib.backbones.compactnet import fold_norms
from blindlib.backbones.registry import embed_frames, get_backbone, pool_frames
from blindlib.backbones.vggface2 import load_vggface2, save_safetensors
from blindlib.common.errors import InputError
from blindlib.common.files import sha256

FIXTURE = Path(__file__).parent / "fixtures" / "resnet50_keras.npz"
TORCH = {"gamma": "weight", "beta": "bias", "moving_mean": "running_mean", "moving_variance": "running_var"}
TOLERANCE = 1e-4  # the features' mean is 1.9; a wrong border, epsilon or stride moves them by at least 0.006


@pytest.fixture(scope="module")
def layers():
    return draw_layers()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("vggface2")


@pytest.fixture(scope="module")
def frames():
    return draw_frames()


@pytest.fixture(scope="module")
def keras(layers, folder):
    write_h5(folder / "keras.h5", layers)
    return load_vggface2(folder / "keras.h5")


@pytest.fixture(scope="module")
def dag(layers):
    """The state dict of albanie's resnet50_ft_dag.pth, RGB, with its classifier; no num_batches_tracked, as of 2018."""
    state = {}
    for layer, weights in layers.items():
        name = layer.replace("/bn", "_bn").replace("/", "_")
        for part, value in weights.items():
            tensor = torch.from_numpy(value)
            state[f"{name}.{TORCH.get(part, 'weight')}"] = tensor.permute(3, 2, 0, 1) if part == "kernel" else tensor
    state["classifier.weight"] = torch.zeros(1).expand(8631, 2048, 1, 1)
    return state | {"classifier.bias": torch.zeros(8631)}


def torchvision_names(dag):
    """cydonia999's names; its first convolution takes BGR, as Caffe's did."""
    part = {"1x1_reduce": "conv1", "3x3": "conv2", "1x1_increase": "conv3", "1x1_proj": "downsample.0"}
    state = {}
    for name, value in dag.items():
        layer, kind = name.split(".")
        norm, layer = layer.endswith("_bn"), layer.removesuffix("_bn")
        if layer == "classifier":
            state[f"fc.{kind}"] = value.flatten(1) if value.ndim == 4 else value
            continue
        stem, block = "conv1", ""
        if layer != "conv1_7x7_s2":
            stage, number, stem = layer.removeprefix("conv").split("_", 2)
            stem, block = part[stem], f"layer{int(stage) - 1}.{int(number) - 1}."
        stem = stem.replace("conv", "bn").replace("downsample.0", "downsample.1") if norm else stem
        state[f"{block}{stem}.{kind}"] = value.flip(1) if f"{block}{stem}" == "conv1" else value
    return state


def slow_caffe(w, x):
    """The Caffe network by its layers' names: x (B, 3, 224, 224), RGB minus the mean -> (B, 2048)."""

    def conv(name, x, stride=1, padding=0):
        x = functional.conv2d(x, w[f"{name}.weight"], stride=stride, padding=padding)
        mean, var, gamma, beta = (
            w[f"{name}_bn.{k}"].view(-1, 1, 1) for k in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / torch.sqrt(var + 1e-5) * gamma + beta

    x = conv("conv1_7x7_s2", x, 2, 3).relu()
    x = functional.max_pool2d(
        functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2
    )  # 113: the ceiling, (B, 64, 56, 56)
    for stage, blocks in {2: 3, 3: 4, 4: 6, 5: 3}.items():
        for block in range(1, blocks + 1):
            name, stride = f"conv{stage}_{block}", 2 if block == 1 and stage > 2 else 1
            y = conv(f"{name}_1x1_reduce", x, stride).relu()
            y = conv(f"{name}_1x1_increase", conv(f"{name}_3x3", y, padding=1).relu())
            x = (y + (conv(f"{name}_1x1_proj", x, stride) if block == 1 else x)).relu()
    return x.mean((2, 3))


@pytest.fixture(scope="module")
def caffe(dag, frames):
    """The slow network's answer on the frames."""
    rgb = torch.from_numpy(frames).permute(0, 3, 1, 2).float()
    return slow_caffe(dag, rgb - torch.tensor([131.0912, 103.8827, 91.4953]).view(3, 1, 1)).numpy()


@pytest.fixture(scope="module")
def folded(keras):
    """What extraction runs."""
    return fold_norms(deepcopy(keras)).to(memory_format=torch.channels_last)


def test_the_port_answers_as_keras_does(keras, folded, frames):
    with np.load(FIXTURE) as fixture:
        assert fixture["seed"] == SEED
        expected = fixture["pooled"]
    assert 0.5 < expected.mean() < 5 and np.abs(expected[0] - expected[1]).mean() > 0.1  # of order 1, and of the image
    assert np.abs(pool_frames(keras, frames) - expected).max() <= TOLERANCE
    assert np.abs(pool_frames(folded, frames) - expected).max() <= TOLERANCE
    assert not any(isinstance(part, torch.nn.BatchNorm2d) for part in folded.modules())
    assert not folded.training and not any(p.requires_grad for p in folded.parameters())


def test_the_caffe_flavour_answers_as_the_slow_graph_does(dag, frames, caffe, folder):
    torch.save(dag, folder / "dag.pth", _use_new_zipfile_serialization=False)  # as PyTorch wrote in 2018
    x = pool_frames(load_vggface2(folder / "dag.pth"), frames)
    assert np.abs(x - caffe).max() <= TOLERANCE
    with np.load(FIXTURE) as fixture:
        assert np.abs(x - fixture["pooled"]).max() > 100 * TOLERANCE, "the flavours differ, so a wrong one would show"


def test_torchvision_s_names_take_bgr(dag, frames, caffe, folder):
    torch.save(torchvision_names(dag), folder / "names.pth")
    network = load_vggface2(folder / "names.pth")
    assert np.abs(pool_frames(network, frames) - caffe).max() <= TOLERANCE
    swapped = pool_frames(network, np.ascontiguousarray(frames[..., ::-1]))
    assert np.abs(swapped - caffe).max() > 100 * TOLERANCE


def test_the_network_is_given_bgr_minus_the_means(keras, frames):
    seen = []
    hook = keras.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    one = np.broadcast_to(np.array([200, 120, 10], np.uint8), (1, 224, 224, 3))
    pool_frames(keras, np.ascontiguousarray(one))
    hook.remove()
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(seen[0][0, :, 5, 7], [10 - 91.4953, 120 - 103.8827, 200 - 131.0912], atol=1e-5)


def test_embeddings_have_unit_norm_and_the_network_is_frozen(keras, frames):
    x = embed_frames(keras, frames)
    assert x.shape == (2, 2048) and x.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(x, axis=1), 1, atol=1e-6)
    pooled = pool_frames(keras, frames)
    np.testing.assert_allclose(x, pooled / np.linalg.norm(pooled, axis=1, keepdims=True), atol=1e-6)
    assert not keras.training and not any(p.requires_grad for p in keras.parameters())


def test_safetensors_keep_weights_and_flavour(keras, frames, folder):
    save_safetensors(keras.to(memory_format=torch.channels_last), folder / "kept.safetensors")
    again = load_vggface2(folder / "kept.safetensors")
    assert again.flavour == "keras"
    assert np.abs(pool_frames(again, frames) - pool_frames(keras, frames)).max() <= TOLERANCE


def test_keras_weights_with_the_classifier_load_without_it(layers, keras, folder):
    top = {"kernel": np.zeros((2048, 8631), np.float16), "bias": np.zeros(8631, np.float32)}
    write_h5(folder / "top.h5", layers | {"classifier": top})
    assert torch.equal(load_vggface2(folder / "top.h5").conv1.weight, keras.conv1.weight)
    (folder / "top.h5").unlink()


def refused(path):
    with pytest.raises(InputError) as error:
        load_vggface2(path)
    message = str(error.value)
    assert "\n" not in message and str(path) in message and "blindlib data fetch vggface2" in message
    return message


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"conv1_7x7_s2.weight": torch.zeros(64, 3, 7, 7)}, "lacks conv1_7x7_s2_bn.weight"),
        ({"conv1.weight": torch.zeros(64, 3, 5, 7)}, "has shape"),
        ({"layer1.0.conv4.weight": torch.zeros(16, 256, 1, 1)}, "SENet"),
        ({"conv1_1.weight": torch.zeros(64, 3, 3, 3)}, "VGG16"),
        ({"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)}, "1000 classes"),
        ({"epoch": torch.zeros(1)}, "none of the known layouts"),
    ],
)
def test_another_network_s_weights_are_refused(tmp_path, written, reason):
    torch.save(written, tmp_path / "other.pth")
    assert reason in refused(tmp_path / "other.pth")


def test_absent_and_damaged_files_are_refused_and_a_pickle_runs_nothing(tmp_path, folder, keras):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    whole = (folder / "keras.h5").read_bytes()
    trap = pickle.dumps({"conv1.weight": Trap()}, protocol=2)
    for name, data in {"part.h5": whole[: len(whole) // 2], "text.safetensors": b"<html>", "trap.pth": trap}.items():
        (tmp_path / name).write_bytes(data)
        assert "does not read" in refused(tmp_path / name)
    assert not (tmp_path / "sprung").exists() and "not found" in refused(tmp_path / "none.h5")


@pytest.mark.parametrize("wrong", [np.zeros((1, 112, 112, 3), np.uint8), np.zeros((1, 224, 224, 3), np.float32)])
def test_frames_of_another_size_or_type_are_refused(keras, wrong):
    with pytest.raises(InputError, match=r"expected uint8 \(B, 224, 224, 3\), RGB"):
        pool_frames(keras, wrong)


def test_the_backbone_finds_its_weights_and_keys_the_store_by_their_bytes(keras, folder, frames, tmp_path, monkeypatch):
    monkeypatch.setenv("BLINDLIB_DATA", str(tmp_path))
    with pytest.raises(InputError, match="blindlib data fetch vggface2"):
        get_backbone("resnet50").weights()
    (tmp_path / "weights").mkdir()
    os.link(folder / "keras.h5", tmp_path / "weights" / "rcmalli_vggface_tf_notop_resnet50.h5")
    backbone = get_backbone("resnet50")
    assert backbone.weights().startswith(sha256(folder / "keras.h5")) and backbone.dim == 2048
    np.testing.assert_allclose(backbone.encode(frames), embed_frames(keras, frames), atol=1e-6)
    left, right = np.array(backbone.alignment.points)[[2, 0]]  # the eyes' outer corners
    assert left[0] + right[0] == pytest.approx(224, abs=1) and right[0] > left[0], "upright, in the middle"
