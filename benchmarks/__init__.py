"""What is timed: one module, one command each; every figure beside a floor or a peer of the same run."""
