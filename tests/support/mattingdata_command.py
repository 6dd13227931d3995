"""The command as a file, which is what torchrun starts."""

from matting_data.cli.main import main

if __name__ == "__main__":
    main()
