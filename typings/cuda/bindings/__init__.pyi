"""NVIDIA's bindings come with PyTorch where there is an NVIDIA GPU, and are missing elsewhere."""
