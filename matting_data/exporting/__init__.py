"""A dataset in the layouts of other tools: Hugging Face, Composition-1k, COCO and MDS."""
