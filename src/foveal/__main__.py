"""`python -m foveal`, for what starts modules: `torchrun --nproc-per-node 2 -m foveal train DATA`."""

from foveal.cli import main

main()
