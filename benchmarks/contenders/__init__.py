"""One module for each contender, run in the environment of its own as `python -m benchmarks.contenders.NAME`."""
