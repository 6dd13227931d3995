"""Files of networks as versions wrote them that kept no hash."""

from __future__ import annotations

from pathlib import Path


def without_hash(path: Path, target: Path) -> None:
    """Write the network of a file as before 0.2.0."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    if path.suffix == ".safetensors":
        state = {name: tensor.clone() for name, tensor in load_file(path).items()}  # the target may be the same file
        with safe_open(path, "pt") as file:
            metadata = {key: value for key, value in file.metadata().items() if key != "sha256"}
        assert set(metadata) == {"format", "config"}
        save_file(state, target, metadata)
    else:
        document = torch.load(path, weights_only=True)
        del document["sha256"]
        torch.save(document, target)
