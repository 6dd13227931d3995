"""The command, run in this process as a user would."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

RunCommand = Callable[..., tuple[int, str, str]]
"""Arguments → exit code, what was printed, what was said of errors."""


COMMAND = [sys.executable, "-c", "from matting_data.cli.main import main; main()"]
"""The command as a process of its own."""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCommand:
    from matting_data.cli.main import main

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["mattingdata", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run
