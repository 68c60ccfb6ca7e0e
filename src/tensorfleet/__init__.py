"""The library behind *Tensor to Fleet*, an executable book on LLM systems.

One package for each chapter of the book. A chapter's `reference` module is its idea in
plain Python; `ops` is the same in PyTorch; `kernel` is the same in Triton. Importing
`tensorfleet` or the package of a chapter needs the standard library alone: whoever
wants tensors imports `tensorfleet.scatter.ops`.
"""
