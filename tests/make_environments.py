"""Make the environments of both servers, and then distilabel's, while other things are done; `make test` starts it.

Whoever needs one of them waits until it is there. What fails here, fails there again, with its reason.
"""

from __future__ import annotations

import threading

from bridge.servers import argilla_environment, label_studio_environment
from tests import distilabel_environment


def main() -> None:
    """Make both servers' side by side, then the other; print what happens."""
    making = [
        threading.Thread(target=install, args=(print,))
        for install in (label_studio_environment.install, argilla_environment.install)
    ]
    for thread in making:
        thread.start()
    for thread in making:
        thread.join()
    distilabel_environment.install(print)


if __name__ == "__main__":
    main()
