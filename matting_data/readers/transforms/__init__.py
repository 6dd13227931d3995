"""What is done with a decoded sample before it becomes tensors: crops, trimaps, changes of colour."""

from matting_data.readers.transforms.crops import Flip, PersonCrop, ShortSide
from matting_data.readers.transforms.harmonise import HarmoniseBackground, harmonised_background
from matting_data.readers.transforms.new_trimap import AdaptiveTrimap, DimTrimap
from matting_data.readers.transforms.photograph import Blur, ColourJitter, Jpeg, Noise
from matting_data.readers.transforms.pipeline import Pipeline, evaluation_transform, paper_augmentation
from matting_data.readers.transforms.visit import Transform, Visit

__all__ = ["AdaptiveTrimap", "Blur", "ColourJitter", "DimTrimap", "Flip", "HarmoniseBackground", "Jpeg", "Noise",
           "PersonCrop", "Pipeline", "ShortSide", "Transform", "Visit", "evaluation_transform", "harmonised_background",
           "paper_augmentation"]  # fmt: skip
