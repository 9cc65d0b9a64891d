"""How is a browser started, and how does nothing of it stay?

It is forked from the worker, gives up what rights it has, puts on a filter that leaves it no
network, and dies when the worker does: the kernel kills all of it, whatever it does, when a pipe
to the worker closes. Its folder is removed when it ends, or by the next that
starts where nobody was left to do so.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import pwd
import resource
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from gevent import monkey
from gevent.os import fork_and_watch

from crawler.config import RenderConfig
from crawler.errors import UsageError
from crawler.render.seccomp import Filter

PACKAGE: Final = "chromium-headless-shell"
FOLDERS: Final = "crawler-render-"
FLAGS: Final = (
    "--remote-debugging-pipe",
    # frames are made when they are asked for, so that virtual time is the same on every machine
    "--enable-begin-frame-control",
    "--run-all-compositor-stages-before-draw",
    "--disable-gpu",
    "--disable-3d-apis",  # a shader without end would hold up the frames of all
    "--js-flags=--max-old-space-size=256",
    "--block-new-web-contents",
    "--no-first-run",
    "--no-pings",
    "--mute-audio",
    "--hide-scrollbars",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-breakpad",
    "--disable-notifications",
    "--disable-speech-api",
    # no name is looked up, by whatever way
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # a page is one process, which can be watched and ended
    "--disable-site-isolation-trials",
    "--disable-features=IsolateOrigins,site-per-process,IsolateSandboxedIframes,HttpsUpgrades,"
    "SpareRendererForSitePerProcess,Translate,OptimizationHints,MediaRouter,BackForwardCache,"
    "Prerender2,SpeculationRulesPrefetchFuture,ServiceWorkerAutoPreload",
)
MOST_THREADS: Final = 2000
_SMALL_SHM: Final = 256 * 1024 * 1024
_SPARE_UIDS: Final = range(61_184, 65_520)
"""Those that systemd gives to services that need one of their own for a while."""
_SET_PDEATHSIG: Final = 1
_READS, _LIVES = 3, 5
"""Descriptors: where the browser reads from, before where it writes to, and what it only holds."""
_NEW_NAMESPACES: Final = 0x10000000 | 0x20000000 | 0x40000000
"""unshare(2): of users, processes and network: what Chromium's sandbox is made of."""
_fork = monkey.get_original("os", "fork")
"""gevent's own would bring up a loop in the new process, which needs none."""
_libc = ctypes.CDLL(None, use_errno=True)


def check(config: RenderConfig) -> None:
    """Raises UsageError where no browser can be had here: it names the package, or what the
    sandbox lacks."""
    if not os.access(config.program, os.X_OK):
        raise UsageError(
            f"render.program: {config.program}: is not there; pages are shown by the package "
            f"{PACKAGE} (apt-get install {PACKAGE})"
        )
    try:
        guard = Filter(_libc)
    except OSError as error:
        raise UsageError(f"--render: {error.strerror}") from None
    failed = _in_a_child(lambda: _try_sandbox(guard))
    if failed:
        raise UsageError(
            f"--render: the sandbox of {PACKAGE} needs user namespaces, and here there are none "
            f"({os.strerror(failed)}); in a container: docker run --security-opt "
            "seccomp=unconfined, on a machine: sysctl "
            "kernel.apparmor_restrict_unprivileged_userns=0"
        )


def _try_sandbox(guard: Filter) -> None:
    """What the sandbox will do, as whom it will do it."""
    _become(_spare_uid())
    guard.put_on()
    if _libc.unshare(_NEW_NAMESPACES):
        raise OSError(ctypes.get_errno(), "")


def _in_a_child(work: Callable[[], None]) -> int:
    """The number of the error that some work ends with, in a process of its own; 0 for none."""
    child = _fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except OSError as error:
            status = error.errno or 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Running:
    """A browser. told, heard: descriptors of what it is told and of what it says."""

    def __init__(self, config: RenderConfig) -> None:
        sweep()
        uid = _spare_uid()
        self._folder = Path(tempfile.mkdtemp(prefix=f"{FOLDERS}{os.getpid()}-"))
        profile = self._folder / "profile"
        profile.mkdir()
        if uid is not None:
            self._folder.chmod(0o711)
            os.chown(profile, uid, uid)
        theirs_in, self.told = os.pipe()
        self.heard, theirs_out = os.pipe()
        lives, self._alive = os.pipe()
        nothing = os.open(os.devnull, os.O_RDWR)
        self._ended = False
        launch = _Launch(config, profile, uid, (theirs_in, theirs_out, lives, nothing))
        try:
            self.pid = fork_and_watch(fork=_fork)  # the loop reaps it
            if self.pid == 0:
                launch.run()
        finally:
            for number in (theirs_in, theirs_out, lives, nothing):
                os.close(number)

    def __repr__(self) -> str:
        return f"<Running {self.pid} in {self._folder}>"

    def end(self) -> None:
        """Kill it and all that it has started, and remove its folder."""
        if not self._ended:  # later the number may be that of others
            self._ended = True
            os.close(self._alive)
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)


class _Launch:
    """What a new process does until it is the browser. All is made ready before it is forked: what
    is imported or opened later may not be there for whom it has become."""

    def __init__(
        self, config: RenderConfig, profile: Path, uid: int | None, ends: tuple[int, int, int, int]
    ) -> None:
        flags = [*FLAGS, f"--user-data-dir={profile}"]
        if _shm_bytes() < _SMALL_SHM:
            flags.append("--disable-dev-shm-usage")
        self._command = [config.program, *flags]
        self._environment = {
            "HOME": str(profile), "TMPDIR": str(profile), "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8", "TZ": "UTC", "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }  # fmt: skip
        self._program = config.program
        self._uid = uid
        self._ends = ends
        self._memory = config.memory_bytes
        self._guard = Filter(_libc)
        self._parent = os.getpid()

    def run(self) -> NoReturn:
        """Be the browser."""
        try:
            os.setsid()  # so that Ctrl-C is not for it, and all of it can be killed together
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)
            self._take_descriptors()
            resource.setrlimit(resource.RLIMIT_DATA, (self._memory, self._memory))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            if self._uid is not None:  # whose processes, and threads, are all of this browser
                resource.setrlimit(resource.RLIMIT_NPROC, (MOST_THREADS, MOST_THREADS))
            _become(self._uid)
            _libc.prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            _die_together(_LIVES)
            if os.getppid() != self._parent:
                os._exit(1)
            self._guard.put_on()
            os.execve(self._program, self._command, self._environment)
        finally:
            os._exit(1)

    def _take_descriptors(self) -> None:
        """It reads from 3 and writes to 4, holds the pipe that nothing comes through, and has
        nothing else of ours."""
        *theirs, nothing = self._ends
        places = {0: nothing, 1: nothing, 2: nothing, **dict(enumerate(theirs, _READS))}
        high = max(*places, *self._ends) + 1
        for place, number in places.items():
            os.dup2(number, high + place)
        for place in places:
            os.dup2(high + place, place)
        os.closerange(max(places) + 1, os.sysconf("SC_OPEN_MAX"))


def _die_together(lives: int) -> None:
    """Have the kernel kill this group of processes when the other end of a pipe is closed, which
    the end of whoever holds it does: what hangs would not see that others are no more. Only the
    zygote, first in a namespace of processes, is not to be had so; it shows no page, and ends by
    itself. F_SETSIG in fcntl(2), pid_namespaces(7)."""
    fcntl.fcntl(lives, fcntl.F_SETOWN, -os.getpgrp())
    fcntl.fcntl(lives, fcntl.F_SETSIG, signal.SIGKILL)
    fcntl.fcntl(lives, fcntl.F_SETFL, fcntl.fcntl(lives, fcntl.F_GETFL) | os.O_ASYNC)


def _become(uid: int | None) -> None:
    """Give up what rights root has; not to be had back."""
    if uid is None:
        return
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def _spare_uid() -> int | None:
    """A user that nobody is, where this is root; another for each worker, so that none can touch
    what is of another's."""
    if os.getuid() != 0:
        return None
    first = os.getpid() % len(_SPARE_UIDS)
    for uid in (*_SPARE_UIDS[first:], *_SPARE_UIDS[:first]):
        try:
            pwd.getpwuid(uid)
        except KeyError:
            return int(uid)
    raise OSError(errno.EAGAIN, "no user id is free")


def _shm_bytes() -> int:
    try:
        room = os.statvfs("/dev/shm")
    except OSError:
        return 0
    return room.f_bavail * room.f_frsize


def sweep() -> None:
    """Remove the folders of browsers whose workers were killed: their names begin with a process
    that is no more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDERS}*"):
        number = folder.name.removeprefix(FOLDERS).partition("-")[0]
        with suppress(OSError):
            about = folder.lstat()
            is_ours = about.st_uid == os.getuid() and time.time() - about.st_mtime > 1
            if is_ours and number.isdecimal() and not Path(f"/proc/{number}").exists():
                shutil.rmtree(folder, ignore_errors=True)
