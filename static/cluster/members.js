// Add, remove and transfer: from a button to a question; ask.js does the rest.

import { join, remove, transfer } from "./admin.js";
import { ask, mayAsk, startAsking } from "./ask.js";
import { consequencesOfAdding, consequencesOfRemoving, consequencesOfTransfer } from "./consequences.js";
import { $ } from "../dom.js";

/** Connects the buttons; returns what the cards call, and `show(cluster)` for what the questions are about. */
export function startMembers() {
  let cluster = null;
  startAsking();
  $("add").addEventListener("click", () => {
    if (mayAsk()) $("add-dialog").showModal();
  });
  $("add-no").addEventListener("click", () => $("add-dialog").close());
  $("add-form").addEventListener("submit", (event) => {
    event.preventDefault();
    $("add-dialog").close();
    askToAdd(wished(), cluster);
  });
  return {
    show(document) {
      cluster = document;
      $("add").disabled = false;
    },
    transfer: (nodeId) => askToTransfer(nodeId, cluster),
    remove: (nodeId) => askToRemove(nodeId, cluster),
  };
}

function wished() {
  const wish = { node_id: $("add-id").value.trim(), raft_addr: $("add-raft").value.trim(), voter: $("add-voter").checked };
  const address = $("add-http").value.trim();
  return address === "" ? wish : { ...wish, http_addr: address };
}

function askToAdd(wish, cluster) {
  ask({
    title: `Add ${wish.node_id} as a ${wish.voter ? "voter" : "learner"}?`,
    points: consequencesOfAdding(wish, cluster),
    verb: `Add ${wish.node_id}`,
    act: async () => {
      await join(wish);
      $("add-form").reset();
    },
    done: `${wish.node_id} is a member now${wish.voter ? ", and a voter as soon as it has caught up" : ""}.`,
  });
}

function askToRemove(nodeId, cluster) {
  const member = cluster.members.find((one) => one.node_id === nodeId);
  ask({
    title: `Remove ${nodeId} from the cluster?`,
    points: consequencesOfRemoving(member, cluster),
    verb: `Remove ${nodeId}`,
    isHarmful: true,
    act: (force) => remove(nodeId, force),
    done: `${nodeId} is no member any more.`,
  });
}

function askToTransfer(nodeId, cluster) {
  ask({
    title: `Make ${nodeId} the leader?`,
    points: consequencesOfTransfer(nodeId, cluster),
    verb: `Make ${nodeId} the leader`,
    act: () => transfer(nodeId),
    done: `${nodeId} leads now.`,
  });
}
