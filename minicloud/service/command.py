"""``twistd minicloud`` and ``twist minicloud``: the command line, and the service that it makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage
from twisted.python.logfile import LogFile

from minicloud.config import ConfigError, Settings, load_settings
from minicloud.connecting.names import look_up_in_daemon_threads
from minicloud.logs import LineObserver, TextSink, one_line
from minicloud.service.clock import make_monotonic
from minicloud.service.errors import StartError
from minicloud.service.node_service import NodeService
from minicloud.shipped import find_config

_TWISTD_PIDFILE = "twistd.pid"
"""twistd's default, in the working folder: the second node of that folder would take it for another twistd and give
up, and so would a container that is started again."""

_TWISTD_LOGFILE = "twistd.log"
"""Where twistd logs by default once it is a daemon."""

_IS_TWIST = "fileLogObserverFactory"
"""An option that twist has, and twistd has not."""

_log = Logger()


class Options(usage.Options):
    """What follows ``minicloud`` on the command line. Bad use ends the process with one line, not a page of help."""

    longdesc = "Starts one node of a minicloud cluster. Everything else is in its config file."
    optParameters = [  # noqa: N815 - Twisted looks for this name
        ["config", "c", None, "YAML file with the settings of this node, such as configs/node1.yaml."]
    ]

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Parse the command line."""
        try:
            usage.Options.parseOptions(self, options)
        except usage.UsageError as error:
            give_up(f"{error}; expected --config FILE")

    def postOptions(self) -> None:
        """Check that there is a config, and keep twistd from writing a pid file that nobody asked for."""
        if not self["config"]:
            give_up("no config given; expected --config FILE, such as --config configs/node1.yaml")
        if self.parent is not None and self.parent.get("pidfile") == _TWISTD_PIDFILE:
            self.parent["pidfile"] = ""


def makeService(options: Options) -> IService:
    """Return the service of one node; ends the process with one line where its settings are no good."""
    from twisted.internet import reactor

    make_monotonic(reactor)
    look_up_in_daemon_threads(reactor)
    path = find_config(Path(options["config"]))
    try:
        settings = load_settings(path, os.environ)
    except ConfigError as error:
        give_up(str(error))
    observer = take_over_logging(options.parent, settings)
    if _becomes_daemon(options.parent):
        return NodeService(settings, path, reactor, say=log, on_refusal=log_and_give_up, observer=observer)
    return NodeService(settings, path, reactor, say=say, on_refusal=give_up, observer=observer)


def say(reason: str) -> None:
    """Tell a person one line, on the real standard error: ``sys.stderr`` leads into the log once logging has begun."""
    if sys.__stderr__ is not None:
        sys.__stderr__.write(f"minicloud: {one_line(reason)}\n")
        sys.__stderr__.flush()


def log(reason: str) -> None:
    """Tell it by the log: the standard error of a daemon leads nowhere."""
    _log.critical("{reason}", reason=reason)


def give_up(reason: str) -> NoReturn:
    """End the process, whose reactor does not run yet, with status 1 and one line."""
    say(reason)
    raise SystemExit(1)


def log_and_give_up(reason: str) -> NoReturn:
    """End a daemon, by its log and an exception.

    twistd passes that on to the process that waits for the daemon to start, and that would wait forever otherwise.
    """
    log(reason)
    raise StartError(reason)


def take_over_logging(parent: Any, settings: Settings) -> LineObserver | None:
    """See that the log has the format of the settings. Returns the observer for twistd's application, if it needs one.

    ``parent``: the options of twistd or twist. Where they name an observer of their own (``--logger``, ``--syslog``),
    that one is left in place.
    """

    def observe(stream: TextSink) -> LineObserver:
        secrets = (settings.auth_token, settings.cluster_secret)
        return LineObserver(stream, settings.node_id, settings.log_format == "json", secrets)

    if parent is None:
        return None
    if _IS_TWIST in parent:  # it makes the observer itself, for the stream that its options name
        parent[_IS_TWIST] = observe
        return None
    if parent.get("logger") or parent.get("syslog"):
        return None
    return observe(_twistd_stream(parent))


def _becomes_daemon(parent: Any) -> bool:
    is_twistd = parent is not None and _IS_TWIST not in parent
    return is_twistd and sys.platform != "win32" and not parent.get("nodaemon")


def _twistd_stream(parent: Any) -> TextSink:
    """Return where twistd's own observer would write (``AppLogger._getLogObserver`` and its subclass for Unix)."""
    name = parent.get("logfile")
    if name == "-" or (not name and not _becomes_daemon(parent)):
        return sys.stdout
    file: TextSink = LogFile.fromFullPath(name or _TWISTD_LOGFILE)
    return file
