"""The networks: a dense one over strips of tissue, two over patches, and one over neighbours.

The dense network works at a quarter of the resolution and below, where it has channels enough to
fill a processor's wide registers; full-resolution layers of few channels would take six times as
long and find no more (measured beforehand). A pixel shuffle brings its answer back to full
resolution, so that a calcification of two pixels keeps its place.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from secondread.codes import MarkClass
from secondread.detect.neighbours import DIRECTIONS, VALUES_AROUND, VALUES_PER_DIRECTION

STRIDE = 4
"""Resolution of the dense network's finest layers, as a part of the input's."""
MULTIPLE_OF = 16
"""Height and width of the dense network's input are multiples of this."""


class Block(nn.Module):
    """Two convolutions with a skip connection."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        # The skip connection dominates at first, so that depth does no harm in the beginning.
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the input's shape."""
        return functional.relu(x + self.second(functional.relu(self.first(x))))


class Dense(nn.Module):
    """From strips to score maps, one channel for each class.

    Parameters
    ----------
    heads
        Number of classes.
    widths
        Channels at a quarter, an eighth and a sixteenth of the resolution.
    """

    def __init__(self, heads: int, widths: tuple[int, int, int] = (32, 48, 96)) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.unshuffle = nn.PixelUnshuffle(STRIDE)
        self.stem = nn.Conv2d(STRIDE * STRIDE, fine, 3, padding=1)
        self.to_middle = nn.Conv2d(fine, middle, 2, stride=2)
        self.middle = nn.Sequential(Block(middle), Block(middle))
        self.to_coarse = nn.Conv2d(middle, coarse, 2, stride=2)
        self.coarse = nn.Sequential(Block(coarse), Block(coarse, dilation=2))
        self.from_coarse = nn.Conv2d(coarse, middle, 1)
        self.from_middle = nn.Conv2d(middle, fine, 1)
        self.last = Block(fine)
        self.head = nn.Conv2d(fine, heads * STRIDE * STRIDE, 1)
        self.shuffle = nn.PixelShuffle(STRIDE)
        # Almost every pixel is background: begin by saying so.
        nn.init.constant_(self.head.bias, -4.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (n, heads, rows, columns), of an input (n, 1, rows, columns)."""
        fine = functional.relu(self.stem(self.unshuffle(0.1 * x)))
        middle = self.middle(functional.relu(self.to_middle(fine)))
        coarse = self.coarse(functional.relu(self.to_coarse(middle)))
        middle = functional.relu(middle + _double_size(self.from_coarse(coarse)))
        fine = functional.relu(fine + _double_size(self.from_middle(middle)))
        logits: Tensor = self.shuffle(self.head(self.last(fine)))
        return logits


class Patches(nn.Module):
    """From patches around candidates to logits: first that for nothing, then the classes.

    Its first layers work at half the resolution, those of the dense network at a quarter.

    Parameters
    ----------
    outputs
        Number of logits.
    side
        Rows and columns of a patch, a multiple of 8.
    widths
        Channels at a half, a quarter and an eighth of the resolution, and of the last layer.
    """

    def __init__(
        self, outputs: int, side: int, widths: tuple[int, int, int, int] = (32, 48, 72, 96)
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.PixelUnshuffle(2)]
        before = 4
        for channels in widths[:3]:
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            layers += [nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
            before = channels
        # The last resolution is kept: where in the patch something lies matters.
        self.features = nn.Sequential(*layers[:-1])
        left = side // 8 - 2
        self.decide = nn.Sequential(
            nn.Conv2d(before, widths[3], 3),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(widths[3] * left * left, outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (n, outputs), of patches (n, 1, side, side)."""
        logits: Tensor = self.decide(self.features(0.1 * x))
        return logits


class PlainUNet(nn.Module):
    """A small full-resolution U-Net, the obvious first attempt: the network of `benchmark`."""

    def __init__(self, heads: int, width: int = 12) -> None:
        super().__init__()
        self.one = _make_pair(1, width)
        self.two = _make_pair(width, 2 * width)
        self.three = _make_pair(2 * width, 4 * width)
        self.back_two = _make_pair(6 * width, 2 * width)
        self.back_one = _make_pair(3 * width, width)
        self.head = nn.Conv2d(width, heads, 1)
        nn.init.constant_(self.head.bias, -4.0)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, (n, heads, rows, columns), of an input (n, 1, rows, columns)."""
        full = self.one(0.1 * x)
        two = self.two(functional.max_pool2d(full, 2))
        three = self.three(functional.max_pool2d(two, 2))
        two = self.back_two(torch.cat([_double_size(three), two], 1))
        full = self.back_one(torch.cat([_double_size(two), full], 1))
        logits: Tensor = self.head(full)
        return logits


def _make_pair(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(after, after, 3, padding=1),
        nn.ReLU(),
    )


def _double_size(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class Neighbours(nn.Module):
    """From a speck's neighbours to the log odds of a calcification against a vessel's.

    The input is that of `detect.neighbours.compute_features`. Its last part are the scores of the
    rescoring network, with which the result is combined. The direction of a pattern does not
    matter: the directions form a circle, which is convolved and pooled.

    Parameters
    ----------
    heads
        Classes of the rescoring network.
    """

    def __init__(self, heads: Sequence[MarkClass], width: int = 32) -> None:
        super().__init__()
        self.heads = len(heads)
        self.either = [heads.index(MarkClass.CALCIFICATION), heads.index(MarkClass.VASCULAR)]
        self.lines = nn.Sequential(
            nn.Conv1d(VALUES_PER_DIRECTION, width, 1),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
            nn.Conv1d(width, width, 3, padding=1, padding_mode="circular"),
            nn.ReLU(),
        )
        self.decide = nn.Sequential(
            nn.Linear(2 * width + VALUES_AROUND + 1 + self.heads, 2 * width),
            nn.ReLU(),
            nn.Linear(2 * width, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return log odds, (n,), of features, (n, features_length)."""
        along, around, own = x.split(
            [DIRECTIONS * VALUES_PER_DIRECTION, VALUES_AROUND, 1 + self.heads], dim=1
        )
        lines = self.lines(along.reshape(-1, DIRECTIONS, VALUES_PER_DIRECTION).transpose(1, 2))
        before = torch.log(own.clamp(min=_LEAST_SHARE))
        calcification, vessel = (before[:, 1 + head] for head in self.either)
        seen = torch.cat([lines.amax(2), lines.mean(2), around, before], 1)
        odds: Tensor = self.decide(seen)[:, 0] + calcification - vessel
        return odds


_LEAST_SHARE = 1e-3
