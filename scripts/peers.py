"""The PyTorch programs that scripts/bench_peers times: networks of edmund's sizes with the same denoiser, training step and sampler around them.

    python peers.py memory FAMILY SIZE BATCH THREADS [cl]      peak memory of a training step in this process, in MB of 10^6 bytes
"""
import copy
import importlib
import math
import os
import sys
import time

import torch

SIZES = {"small": dict(channels=32, multipliers=[1, 2, 2], blocks=1), "medium": dict(channels=64, multipliers=[2, 2, 3], blocks=4),
         "cifar": dict(channels=128, multipliers=[2, 2, 2], blocks=4)}
COMPILE_MODES = {"compile": None, "compile-max": "max-autotune-no-cudagraphs"}


# ---- Networks: each answers a module and how to call it with (x, c_noise) ------------------------
def edm(size):
    """NVlabs/edm's DDPM++: the network that edmund's configs/bench describe, weight for weight."""
    s = SIZES[size]
    network = imported("EDM_DIR", "training.networks").SongUNet(img_resolution=32, in_channels=3, out_channels=3, model_channels=s["channels"], channel_mult=s["multipliers"],
                       num_blocks=s["blocks"], attn_resolutions=[16], dropout=0.13)
    return network, lambda n, x, c_noise: n(x, c_noise, None)


def diffusers(size):
    from diffusers import UNet2DModel
    s = SIZES[size]
    network = UNet2DModel(sample_size=32, in_channels=3, out_channels=3, attention_head_dim=64, dropout=0.13,
                          block_out_channels=tuple(s["channels"] * m for m in s["multipliers"]), layers_per_block=s["blocks"],
                          norm_num_groups=8 if size == "small" else 32, down_block_types=("DownBlock2D", "AttnDownBlock2D", "DownBlock2D"),
                          up_block_types=("UpBlock2D", "AttnUpBlock2D", "UpBlock2D"))
    return network, lambda n, x, c_noise: n(x, c_noise).sample


def lucidrains(size):
    from denoising_diffusion_pytorch import Unet
    s = SIZES[size]
    network = Unet(dim=s["channels"], dim_mults=tuple(s["multipliers"]), full_attn=(False, True, False), dropout=0.13)
    return network, lambda n, x, c_noise: n(x, c_noise)


def imported(variable, module):
    """A module of the clone that an environment variable names; other clones' packages of the same names make way."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("training", "torch_utils", "dnnlib", "models")]:
        del sys.modules[name]
    sys.path.insert(0, os.environ[variable])
    try:
        return importlib.import_module(module)
    finally:
        sys.path.pop(0)


def adm(size):
    """NVlabs/edm's DhariwalUNet as configs/bench/adm.yaml has it."""
    network = imported("EDM_DIR", "training.networks").DhariwalUNet(
        img_resolution=32, in_channels=3, out_channels=3, model_channels=64, channel_mult=[1, 2, 2], num_blocks=2, attn_resolutions=[16, 8],
        dropout=0.1)
    return network, lambda n, x, c_noise: n(x, c_noise, None)


def edm2(size):
    """NVlabs/edm2's UNet as configs/bench/edm2.yaml has it."""
    network = imported("EDM2_DIR", "training.networks_edm2").UNet(
        img_resolution=32, img_channels=3, label_dim=0, model_channels=64, channel_mult=[1, 2, 2], num_blocks=2, attn_resolutions=[16, 8])
    network.out_gain.data.fill_(1.0)
    return network, lambda n, x, c_noise: n(x, c_noise, None)


def dit(size):
    """facebookresearch/DiT's S/2 on pixels as configs/bench/dit.yaml has it. Its last layers begin at zero, which no product takes for less work."""
    network = imported("DIT_DIR", "models").DiT(input_size=32, patch_size=2, in_channels=3, hidden_size=384, depth=12, num_heads=6,
                                                num_classes=10, learn_sigma=False)
    return network, lambda n, x, c_noise: n(x, c_noise, torch.zeros(x.shape[0], dtype=torch.long))


FAMILIES = {"edm": edm, "diffusers": diffusers, "lucidrains": lucidrains, "adm": adm, "edm2": edm2, "dit": dit}


class Denoiser(torch.nn.Module):
    """D(z; sigma) of Karras et al. 2022, table 1, with sigma_data = 0.5. The network in bfloat16 by torch.autocast, if asked for."""

    def __init__(self, network, call, bf16):
        super().__init__()
        self.network, self.call, self.bf16 = network, call, bf16

    def forward(self, z, sigma):
        s = sigma.reshape(-1, 1, 1, 1)
        total = s * s + 0.25
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            F = self.call(self.network, z / total.sqrt(), sigma.log() / 4)
        return 0.25 / total * z + s * 0.5 / total.sqrt() * F.float()


# ---- What is timed: each answers a function of no argument ---------------------------------------
def forward(denoise, images, inference):
    sigma = torch.full((images.shape[0],), 1.7)

    def run():
        with inference():
            denoise(images, sigma)
    return run


def sample(denoise, images, inference, steps):
    """Algorithm 1 of Karras et al. 2022 in float64, as NVlabs/edm's generate.py has it: 2 steps - 1 evaluations."""
    i = torch.arange(steps, dtype=torch.float64)
    t = (80 ** (1 / 7) + i / max(steps - 1, 1) * (0.002 ** (1 / 7) - 80 ** (1 / 7))) ** 7
    t = torch.cat([t, torch.zeros(1, dtype=torch.float64)])

    def velocity(x, at):
        return (x - denoise(x.float(), at.float().expand(x.shape[0])).double()) / at

    def run():
        with inference():
            x = images.double() * t[0]
            for now, then in zip(t[:-1], t[1:]):
                d = velocity(x, now)
                x_next = x + (then - now) * d
                if then > 0:
                    x_next = x + (then - now) * 0.5 * (d + velocity(x_next, then))
                x = x_next
    return run


def update_loops(parameters, average, adam):
    """What NVlabs/edm does after the gradient: clean it, Adam, EMA."""
    for p in parameters:
        if p.grad is not None:
            torch.nan_to_num(p.grad, nan=0, posinf=1e5, neginf=-1e5, out=p.grad)
    adam.step()
    with torch.no_grad():
        for e, p in zip(average, parameters):
            e.copy_(p.detach().lerp(e, 0.999))


def train(denoise, images, network):
    parameters, average = list(network.parameters()), list(copy.deepcopy(network).requires_grad_(False).parameters())
    adam = torch.optim.Adam(parameters, lr=1e-4)

    def run():
        sigma = (torch.randn(images.shape[0]) * 1.2 - 1.2).exp()
        s = sigma.reshape(-1, 1, 1, 1)
        weight = (s * s + 0.25) / (s * 0.5) ** 2
        adam.zero_grad(set_to_none=True)
        (weight * (denoise(images + torch.randn_like(images) * s, sigma) - images) ** 2).sum().div(images.shape[0]).backward()
        update_loops(parameters, average, adam)
    return run


def optimizer(family, size, variant):
    """Clean-up, Adam and EMA alone, tensor by tensor or by torch's own fused and multi-tensor forms."""
    shapes = [p.shape for p in FAMILIES[family](size)[0].parameters()]
    parameters = [torch.full(s, 0.1, requires_grad=True) for s in shapes]
    average = [torch.full(s, 0.1) for s in shapes]
    for p in parameters:
        p.grad = torch.full_like(p, 1e-3)
    if variant == "loop":
        adam = torch.optim.Adam(parameters, lr=1e-4, foreach=False)
        return lambda: update_loops(parameters, average, adam)
    adam = torch.optim.Adam(parameters, lr=1e-4, fused=True)

    def run():
        for p in parameters:
            torch.nan_to_num(p.grad, nan=0, posinf=1e5, neginf=-1e5, out=p.grad)
        adam.step()
        with torch.no_grad():
            torch._foreach_lerp_(average, parameters, 1e-3)
    return run


def inception(batch, variant):
    """As pytorch-fid computes features, on torchvision's network with random weights."""
    from torchvision.models import inception_v3
    network = inception_v3(weights=None, init_weights=False, aux_logits=True).eval()
    network.fc = torch.nn.Identity()
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    last = variant.endswith("-cl")
    if last:
        network = network.to(memory_format=torch.channels_last)
    call, inference = compiled(network, variant)
    images = torch.randint(0, 256, (batch, 3, 32, 32), dtype=torch.uint8)

    def run():
        with inference():
            x = torch.nn.functional.interpolate(images.float(), size=(299, 299), mode="bilinear", align_corners=False) / 127.5 - 1
            call(x.contiguous(memory_format=torch.channels_last) if last else x)
    return run


def uniform_features(which):
    """4096 features of 2048 dimensions from splitmix64, the numbers that `edmund bench --phase frechet` draws."""
    import numpy
    n = 4096 * 2048
    z = (numpy.arange(which * n, (which + 1) * n, dtype=numpy.uint64) + numpy.uint64(1)) * numpy.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    z ^= z >> numpy.uint64(31)
    return ((z >> numpy.uint64(11)).astype(numpy.float64) * 2.0 ** -53).reshape(4096, 2048) * (which + 1)


def frechet(found):
    """The distance as pytorch-fid computes it, by scipy.linalg.sqrtm; each call leaves it in found["distance"]."""
    import numpy
    import scipy.linalg
    a, b = uniform_features(0), uniform_features(1)
    mean_a, mean_b, cov_a, cov_b = a.mean(0), b.mean(0), numpy.cov(a, rowvar=False), numpy.cov(b, rowvar=False)

    def run():
        root = numpy.real(scipy.linalg.sqrtm(cov_a @ cov_b))
        found["distance"] = float(((mean_a - mean_b) ** 2).sum() + numpy.trace(cov_a) + numpy.trace(cov_b) - 2 * numpy.trace(root))
    return run


# ---- Putting them together -----------------------------------------------------------------------
def compiled(module, variant):
    """The module as `variant` runs it, and the context that it is called in where no gradient is needed."""
    mode = variant.removesuffix("-cl")
    if mode == "eager":
        return module, torch.inference_mode
    return torch.compile(module, mode=COMPILE_MODES[mode]), torch.no_grad


def program(family, size, phase, batch, variant, steps, bf16=False):
    """A function that does the work of `phase` once."""
    torch.manual_seed(0)
    network, call = FAMILIES[family](size)
    network.train(phase == "train")
    images = torch.randn(batch, 3, 32, 32)
    if variant.endswith("-cl"):
        network, images = network.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    denoise, inference = compiled(Denoiser(network, call, bf16), variant)
    if phase == "train":
        return train(denoise, images, network)
    return forward(denoise, images, inference) if phase == "fwd" else sample(denoise, images, inference, steps)


class Timed:
    """A program with the number of calls that take a quarter of a second, after two calls that warm it up (and compile it)."""

    def __init__(self, name, run):
        self.name, self.run = name, run
        run()
        began = time.perf_counter()
        run()
        self.calls = max(1, min(200, math.ceil(0.25 / (time.perf_counter() - began))))

    def seconds(self):
        began = time.perf_counter()
        for _ in range(self.calls):
            self.run()
        return (time.perf_counter() - began) / self.calls


if __name__ == "__main__":
    _, what, family, size, batch, threads, *variant = sys.argv
    assert what == "memory"
    torch.set_num_threads(int(threads))
    run = program(family, size, "train", int(batch), "eager" + "".join("-" + v for v in variant), 0)
    for _ in range(3):
        run()
    # Not ru_maxrss: that of a program is at least what its parent had when it started it.
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024 * 1e-6)
