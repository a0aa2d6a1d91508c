// The cluster view: what the feed says, shown.

import { showBanner } from "./banner.js";
import { showCards } from "./cards.js";
import { $, setText } from "../dom.js";
import { startMembers } from "./members.js";
import { startNews } from "./news.js";
import { startPlots } from "./plots.js";
import { showStaleNote } from "./stale.js";
import { age } from "../text.js";

/** Connects the view; returns what a feed calls: `onCluster`, `onRates`, `onNews`, and `onStale(since)`, with null for live. */
export function startCluster() {
  const plots = startPlots();
  const news = startNews();
  const members = startMembers();
  let shown = null;

  return {
    onCluster(cluster) {
      if (shown !== null && shown.status.node_id !== cluster.status.node_id) {
        // Another node has this address now: what the old one measured and saw is not its.
        plots.clear();
        news.clear();
      }
      shown = cluster;
      showServing(cluster);
      showBanner(cluster, news.leaderlessSince());
      showCards(cluster, members);
      members.show(cluster);
    },
    onRates: (samples) => plots.add(samples),
    onNews(items, isAll) {
      news.add(items, isAll);
      if (shown !== null) showBanner(shown, news.leaderlessSince());
    },
    onStale: (since) => showStaleNote(shown, since),
  };
}

function showServing({ status, members }) {
  const self = members.find((member) => member.node_id === status.node_id);
  const address = self?.http_addr && self.http_addr !== location.host ? [self.http_addr] : []; // Else it is in the address bar.
  const parts = [...address, `version ${status.version}`, `up ${age(status.uptime_seconds)}`];
  setText($("served-node"), status.node_id);
  setText($("served-detail"), ` · ${parts.join(" · ")}`);
  document.title = `${status.node_id} · minicloud`;
}
