"""The command line: one thin module a verb, no logic of its own (installed as ``matting_data.cli``)."""
