// Puts the page together.

import { startCluster } from "./cluster/view.js";
import { startFeed } from "./feed.js";
import { startKeys } from "./keys/view.js";
import { startLive } from "./live.js";
import { startToken } from "./token.js";
import { startViews } from "./views.js";

startToken();
startKeys();
startViews();
const cluster = startCluster();
const live = startLive((state) => cluster.onStale(state === "stale" ? live.since() : null));
startFeed({
  ...cluster,
  onHeard: live.heard,
  onTrouble: live.trouble,
  onPause: live.pause,
  onResume: live.resume,
});
