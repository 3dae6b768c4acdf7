"""Training of the calcification detector: from simulated tissue to ONNX files and a manifest.

``python -m models.calcification.training COMMAND`` runs it; `__main__` lists the commands. Data
flows through the modules in this order:

- Regions: `backgrounds` (tissue without solids, stored), `placed_solids`, `region_solids`,
  `metal_solids` and `subtle_clusters` (the solids that are put in), `random_processing` (a random
  vendor), `regions` (a piece of an image with its truth), `real` (the same with real tissue),
  `store` (regions on disk), `tiles` (batches of pieces of them).
- Networks: `networks`; `weights` (those of the committed graphs); `dense`, `patches` and
  `neighbour_network` (the trainings); `mining` (false candidates of the dense network); `specks`
  (its candidates as points); `export` (to ONNX files); `round` (all of these in one run).
- Manifest: `validation_exams` (what is fitted on), `fitting` (calibration and operating points of
  new graphs), `certainty` and `operating_points` (those of a finished model, by exam), `isotonic`
  (tables);
  `annotated_regions`, `layouts`, `scattered`, `softmax` and `group_tables` (types and
  distributions of groups).
- `benchmark` (a plain network to compare with), `console` (progress of long steps).

Nothing here is part of the wheel. PyTorch is needed from `networks` on.
"""
