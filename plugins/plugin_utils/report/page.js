/*
 * Copyright (c) 2026 the strata.storage authors
 * GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

"use strict";
(() => {
  const form = document.getElementById("filter");
  const hosts = new Map();
  for (const part of document.querySelectorAll("[data-h]")) {
    const host = hosts.get(part.dataset.h) ?? { parts: [], health: "unread", groups: [], text: null };
    host.parts.push(part);
    if (part.dataset.s) {
      host.health = part.dataset.s;
      host.groups = part.dataset.g.split(" ");
    }
    hosts.set(part.dataset.h, host);
  }
  const textOf = (host) => (host.text ??= host.parts.map((part) => part.textContent).join(" ").toLowerCase());
  const apply = () => {
    const words = form.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const health = form.health.value;
    const group = form.group.value;
    let shown = 0;
    for (const host of hosts.values()) {
      const fits = (!health || host.health === health) && (!group || host.groups.includes(group)) &&
        words.every((word) => textOf(host).includes(word));
      shown += fits;
      for (const part of host.parts) {
        part.hidden = !fits;
      }
    }
    form.querySelector("output").value = `${shown} of ${hosts.size} hosts`;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
  apply();
})();
