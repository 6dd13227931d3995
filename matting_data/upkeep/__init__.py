"""Looking after a built dataset: status, verification and repair."""
