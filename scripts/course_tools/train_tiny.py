"""scripts/train_tiny: trains a character transformer with the course's kernels, and with PyTorch's."""

import argparse
import itertools
import json
import math
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from course_tools import course, paths
from course_tools.cli import Parser, positive
from course_tools.errors import EXIT_FAILED, EXIT_OK, SetupError, UsageError

if TYPE_CHECKING:
    import torch

FORWARD = ("05", "07")  # the lessons with a causal mask and LSE
BACKWARD = "06"
Attention = Callable[..., "torch.Tensor"]
TWIN = "PyTorch, rounded otherwise"
# Two kernels round differently, and training makes such differences grow: by how much is measured, with
# a twin of PyTorch's run in which every output of attention is off by up to this much, relatively.
ROUNDING = 2.0**-20
# At every step, ours may be as far from PyTorch's run as so many times what the twin has been by then.
# In the first steps that is next to nothing, and a wrong gradient is seen there.
SPREADS = 10
ALWAYS_ALLOWED = 1e-3  # nats per character
HELD_OUT = 10  # one part of so many is never trained on


@dataclass(frozen=True)
class Sizes:
    """The model, and what it sees in a step."""

    layers: int = 2
    heads: int = 4
    head_dim: int = 16
    context: int = 64  # characters
    batch: int = 8


@dataclass(frozen=True)
class Curve:
    losses: list[float]  # in nats per character, of the batch of each step
    held_out: float  # of text that was not trained on, at the end
    seconds: float


def main(arguments: Sequence[str]) -> int:
    options = _parse(arguments)
    text = training_text()
    files = _check(options, text)
    torch = _import_torch()
    device = _device(torch, options.device)
    attentions = _attentions(options, files)
    sizes = Sizes(**{name: getattr(options, name) for name in asdict(Sizes())})
    print(
        f"{len(text):,} characters, {len(set(text))} different; {sizes.layers} layers, "
        f"{sizes.heads} heads of {sizes.head_dim}, context {sizes.context}, batch {sizes.batch}; "
        f"{device}, float32, seed {options.seed}"
    )
    curves = {}
    for name, attention in attentions.items():
        print(f"{name}:")
        curves[name] = train(torch, attention, text, sizes, options.steps, options.seed, device)
        print(f"  {curves[name].seconds:.1f} s, held-out loss {curves[name].held_out:.4f}")
    if options.json is not None:
        _write(options.json, curves)
    return _compare(curves)


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "train_tiny",
        "Trains a small character transformer on the lessons' own texts: once with your kernels, once\n"
        "with PyTorch's attention, from the same start on the same batches. The loss curves agree, or\n"
        "the exit status is 1; how far rounding alone takes them apart is measured with a third run.\n"
        "Needs PyTorch and the package flash_lessons (pip install .).",
    )
    parser.add_argument("--kernels", type=Path, metavar="DIR", help="default: kernels")
    parser.add_argument(
        "--solutions", action="store_true", help="the reference solutions instead of your kernels"
    )
    parser.add_argument(
        "--forward",
        choices=FORWARD,
        default=FORWARD[0],
        metavar="LESSON",
        help=f"the forward pass, {FORWARD[0]} (default) or {FORWARD[1]}: it has to be causal",
    )
    parser.add_argument(
        "--attention",
        choices=("both", "ours", "torch"),
        default="both",
        help="what is trained; default: both",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), help="default: cuda where it answers")
    parser.add_argument("--steps", type=positive, default=200, help="default: 200")
    parser.add_argument("--seed", type=int, default=1, help="default: 1")
    for name, value in asdict(Sizes()).items():
        flag = "--" + name.replace("_", "-")
        parser.add_argument(flag, type=positive, default=value, help=f"default: {value}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="writes the loss curves")
    options = parser.parse_args(arguments)
    if options.kernels and options.solutions:
        parser.error("--kernels and --solutions exclude each other")
    if options.head_dim > 128:
        parser.error("--head-dim: the kernels take 1 to 128")
    return options


def _check(options: argparse.Namespace, text: str) -> list[Path]:
    """Finds what is wrong before the training begins, and returns the kernel files."""
    least = len(text) // HELD_OUT
    if options.context >= least:
        raise UsageError(
            f"--context {options.context}: the texts that are held out have {least:,} characters; it "
            "has to be less"
        )
    if options.json is not None and not _can_write(options.json):
        raise UsageError(f"cannot write {options.json}")
    if options.attention == "torch":
        return []
    folder = paths.SOLUTIONS if options.solutions else options.kernels or paths.KERNELS
    files = [
        folder / f"{course.select(course.load(), [lesson])[0].name}.cu"
        for lesson in (options.forward, BACKWARD)
    ]
    for file in files:
        if not file.is_file():
            raise UsageError(f"{file} does not exist")
    return files


def _can_write(file: Path) -> bool:
    """Whether the file can be written at the end; nothing is changed yet."""
    if file.exists():
        return file.is_file() and os.access(file, os.W_OK)
    return file.parent.is_dir() and os.access(file.parent, os.W_OK)


def _import_torch() -> object:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise SetupError("PyTorch is missing; install with: pip install torch") from error
    return torch


def _device(torch: object, chosen: str | None) -> str:
    if chosen == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: no GPU answers")
    return chosen or ("cuda" if torch.cuda.is_available() else "cpu")


def _attentions(options: argparse.Namespace, files: list[Path]) -> dict[str, Attention]:
    """What is trained with, by the name under which it is shown."""
    import torch

    theirs = torch.nn.functional.scaled_dot_product_attention
    found = {}
    if options.attention != "torch":
        try:
            import flash_lessons
            import flash_lessons.torch as flash_lessons_torch
        except ModuleNotFoundError as error:
            raise SetupError(
                "the package flash_lessons is missing; install with: pip install ."
            ) from error
        try:
            forward, backward = (flash_lessons.load(file) for file in files)
        except (OSError, ValueError, flash_lessons.FlashLessonsError) as error:
            raise UsageError(str(error)) from error

        def ours(q: "torch.Tensor", k: "torch.Tensor", v: "torch.Tensor") -> "torch.Tensor":
            return flash_lessons_torch.scaled_dot_product_attention(
                q, k, v, is_causal=True, forward=forward, backward=backward
            )

        found[" and ".join(paths.shown(file) for file in files)] = ours
    if options.attention != "ours":
        found["PyTorch"] = lambda q, k, v: theirs(q, k, v, is_causal=True)
    if options.attention == "both":

        def twin(q: "torch.Tensor", k: "torch.Tensor", v: "torch.Tensor") -> "torch.Tensor":
            o = theirs(q, k, v, is_causal=True)
            return o * (1 + ROUNDING * torch.empty_like(o).uniform_(-1, 1))

        found[TWIN] = twin
    return found


def training_text() -> str:
    """The texts of the lessons, in order."""
    files = [paths.LESSONS / lesson.name / "README.md" for lesson in course.load()]
    return "".join(file.read_text(encoding="utf-8") for file in files)


def train(
    torch: object,
    attention: Attention,
    text: str,
    sizes: Sizes,
    steps: int,
    seed: int,
    device: str,
) -> Curve:
    """Trains one model. Runs with the same seed start from the same weights and see the same text."""
    characters = sorted(set(text))
    codes = torch.tensor([characters.index(one) for one in text])
    held_out = codes[: len(codes) // HELD_OUT]
    trained_on = codes[len(codes) // HELD_OUT :]
    torch.manual_seed(seed)
    weights = _weights(torch, sizes, len(characters), device)
    optimizer = torch.optim.AdamW(weights.values(), lr=2e-3)
    draw = torch.Generator().manual_seed(seed)

    def loss_of(source: "torch.Tensor") -> "torch.Tensor":
        starts = torch.randint(len(source) - sizes.context, (sizes.batch,), generator=draw)
        rows = source[starts[:, None] + torch.arange(sizes.context + 1)].to(device)
        logits = _logits(torch, weights, sizes, attention, rows[:, :-1])
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())

    start, losses = time.monotonic(), []
    for step in range(steps):
        loss = loss_of(trained_on)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % max(1, steps // 10) == 0 or step == steps - 1:
            print(f"  step {step:>5}  loss {losses[-1]:.4f}")
    with torch.no_grad():
        average = sum(loss_of(held_out).item() for _ in range(8)) / 8
    return Curve(losses, average, time.monotonic() - start)


def _weights(
    torch: object, sizes: Sizes, characters: int, device: str
) -> dict[str, "torch.Tensor"]:
    """Matrices by name; they are drawn on the CPU, so that every device starts from the same ones."""
    width = sizes.heads * sizes.head_dim
    shapes = {"character": (characters, width), "position": (sizes.context, width)}
    for n in range(sizes.layers):
        shapes |= {f"qkv{n}": (width, 3 * width), f"out{n}": (width, width)}
        shapes |= {f"up{n}": (width, 4 * width), f"down{n}": (4 * width, width)}
    shapes["predict"] = (width, characters)
    drawn = {}
    for name, shape in shapes.items():
        matrix = torch.randn(shape) * (
            0.02 if name in ("character", "position") else shape[0] ** -0.5
        )
        drawn[name] = matrix.to(device).requires_grad_()
    return drawn


def _logits(
    torch: object,
    weights: dict[str, "torch.Tensor"],
    sizes: Sizes,
    attention: Attention,
    rows: "torch.Tensor",
) -> "torch.Tensor":
    """[batch, context] characters to [batch, context, characters] scores of the next one."""
    x = weights["character"][rows] + weights["position"]
    norm = lambda values: torch.nn.functional.layer_norm(values, values.shape[-1:])
    for n in range(sizes.layers):
        qkv = (norm(x) @ weights[f"qkv{n}"]).unflatten(-1, (3, sizes.heads, sizes.head_dim))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # each [batch, heads, context, head_dim]
        x = x + attention(q, k, v).transpose(1, 2).flatten(2) @ weights[f"out{n}"]
        hidden = torch.nn.functional.gelu(norm(x) @ weights[f"up{n}"])
        x = x + hidden @ weights[f"down{n}"]
    return norm(x) @ weights["predict"]


def _write(file: Path, curves: dict[str, Curve]) -> None:
    try:
        text = json.dumps({name: asdict(curve) for name, curve in curves.items()}, indent=1)
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror}") from error


def _compare(curves: dict[str, Curve]) -> int:
    for name, curve in curves.items():
        losses = curve.losses
        if not all(map(math.isfinite, losses)) or (len(losses) > 1 and losses[-1] >= losses[0]):
            print(f"the loss did not fall: {name}")
            return EXIT_FAILED
    if TWIN not in curves:
        return EXIT_OK
    ours, theirs, twin = (curve.losses for curve in curves.values())
    apart = [abs(a - b) for a, b in zip(ours, theirs, strict=True)]
    spread = itertools.accumulate((abs(a - b) for a, b in zip(twin, theirs, strict=True)), max)
    allowed = [ALWAYS_ALLOWED + SPREADS * one for one in spread]
    too_far = [step for step, one in enumerate(apart) if not one <= allowed[step]]
    if too_far:
        step = too_far[0]
        print(
            f"the loss curves DIFFER: {apart[step]:.1e} apart at step {step}, where rounding explains "
            f"{allowed[step]:.1e}"
        )
        return EXIT_FAILED
    print(
        f"the loss curves agree: at most {max(apart):.1e} apart, where rounding explains "
        f"{allowed[-1]:.1e}"
    )
    return EXIT_OK
