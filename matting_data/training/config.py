"""What can be chosen about a training run, each with its default and its range; defaults are the paper's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from pydantic.dataclasses import dataclass

from matting_data.configuration import STRICT
from matting_data.networks.safenet.options import SafeNetConfig
from matting_data.networks.safenet.padding import MULTIPLE

Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0, le=10)]


@dataclass(frozen=True, config=STRICT)
class Optimiser:
    """How one group of weights is stepped.

    Attributes
    ----------
    kind : {"sgd", "adam", "adamw"}
    rate : float
        The learning rate, after `warm_up`.
    momentum : float
        Of ``sgd``.
    betas : (float, float)
        Of ``adam`` and ``adamw``.
    weight_decay : float
    schedule : {"constant", "poly", "cosine"}
        Factor of the rate at share s of all steps: 1, (1 − s)^`power`, (1 + cos πs)/2.
    power : float
        Of ``poly``.
    warm_up : int
        Steps over which the rate grows from 0.
    encoder_factor : float
        Factor of the encoder's rate; without meaning for the detector.
    clip : float
        Largest norm of the gradient; 0 leaves it as it is.
    """

    kind: Literal["sgd", "adam", "adamw"] = "sgd"
    rate: Rate = 0.1
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    betas: tuple[Annotated[float, Field(ge=0, lt=1)], Annotated[float, Field(ge=0, lt=1)]] = (0.9, 0.99)
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.0
    schedule: Literal["constant", "poly", "cosine"] = "constant"
    power: Annotated[float, Field(gt=0, le=10)] = 0.9
    warm_up: Annotated[int, Field(ge=0)] = 0
    encoder_factor: Annotated[float, Field(ge=0, le=10)] = 1.0
    clip: Annotated[float, Field(ge=0)] = 0.0


@dataclass(frozen=True, config=STRICT)
class Data:
    """What the network is shown.

    Attributes
    ----------
    split : str
        Of the dataset; never ``test``.
    crop : int
        Side of the square crops in pixels, a multiple of 32 from 64 on.
    augmentation : {"paper", "photographic", "fixed"}
        The paper's crop around head and upper body with a random scale and flip; this and changes of colour, blur,
        noise and JPEG; or the same crop of a sample every time, to see whether a network can learn at all.
    unknown : {"drawn", "stored", "area"}
        Where γ of equation (4) counts: the unknown pixels of a trimap drawn on the crop (kernel sides from [1, 30)), of
        the dataset's own trimap, or of MODNet's rule (20 to 40 pixels around everything soft, at 512).
    limit : int
        Take so many samples only, of as many foregrounds as there are; 0 takes all.
    stream : bool
        Read shard after shard, mixed over `buffer` samples, for distant or slow disks; else any sample at any time.
    buffer : int
        In samples.
    workers : int
        Loading processes of each training process; 0 loads between the steps. No result depends on it.
    """

    split: str = "train"
    crop: Annotated[int, Field(ge=64, le=4096)] = 512
    augmentation: Literal["paper", "photographic", "fixed"] = "paper"
    unknown: Literal["drawn", "stored", "area"] = "drawn"
    limit: Annotated[int, Field(ge=0)] = 0
    stream: bool = False
    buffer: Count = 2048
    workers: Annotated[int, Field(ge=0, le=256)] = 4

    def __post_init__(self) -> None:
        """Refuse what no network could use."""
        if self.crop % MULTIPLE:
            raise ValueError(f"crop {self.crop} is no multiple of {MULTIPLE}")
        if self.split == "test":
            raise ValueError("split 'test' is kept for testing: train on another")


@dataclass(frozen=True, config=STRICT)
class Validation:
    """What is held out of the training split, by person, to watch the training and to choose the stop rule.

    Attributes
    ----------
    share : float
        Of the people; 0 holds nobody out, and what is watched are training samples.
    samples : int
        The most samples that are looked at each time, of as many people as there are.
    every : int
        Steps between; 0 looks at the end of every epoch.
    iterations : int
        Refinements 0 to this one are reported.
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.05
    samples: Count = 200
    every: Annotated[int, Field(ge=0)] = 0
    iterations: Annotated[int, Field(ge=0, le=20)] = 5


@dataclass(frozen=True, config=STRICT)
class Saving:
    """When the run is written down; no result depends on it.

    Attributes
    ----------
    every : int
        Steps between checkpoints; 0 saves at the end of every epoch.
    keep : int
        Checkpoints kept.
    log_every : int
        Steps between rows of ``metrics.jsonl``.
    pictures_every : int
        Steps between pictures for TensorBoard.
    """

    every: Annotated[int, Field(ge=0)] = 0
    keep: Count = 2
    log_every: Count = 10
    pictures_every: Count = 500


@dataclass(frozen=True, config=STRICT)
class TrainConfig:
    """A training run.

    Attributes
    ----------
    network : SafeNetConfig
        In YAML the name of a preset, or keys, among them ``preset``. ``flaw_target.size`` follows `data.crop` where it
        is not given.
    encoder : str
        What the encoder starts from: ``imagenet``, ``random``, an address or a file.
    seed : int
        Of weights, order, crops and what is held out.
    data : Data
    batch : int
        Samples of one step, of all processes together.
    accumulate : int
        Parts in which a process takes its samples of a step, one after the other: memory for time.
    epochs : int
        Rounds over the split.
    steps : int
        Stop after so many steps instead; 0 goes by `epochs`.
    matting, detector : Optimiser
        Of the network, and of the flaw detector's own steps.
    batch_norm : {"train", "freeze_encoder", "sync"}
        Statistics of each part of a step, as they come; the encoder's left as they were; or (GPUs) those of the same
        part on all processes.
    ema : float
        Decay of an average of the weights, which is then what is validated and kept; 0 keeps none.
    precision : {"float32", "bfloat16"}
        Of convolutions; losses, flaw maps, heads and states stay float32.
    channels_last, compile, checkpoint_steps, deterministic : bool
        Memory layout; ``torch.compile``; compute the refinements' activations again in the backward pass; refuse
        operations whose results vary from run to run.
    validation : Validation
    saving : Saving
    """

    network: SafeNetConfig = SafeNetConfig()
    encoder: str = "imagenet"
    seed: int = 2022
    data: Data = Data()
    batch: Count = 16
    accumulate: Count = 1
    epochs: Count = 50
    steps: Annotated[int, Field(ge=0)] = 0
    matting: Optimiser = Optimiser()
    detector: Optimiser = Optimiser(kind="adam", rate=1e-4, schedule="poly")
    batch_norm: Literal["train", "freeze_encoder", "sync"] = "train"
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["float32", "bfloat16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    checkpoint_steps: bool = False
    deterministic: bool = False
    validation: Validation = Validation()
    saving: Saving = Saving()

    def __post_init__(self) -> None:
        """Refuse what cannot go together."""
        if self.batch % self.accumulate:
            raise ValueError(f"accumulate {self.accumulate} does not divide the batch of {self.batch}")
