"""A ResNet-50 that was never shown who is who: torchvision's, trained on ImageNet. For comparison with the paper's."""

from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import ResNet50_Weights, resnet50

from blindlib.common.errors import InputError

IMAGENET_FILE = "resnet50-11ad3fa6.pth"


def load_imagenet(path: Path) -> nn.Module:
    """torchvision's ResNet-50 (IMAGENET1K_V2) below its classifier, frozen.

    Raises
    ------
    InputError
        If the file is absent or damaged.
    """
    if not path.is_file():
        remedy = "run `blindlib data fetch resnet50-imagenet`"
        raise InputError(path, "torchvision's ResNet-50 weights (IMAGENET1K_V2) not found", remedy)
    network = resnet50()
    try:
        network.load_state_dict(torch.load(path, weights_only=True, map_location="cpu"))
    except Exception as error:  # torch raises many types of a damaged file
        reason = (str(error).splitlines() or [""])[0][:80]
        remedy = "delete it and run `blindlib data fetch resnet50-imagenet`"
        raise InputError(path, f"does not hold ResNet-50's weights ({reason})", remedy) from None
    network.fc = nn.Identity()
    return network.eval().requires_grad_(False)


@torch.inference_mode()
def embed_frames(network: nn.Module, frames: np.ndarray) -> np.ndarray:
    """uint8 RGB frames (B, 224, 224, 3) -> unit-norm x (B, 2048), float32."""
    device, transform = network.conv1.weight.device, ResNet50_Weights.IMAGENET1K_V2.transforms()
    batch = torch.from_numpy(frames).permute(0, 3, 1, 2).to(device).float() / 255  # (B, 3, 224, 224)
    mean, std = (torch.tensor(v, device=device).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    x = network(((batch - mean) / std).contiguous(memory_format=torch.channels_last))
    return nn.functional.normalize(x, dim=1).cpu().numpy()
