"""``python -m matting_data``: the command ``mattingdata``, where its script is not on the PATH."""

from matting_data.cli.main import main

if __name__ == "__main__":
    main()
