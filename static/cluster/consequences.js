// What adding, removing and transferring mean, said before they are done: pure functions, no document, no network.

/** What a node must be before it can be added, and what it becomes. `wish` is the body of /raft/join. */
export function consequencesOfAdding(wish, cluster) {
  const now = voters(cluster).length;
  const present = cluster.members.find((member) => member.node_id === wish.node_id);
  const said = [`The others reach it at ${wish.raft_addr} (Raft) and ${wish.http_addr || "the Raft port minus 10"} (HTTP).`];
  if (present) said.push(`${wish.node_id} is a member already: it gets these addresses.`);
  if (!wish.voter && present?.suffrage === "Voter") {
    said.push("It has a vote, and keeps it. To make it a learner, remove it and add it again, with an empty data folder.");
  } else if (!wish.voter) {
    said.push(`It gets a copy of everything and has no vote: the failure tolerance stays at ${tolerance(now)}.`);
  } else if (present?.suffrage !== "Voter") {
    said.push(`It enters as a learner, and becomes a voter once it has caught up. ${compared(now, now + 1)}`);
  }
  said.push("It must be running. One that does not answer does no harm, and is a learner without data until it does.");
  return said;
}

/** What is lost by removing a member. */
export function consequencesOfRemoving(member, { status, ...cluster }) {
  const now = voters(cluster).length;
  const said = [];
  if (member.suffrage !== "Voter") said.push(`It is a learner: the failure tolerance stays at ${tolerance(now)}.`);
  else if (now === 1) said.push("It is the only voter: the cluster cannot do without it, and will refuse.");
  else said.push(compared(now, now - 1));
  if (member.node_id === status.leader_id) said.push("It leads now: writes wait for a moment, until another voter takes over.");
  if (member.node_id === status.node_id) said.push("It serves this page: look at another node's dashboard afterwards.");
  said.push("Its process is not stopped and its data is not deleted. Stop it yourself, and move its data folder away before it joins again.");
  return said;
}

/** What handing leadership over does. */
export function consequencesOfTransfer(nodeId, { status }) {
  const who = status.leader_id ? `${status.leader_id} stops leading` : "The leader stops leading";
  return [`${who} once ${nodeId} has all that it has. Writes wait for that moment; none that was answered is lost.`];
}

function voters(cluster) {
  return cluster.members.filter((member) => member.suffrage === "Voter");
}

/** How many voters may fail at once. */
function tolerance(count) {
  return count === 0 ? 0 : Math.floor((count - 1) / 2);
}

/** What that many voters outlive, beside what those of now do. */
function compared(before, after) {
  const then = `${outlive(after)} ${failures(tolerance(after))}`;
  if (before === 0) return `${then}.`;
  if (tolerance(before) === tolerance(after)) return `${then}, as ${before} ${before === 1 ? "does" : "do"} now.`;
  return `${then}; ${before} now ${before === 1 ? "outlives" : "outlive"} ${failures(tolerance(before))}.`;
}

function outlive(count) {
  return count === 1 ? "1 voter outlives" : `${count} voters outlive`;
}

function failures(number) {
  if (number === 0) return "no failure";
  return number === 1 ? "1 failure" : `${number} failures`;
}
