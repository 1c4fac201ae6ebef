"""What runs a bundle's graph, one engine per file: `engine(model, *, threads, precision="fp32") -> Session`.

`model` is the serialized ONNX graph or, where a bundle holds one, the engine's own form of it
(`Members.forms`), `threads` what one call of `run` may use, `precision` one of those that the file's
`precisions()` names: in which the engine computes what the graph leaves in float32, "fp32" first.
The session follows `bundle.session.Session`: `run(images)` takes uint8 (N, H, W, C) and returns probabilities
and logits, float32 (N, K), the same for any division into batches; `engine` is its name and version.
"""
