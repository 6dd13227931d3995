"""FiftyOne's server behind a guard: the program that a session starts instead of FiftyOne's own."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

from matting_data.browsing.guard import USER, Guard
from matting_data.errors import UsageError

_PATIENCE = 300
"""Seconds for the server to start, which imports all of FiftyOne."""

_SECRET, _MEDIA = "MATTINGDATA_BROWSE_SECRET", "MATTINGDATA_BROWSE_MEDIA"


def start_session(fo: Any, dataset: Any, port: int, address: str, secret: str, media: Path) -> Any:
    """Start the guarded server and a session of FiftyOne that uses it.

    Parameters
    ----------
    fo : module
        From :func:`matting_data.browsing.database.open_fiftyone`.
    dataset : fiftyone.Dataset
    port : int
    address : str
    secret : str
        Every request has to show it.
    media : Path
        Folder of the pictures that may be served.

    Raises
    ------
    UsageError
        The FiftyOne that is installed starts its servers in another way, or something answers without the secret.
    """
    import requests  # comes with FiftyOne
    from fiftyone.core import service
    from fiftyone.core.session import session as sessions

    class GuardedServer(service.ServerService):  # type: ignore[misc] # of a package that is not always there
        @property
        def command(self) -> list[str]:
            return [sys.executable, "-m", __name__, "--port", str(port), "--address", address]

        @property
        def env(self) -> dict[str, str]:
            # in the environment, which other users cannot read, unlike arguments
            code = str(Path(__file__).resolve().parents[2])
            path = os.pathsep.join([code, *filter(None, [os.environ.get("PYTHONPATH")])])
            return {**super().env, _SECRET: secret, _MEDIA: str(media), "PYTHONPATH": path}

        def _wait_for_child_port(self, port: int | None = None, timeout: int = _PATIENCE) -> Any:
            return super()._wait_for_child_port(port, timeout)

    servers = getattr(sessions, "_server_services", None)
    if not isinstance(servers, dict):
        raise UsageError(f"FiftyOne {fo.__version__} cannot be served safely: pip install 'fiftyone<1.23', or --no-app")
    try:
        # a session takes the server of its port
        servers[port] = GuardedServer(port, address=address, do_not_track=fo.config.do_not_track)
    except service.ServiceListenTimeout:
        raise UsageError(f"FiftyOne's server did not start within {_PATIENCE} s: try again, or --no-app") from None
    shown = f"[{address}]" if ":" in address else address
    place = "127.0.0.1" if address == "0.0.0.0" else "[::1]" if address == "::" else shown
    if requests.get(f"http://{place}:{port}/fiftyone", timeout=60).status_code != 403:
        servers.pop(port).stop()
        raise UsageError(f"something else answers at port {port}: name another with --port")
    return fo.launch_app(dataset, port=port, remote=True, address=f"{USER}:{secret}@{place}")


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", required=True)
    options = parser.parse_args()
    os.environ.pop("FIFTYONE_DISABLE_SERVICES", None)  # as FiftyOne's own program does before it imports FiftyOne
    os.environ["FIFTYONE_SERVER"] = "1"
    from fiftyone.server.app import app
    from fiftyone.server.events import set_port
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    address = f"[{options.address}]" if ":" in options.address else options.address
    config.bind = [f"{address}:{options.port}"]
    set_port(options.port)
    secret, media = os.environ.pop(_SECRET), Path(os.environ.pop(_MEDIA))
    guard: Any = Guard(app, secret, options.address, options.port, media)
    asyncio.run(serve(guard, config))


if __name__ == "__main__":
    main()
