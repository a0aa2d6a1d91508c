"""What is in the image beyond the one that it is made from: the program and what it imports, and nothing to build with."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from tests.containers.engine import HEALTH, LIMIT_S, TOP, Engine
from tests.containers.said import say, so, unchecked

IMAGE = "minicloud"
MAX_ADDED_MB = 75
"""What minicloud, its dependencies and their compiled modules may add to the base image; 2**20 bytes to the MB.

Measured: 56 MB with Python 3.11, of which cryptography has 15 and Twisted 13. The rest is room for dependencies to grow; pip
with setuptools (21 MB) or the tests that dependencies bring (25 MB) would not fit in.
"""

_LIST = """
import json, os
found, device = {}, os.stat("/").st_dev
for folder, folders, files in os.walk("/"):
    folders[:] = [each for each in folders if os.lstat(os.path.join(folder, each)).st_dev == device]
    for path in (os.path.join(folder, each) for each in files):
        found[path] = os.lstat(path).st_size
print(json.dumps(found))
"""
"""Prints the size of each file by its path, without what is mounted (/proc, /dev, /sys, volumes)."""

_COMPILER = re.compile(
    r"/(s?bin|libexec|lib/gcc)/(.*/)?([\w.]+-)*(gcc|g\+\+|cc|c\+\+|cpp|cc1|clang|tcc|ld|as|make|cmake|ninja|rustc|cargo|go)(-[\d.]+)?$"
)
_LEFT_OVER = re.compile(r"/(tests?|\.cache|\.git|pip|src|apt/lists)/|\.(whl|tar\.gz|deb|o|a)$")
_EXPECTED = re.compile(r"/etc/((passwd|group|g?shadow|sub[ug]id)-?|hosts|hostname|resolv\.conf)|/var/log/\w+|/configs")
"""What useradd writes, what an engine writes for each container, and the link to the shipped configs."""


def compilers(paths: Iterable[str]) -> list[str]:
    """Return the programs that compile or build."""
    return sorted(path for path in paths if _COMPILER.search(path))


def added(base: Mapping[str, int], ours: Mapping[str, int]) -> dict[str, int]:
    """Return the size of each file that the base image has not, or has with another size."""
    return {path: size for path, size in ours.items() if base.get(path) != size}


def left_over(paths: Iterable[str], only_for_tests: Iterable[str]) -> list[str]:
    """Return what serves to build or to test: sources, caches, archives, test suites and the packages of these names."""
    packages = {name.lower().replace("-", "_") for name in only_for_tests}

    def is_left_over(path: str) -> bool:
        installed = re.search(r"/([^/]+?)-[^/-]+\.dist-info/", path)
        return bool(_LEFT_OVER.search(path)) or (installed is not None and installed[1].lower() in packages)

    return sorted(path for path in paths if is_left_over(path))


def elsewhere(sizes: Mapping[str, int]) -> list[str]:
    """Return what is outside the environment and not expected there; an empty file is where a builder had mounted one."""
    outside = [path for path, size in sizes.items() if size and not path.startswith("/opt/minicloud/")]
    return sorted(path for path in outside if not _EXPECTED.fullmatch(path))


def base_image() -> str:
    """Return the image that the last stage of the Dockerfile starts from."""
    return re.findall(r"^FROM (\S+)", (TOP / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)[-1]


def packages_of_tests() -> list[str]:
    """Return the names in the extra "test" of setup.cfg."""
    extra = (TOP / "setup.cfg").read_text(encoding="utf-8").partition("\ntest =\n")[2].partition("\n\n")[0]
    return [line.split()[0] for line in extra.splitlines()]


def health_of_dockerfile() -> list[str]:
    """Return the command of the Dockerfile's health check; empty where there is none."""
    text = (TOP / "Dockerfile").read_text(encoding="utf-8")
    found = re.search(r"^HEALTHCHECK\b(?:[^\n]*\\\n)*[^\n]*\bCMD (\[.*\])$", text, re.MULTILINE)
    return json.loads(found[1]) if found else []


def check_settings(told: Mapping[str, Any]) -> None:
    """See what the image itself says, by what the engine tells of it: compose.yml repeats most of that, "docker run" does not."""
    volumes = told["Config"].get("Volumes") or {}
    so("what is written to /data goes to a volume", "/data" in volumes, volumes)
    # Docker has it among the settings, podman beside them.
    health = (told.get("Healthcheck") or told["Config"].get("Healthcheck") or {}).get("Test")
    if health is None and ".oci." in told.get("ManifestType", ""):
        # Podman writes no health check into an image of that format. compose.yml has the one that then runs.
        so("the Dockerfile's health check is the one that is run below", health_of_dockerfile() == [*HEALTH])
    else:
        so("its own health check is the one that is run below", health == ["CMD", *HEALTH], health)


def check_image(engine: Engine) -> None:
    """See that the image is built, and that it is slim."""
    say("image")
    engine.compose("build", "node1", limit_s=LIMIT_S)  # the three share one image
    say("  ok  compose build")
    check_settings(json.loads(engine.run("image", "inspect", IMAGE))[0])
    ours = _files(engine, IMAGE)
    so("it has no compiler", not (found := compilers(ours)), found)
    base = base_image()
    listed = engine.attempt(*_listing(engine, base), limit_s=LIMIT_S)
    if listed.returncode:
        unchecked(
            "what the image adds", f"the base image {base} cannot be started by itself: {listed.stderr.strip()[-200:]}"
        )
        return
    more = added(json.loads(listed.stdout), ours)
    so(
        f"beyond {base} it has no tests, caches, archives or pip",
        not (found := left_over(more, packages_of_tests())),
        found[:10],
    )
    so("and nothing outside its environment", not (found := elsewhere(more)), found[:10])
    size = sum(more.values()) / 2**20
    so(f"it adds {size:.0f} MB to {base}", 0 < size < MAX_ADDED_MB, f"expected less than {MAX_ADDED_MB} MB")


def _files(engine: Engine, image: str) -> dict[str, int]:
    return json.loads(engine.run(*_listing(engine, image)[1:]))


def _listing(engine: Engine, image: str) -> list[str]:
    command = [engine.name, "run", "--rm", "--network", "none", "--user", "0", "--entrypoint", "python"]
    return [*command, image, "-c", _LIST]
