"""What a camera may do to a face before it reaches the embedder: seeded, a view at a time."""

from __future__ import annotations

import cv2
import numpy as np
import torch

from pipeline.types import ByteArray

_CLEAN_SHARE = 0.4


def nuisance(crop_rgb: ByteArray, random: np.random.Generator) -> ByteArray:
    """uint8 (112, 112, 3) RGB, changed by one of blur, noise, JPEG, low resolution, gamma, or by none."""
    if random.random() < _CLEAN_SHARE:
        return crop_rgb
    match int(random.integers(5)):
        case 0:
            changed = cv2.GaussianBlur(crop_rgb, (0, 0), float(random.uniform(0.4, 1.6)))
        case 1:
            noise = random.normal(0.0, random.uniform(1.0, 8.0), crop_rgb.shape)
            changed = np.clip(np.rint(crop_rgb + noise), 0, 255).astype(np.uint8)
        case 2:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(random.integers(30, 95))]
            _, data = cv2.imencode(".jpg", crop_rgb, quality)
            changed = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
        case 3:
            side = int(random.integers(24, 112))
            small = cv2.resize(crop_rgb, (side, side), interpolation=cv2.INTER_AREA)
            changed = cv2.resize(small, crop_rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        case _:
            curve = 255.0 * (np.arange(256) / 255.0) ** random.uniform(0.6, 1.6)
            changed = cv2.LUT(crop_rgb, np.rint(curve).astype(np.uint8))
    return np.asarray(changed, np.uint8)


def view_batch(crops_rgb: list[ByteArray], random: np.random.Generator) -> torch.Tensor:
    """float32 (N, 3, 112, 112) RGB 0..255, each crop with a :func:`nuisance` of its own."""
    views = np.stack([nuisance(crop, random) for crop in crops_rgb])
    return torch.from_numpy(views).permute(0, 3, 1, 2).float().contiguous()
