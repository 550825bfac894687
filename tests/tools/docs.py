# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check the documentation of modules, filters and roles, and build its site, where a warning is an error."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from tests.tools.checkout import CACHE, ROOT, run

# Labels of Ansible's own site, which would be asked for them over the network.
ELSEWHERE = "\n".join(
    f".. _{label}:\n\n{label}\n{'-' * len(label)}\n"
    for label in ("action_plugins", "common_return_values", "ansible_configuration_settings")
)


def main() -> None:
    """Print what is wrong."""
    home = {"HOME": str(CACHE)}  # where antsibull-docs leaves a log
    strict = ("--validate-collection-refs=self", "--disallow-unknown-collection-refs")
    run("antsibull-docs", "lint-collection-docs", "--plugin-docs", *strict, ".", cwd=ROOT, **home)
    with tempfile.TemporaryDirectory() as scratch:
        site = Path(scratch)
        chosen = ("--use-current", "--squash-hierarchy", "strata.storage")
        run("antsibull-docs", "sphinx-init", "--lenient", "--dest-dir", ".", *chosen, cwd=site, **home)
        conf = site / "conf.py"
        offline = re.sub(r"(?ms)^intersphinx_mapping = .*?^}", "", conf.read_text())
        conf.write_text(offline.replace("'sphinx.ext.intersphinx', ", ""))
        (site / "rst").chmod(0o755)
        configured = ("antsibull-docs", "--config-file", "antsibull-docs.cfg")
        run(*configured, "collection", "--fail-on-error", "--dest-dir", "rst", *chosen, cwd=site, **home)
        (site / "rst/elsewhere.rst").write_text(f":orphan:\n\n{ELSEWHERE}")
        run("sphinx-build", "--quiet", "--fail-on-warning", "--keep-going", "-c", ".", "rst", "html", cwd=site, **home)


if __name__ == "__main__":
    main()
