"""OpenImages' metadata: recognised, read in blocks, and judged image by image.

``recognise.recognise(folder)`` says what a folder holds and what is missing; ``verdicts.judge_metadata(folder, out,
policy)`` writes one verdict an image; ``verdicts.read_verdicts(out, ids)`` looks them up, and
``image_lists.image_rows(metadata, ids)`` whose they are.
"""
