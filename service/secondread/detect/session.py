"""ONNX Runtime: the one module that runs a model."""

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from secondread.detect.manifest import Graph, Manifest
from secondread.detect.strips import DenseOutput
from secondread.errors import ModelError

_Array = npt.NDArray[np.float32]

PATCHES_AT_ONCE = 64
"""Patches in one run, so that the memory that ONNX Runtime holds does not grow with the number of
candidates. It takes no longer than all of them at once."""

_binding = ort.capi.onnxruntime_pybind11_state
# ONNX Runtime's errors have no common base of their own.
_RUNTIME_ERRORS: tuple[type[Exception], ...] = (
    RuntimeError, ValueError, _binding.EPFail, _binding.Fail, _binding.InvalidArgument,
    _binding.InvalidGraph, _binding.InvalidProtobuf, _binding.NotImplemented,
    _binding.RuntimeException,
)  # fmt: skip


class GraphSession:
    """One graph of a model, ready to run on the processor.

    Parameters
    ----------
    manifest, graph
        Which file; its digest is checked again, on the very bytes that are run.
    threads
        Threads of one run.

    Raises
    ------
    ModelError
        The file is not the one that the manifest names, ONNX Runtime cannot run it, or it lacks
        a tensor that the manifest names.
    """

    def __init__(self, manifest: Manifest, graph: Graph, threads: int = 1) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # A spinning thread takes the processor from another process that would do work with it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        content = manifest.read_graph(graph)
        where = manifest.folder / graph.file
        try:
            self._session = ort.InferenceSession(
                content, options, providers=["CPUExecutionProvider"]
            )
        except _RUNTIME_ERRORS as error:
            raise ModelError(f"{where}: ONNX Runtime cannot load it: {error}") from error
        self.graph = graph
        self._outputs = [graph.scores] + ([graph.diameter] if graph.diameter else [])
        tensors = (*self._session.get_inputs(), *self._session.get_outputs())
        names = {tensor.name for tensor in tensors}
        for key in ("input", "scores", "diameter"):
            name = getattr(graph, key)
            if name is not None and name not in names:
                raise ModelError(f"{where}: no tensor {name!r}, which graphs.{key} names")

    @property
    def input_shape(self) -> list[int | str]:
        """Shape of the input; names stand for lengths that the graph leaves open."""
        (shape,) = (t.shape for t in self._session.get_inputs() if t.name == self.graph.input)
        return list(shape)

    def run_dense(self, batch: _Array) -> DenseOutput:
        """Run a dense graph on one (1, 1, rows, columns) input."""
        scores, *diameter = self._run_graph(self._outputs, batch)
        return DenseOutput(scores, diameter[0] if diameter else None)

    def run_patches(self, batch: _Array) -> _Array:
        """Run a patch graph on (patches, 1, rows, columns); returns (patches, channels).

        A graph of neighbours takes (spots, features) in the same way.
        """
        scores = [
            self._run_graph(self._outputs[:1], batch[first : first + PATCHES_AT_ONCE])[0]
            for first in range(0, len(batch), PATCHES_AT_ONCE)
        ]
        return np.concatenate(scores).reshape(len(batch), len(self.graph.channels))

    def _run_graph(self, outputs: list[str], batch: _Array) -> list[_Array]:
        try:
            return list(self._session.run(outputs, {self.graph.input: batch}))
        except _RUNTIME_ERRORS as error:
            if "alloc" in str(error).lower():
                raise MemoryError(str(error)) from error
            raise ModelError(f"{self.graph.file}, input {batch.shape}: {error}") from error
