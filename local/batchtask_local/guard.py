"""Kills a process group when the process that started it is gone, however it ended.

Run as a script by `processes.py`, as the group's leader: it ends with the group, or, once its
parent is dead, ends the group and removes the directory given to it.
"""

import os
import select
import shutil
import signal
import sys
import time

POLL_SECONDS = 1.0
REMOVAL_TRIES = 50


def main(parent: int, directory: str) -> None:
    """Wait for the parent's end, then leave nothing of its servers behind."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # The pipe's end tells at once; a fork of the parent may hold the pipe, hence the poll.
    while os.getppid() == parent and not select.select([sys.stdin], [], [], POLL_SECONDS)[0]:
        pass
    group = os.getpgrp()
    if os.fork() == 0:
        os.setsid()
        os.killpg(group, signal.SIGKILL)
        _remove(directory)
        os._exit(0)
    signal.pause()


def _remove(directory: str) -> None:
    for _ in range(REMOVAL_TRIES if directory else 0):
        shutil.rmtree(directory, ignore_errors=True)
        if not os.path.lexists(directory):
            return
        time.sleep(0.1)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
