"""Training of the calcification detector: from simulated tissue to ONNX files and a manifest.

The data's way is the modules' order: `backgrounds` (tissue without solids, cached), `solids`
(what is put into it), `processing` (a random vendor), `regions` (one piece of an image with its
truth), `store` (regions on disk), `networks`, `dense` and `patches` (the two trainings),
`mining` (where the dense network is wrong), `export`. `__main__` runs them.

Nothing here is part of the wheel. PyTorch is needed from `networks` on.
"""
