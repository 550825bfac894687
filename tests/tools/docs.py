# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the documentation, and build its site, where a warning is an error: `python -m tests.tools.docs [DIRECTORY]`.

The site has the pages of modules, plugins and roles, and all that is written beside the code. Without a directory it is
built to see that it can be.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
from pathlib import Path

import yaml

from tests.tools.checkout import CACHE, ROOT, files, run

# Labels of Ansible's own site, which would be asked for them over the network.
ELSEWHERE = "\n".join(
    f".. _{label}:\n\n{label}\n{'-' * len(label)}\n"
    for label in ("action_plugins", "common_return_values", "ansible_configuration_settings", "callback_plugins")
)
CONF = """
extensions.append("myst_parser")
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
"""
START = "docs/index.md"
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)\s]+)(?=\))")
HOME = {"HOME": str(CACHE)}  # where antsibull-docs leaves a log
CHOSEN = ("--use-current", "--squash-hierarchy", "strata.storage")


def main() -> None:
    """Print what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", nargs="?", type=Path, help="where the site goes; what is there is replaced")
    target = parser.parse_args().directory
    strict = ("--validate-collection-refs=self", "--disallow-unknown-collection-refs")
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", *strict, ".", cwd=ROOT, **HOME)
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch)
        build(site)
        if target:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(site / "html", target)


def build(site: Path) -> None:
    """Build the site below a directory, in `html`."""
    run("antsibull-docs", "sphinx-init", "--lenient", "--dest-dir", ".", *CHOSEN, cwd=site, **HOME)
    conf = site / "conf.py"
    offline = re.sub(r"(?ms)^intersphinx_mapping = .*?^}", "", conf.read_text())
    conf.write_text(offline.replace("'sphinx.ext.intersphinx', ", "") + CONF)
    rst = site / "rst"
    rst.chmod(0o755)
    configured = ("antsibull-docs", "--config-file", "antsibull-docs.cfg")
    run(*configured, "collection", "--fail-on-error", "--dest-dir", "rst", *CHOSEN, cwd=site, **HOME)
    (rst / "elsewhere.rst").write_text(f":orphan:\n\n{ELSEWHERE}")
    pages = [name for name in files() if name.endswith(".md") and not name.startswith("changelogs/")]
    for name in pages:
        page = rst / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(linked(ROOT / name, set(pages)))
    with (rst / "index.rst").open("a") as index:
        listed = [START, "README.md", *sorted(set(pages) - {START, "README.md"})]
        index.write("\n\n.. toctree::\n   :hidden:\n   :caption: Guides\n\n")
        index.writelines(f"   {name.removesuffix('.md')}\n" for name in listed)
    run("sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "-c", ".", "rst", "html", cwd=site, **HOME)


def linked(page: Path, pages: set[str]) -> str:
    """The text of a page, in which links to what is no page lead to the repository."""
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text())["repository"]

    def place(link: re.Match[str]) -> str:
        path, _, anchor = link[1].partition("#")
        name = os.path.relpath((page.parent / path).resolve(), ROOT)
        if name in pages:
            return link[1]
        return f"{repository}/blob/main/{name}" + (f"#{anchor}" if anchor else "")

    return _LINK.sub(place, page.read_text())


if __name__ == "__main__":
    main()
