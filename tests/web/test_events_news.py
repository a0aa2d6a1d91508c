"""The news event: what happened to the cluster, as one node saw it."""

from itertools import groupby

import pytest
from attrs import evolve
from twisted.internet.task import deferLater

from minicloud.raft.configuration import Member, Suffrage
from minicloud.web.limits import ASK_INTERVAL_S, ASK_LIMIT_S, KEPT_NEWS, LOOK_INTERVAL_S
from minicloud.web.news import News
from tests.web.event_stage import Stage
from tests.web.stand_in import StandInCluster

AT = 1000.0


class Scene:
    """A node that is looked at, and what is known of it."""

    def __init__(self, node_id="node2"):
        self.cluster = StandInCluster()
        self.node = self.cluster.nodes[node_id]
        self.term = 1
        self.healthy = {}
        self.answers = {}
        status, members = self.node.status, self.node.members
        self.node.status = lambda: evolve(status(), term=self.term)
        self.node.members = lambda: [evolve(each, healthy=self.healthy.get(each.member.node_id)) for each in members()]
        self.news = News(self.node, lambda member: self.answers.get(member.node_id), lambda: AT)
        self.news.begin()
        self.news.look()
        self.seen = self.news.items.count

    def lead(self, node_id, term):
        self.cluster.leader, self.term = node_id and self.cluster.configuration.get(node_id), term

    def configure(self, change):
        self.cluster.configuration = change(self.cluster.configuration)

    def look(self):
        """What has happened since the last look, as tuples of what is told."""
        self.news.look()
        fresh, self.seen = self.news.items.after(self.seen), self.news.items.count
        return [(item.kind, item.node_id, item.term, item.suffrage) for item in fresh]


@pytest.fixture
def scene():
    return Scene()


def test_it_begins_with_the_start_of_this_node_and_its_leader(scene):
    started, leader = scene.news.items.after(0)
    assert (started.number, started.at, started.kind, started.node_id) == (1, AT, "started", "node2")
    assert (leader.number, leader.kind, leader.node_id, leader.term) == (2, "leader", "node1", 1)


def test_nothing_happens_nothing_is_told(scene):
    assert scene.look() == []


def test_a_new_leader(scene):
    scene.lead("node3", 2)
    assert scene.look() == [("leader", "node3", 2, None)]


def test_the_same_leader_in_a_new_term(scene):
    scene.lead("node1", 2)
    assert scene.look() == [("leader", "node1", 2, None)]


def test_no_leader_and_the_same_one_again(scene):
    scene.lead(None, 1)
    assert scene.look() == [("no_leader", None, 1, None)]
    assert scene.look() == []
    scene.lead("node1", 1)
    assert scene.look() == [("leader", "node1", 1, None)]


def test_this_node_stands_for_election_each_time(scene):
    scene.lead(None, 2)
    scene.node.state = "Candidate"
    assert scene.look() == [("election", "node2", 2, None), ("no_leader", None, 2, None)]
    assert scene.look() == []
    scene.lead(None, 3)
    assert scene.look() == [("election", "node2", 3, None)]


def test_an_election_that_was_won_between_two_looks_was_one_too(scene):
    scene.lead("node2", 2)
    assert scene.look() == [("election", "node2", 2, None), ("leader", "node2", 2, None)]


def test_who_only_asks_whether_to_stand_does_not_stand(scene):
    """A pre-candidate calls itself a candidate, in the term that it had."""
    scene.lead("node3", 2)
    scene.look()
    scene.lead(None, 2)
    scene.node.state = "Candidate"
    assert scene.look() == [("no_leader", None, 2, None)]


def test_a_term_that_others_began_is_no_election_of_ours(scene):
    scene.lead(None, 5)
    assert scene.look() == [("no_leader", None, 5, None)]


def test_a_member_comes_as_learner_is_promoted_and_goes(scene):
    learner = Member("node4", "127.0.0.1:9014", "127.0.0.1:9004", Suffrage.LEARNER)
    scene.configure(lambda old: old.with_member(learner))
    assert scene.look() == [("member_added", "node4", None, "Learner")]
    scene.configure(lambda old: old.with_member(evolve(learner, suffrage=Suffrage.VOTER)))
    assert scene.look() == [("member_promoted", "node4", None, "Voter")]
    scene.configure(lambda old: old.with_member(learner))
    assert scene.look() == [("member_demoted", "node4", None, "Learner")]
    scene.configure(lambda old: old.without("node4"))
    assert scene.look() == [("member_removed", "node4", None, "Learner")]


@pytest.mark.parametrize("moved", [{"raft_addr": "127.0.0.1:1"}, {"http_addr": "127.0.0.1:1"}])
def test_a_member_moves(scene, moved):
    scene.configure(lambda old: old.with_member(evolve(old.get("node3"), **moved)))
    assert scene.look() == [("member_moved", "node3", None, "Voter")]


def test_another_data_folder_is_no_news(scene):
    scene.configure(lambda old: old.with_member(evolve(old.get("node3"), instance_id="b" * 32)))
    assert scene.look() == []


def test_a_member_that_the_leader_does_not_hear_is_unreachable_until_it_does(scene):
    scene.healthy["node3"] = True
    assert scene.look() == []
    scene.healthy["node3"] = False
    assert scene.look() == [("unreachable", "node3", None, None)]
    assert scene.look() == []
    scene.healthy["node3"] = True
    assert scene.look() == [("reachable", "node3", None, None)]


def test_a_member_that_does_not_answer_is_unreachable_until_it_does(scene):
    scene.answers["node3"] = False
    assert scene.look() == [("unreachable", "node3", None, None)]
    scene.answers["node3"] = True
    assert scene.look() == [("reachable", "node3", None, None)]


def test_what_nobody_knows_any_more_is_not_taken_for_a_return(scene):
    """The leader is another one now, or nobody watches."""
    scene.healthy["node3"] = scene.answers["node1"] = False
    scene.look()
    scene.healthy.clear()
    scene.answers.clear()
    assert scene.look() == []


def test_silence_of_two_kinds_is_told_once_and_ends_with_both(scene):
    scene.healthy["node3"] = scene.answers["node3"] = False
    assert scene.look() == [("unreachable", "node3", None, None)]
    scene.answers["node3"] = True
    assert scene.look() == []
    scene.healthy["node3"] = True
    assert scene.look() == [("reachable", "node3", None, None)]


def test_a_member_that_answers_is_back_though_this_node_leads_no_more(scene):
    scene.healthy["node3"] = False
    scene.look()
    scene.healthy.clear()
    scene.answers["node3"] = True
    assert scene.look() == [("reachable", "node3", None, None)]


def test_what_was_asked_once_does_not_outlive_what_the_leader_hears():
    """A page that is closed leaves behind what it saw: that a member did not answer, for how long nobody knows."""
    leader = Scene("node1")
    leader.healthy["node3"] = leader.answers["node3"] = False
    assert leader.look() == [("unreachable", "node3", None, None)]
    leader.answers.clear()
    assert leader.look() == []
    leader.healthy["node3"] = True
    assert leader.look() == [("reachable", "node3", None, None)]
    leader.healthy["node3"] = False
    assert leader.look() == [("unreachable", "node3", None, None)]
    leader.healthy["node3"] = True
    assert leader.look() == [("reachable", "node3", None, None)]
    leader.answers["node3"] = True
    assert leader.look() == []


def test_a_page_that_is_closed_brings_nobody_back():
    """The leader has heard it all the time; over HTTP it did not answer, and nobody asks any more."""
    leader = Scene("node1")
    leader.healthy["node3"], leader.answers["node3"] = True, False
    assert leader.look() == [("unreachable", "node3", None, None)]
    leader.answers.clear()
    assert leader.look() == []
    leader.answers["node3"] = False
    assert leader.look() == []
    leader.answers["node3"] = True
    assert leader.look() == [("reachable", "node3", None, None)]


def test_an_outage_is_not_lost_in_what_was_asked_before_it():
    leader = Scene("node1")
    leader.healthy["node3"], leader.answers["node3"] = True, False
    leader.look()
    leader.answers.clear()
    leader.look()
    leader.healthy["node3"] = False
    assert leader.look() == [("unreachable", "node3", None, None)], "it was heard until now"
    leader.healthy["node3"] = True
    assert leader.look() == [("reachable", "node3", None, None)]


@pytest.mark.parametrize(("healthy", "told"), [(False, []), (True, [("reachable", "node3", None, None)])])
def test_a_new_leader_says_more_than_what_was_asked_before(scene, healthy, told):
    scene.answers["node3"] = False
    assert scene.look() == [("unreachable", "node3", None, None)]
    scene.answers.clear()
    scene.look()
    scene.healthy["node3"] = healthy
    assert scene.look() == told


def test_this_node_is_never_unreachable_to_itself(scene):
    scene.healthy["node2"] = scene.answers["node2"] = False
    assert scene.look() == []


def test_a_member_that_comes_back_under_an_old_name_begins_anew(scene):
    scene.healthy["node3"] = False
    scene.look()
    node3 = scene.cluster.configuration.get("node3")
    scene.configure(lambda old: old.without("node3"))
    scene.look()
    scene.configure(lambda old: old.with_member(node3))
    assert scene.look() == [("member_added", "node3", None, "Voter"), ("unreachable", "node3", None, None)]


def test_a_node_that_joins_sees_its_members_come():
    cluster = StandInCluster()
    configuration, cluster.configuration = cluster.configuration, cluster.configuration.without("node1")
    news = News(cluster.nodes["node2"], lambda member: None, lambda: AT)
    news.begin()
    cluster.configuration = configuration
    news.look()
    assert [item.kind for item in news.items.after(1)] == ["leader", "member_added"]


def test_only_the_newest_are_kept_and_the_numbers_go_on(scene):
    for term in range(2, 2 * KEPT_NEWS):
        scene.lead("node1", term)
        scene.look()
    items = scene.news.items.after(0)
    assert len(items) == KEPT_NEWS
    assert [item.number for item in items] == list(range(KEPT_NEWS + 1, 2 * KEPT_NEWS + 1))


# On the stream


def test_it_is_seen_whether_or_not_anybody_watches():
    stage = Stage()
    stage.pass_time(LOOK_INTERVAL_S + 0.02)
    stage.cluster.leader = None
    stage.pass_time(1.0)
    stage.cluster.leader = stage.cluster.members[1]
    stage.pass_time(1.0)
    (first,) = stage.watch().events("news")
    assert [(item["kind"], item["node_id"]) for item in first["items"]] == [
        ("started", "node1"),
        ("leader", "node1"),
        ("no_leader", None),
        ("leader", "node2"),
    ]
    assert list(first["items"][0]) == ["number", "at", "kind", "node_id", "term", "suffrage"]
    times = [item["at"] for item in first["items"]]
    assert times == sorted(times)
    assert times[-1] - times[0] == pytest.approx(1.4, abs=0.3)


def test_what_happens_is_told_at_once_and_once():
    stage = Stage()
    page = stage.watch()
    stage.pass_time(1.0)
    page.fresh()
    stage.cluster.leader = None
    stage.pass_time(0.25)
    ((item,),) = (event["items"] for event in page.fresh("news"))
    assert item["kind"] == "no_leader"
    stage.pass_time(3.0)
    assert page.fresh("news") == []


def told(page):
    return [(item["kind"], item["node_id"]) for event in page.fresh("news") for item in event["items"]]


class Slow:
    """A node3 that stalls when it is asked, as a node does while its disk is slow; and a page that watches."""

    def __init__(self, served="node1"):
        self.stage = Stage()
        self.delays_s = []
        """For the next questions; then it answers at once."""
        self.asked = 0
        root = self.stage.sites["node3"].root
        self._respond, root.respond = root.respond, self._respond_late
        self.page = self.stage.watch(served)
        self.stage.pass_time(1.0)
        assert told(self.page)[0] == ("started", served)

    def _respond_late(self, request):
        self.asked += 1
        delay_s = self.delays_s.pop(0) if self.delays_s else 0.0
        return deferLater(self.stage.clock, delay_s, self._respond, request) if delay_s else self._respond(request)

    def pass_questions(self, number):
        """Let time pass until so many more were asked, and what came of the last one is shown."""
        wanted = self.asked + number + 1
        for _ in range(400 * number):
            if self.asked == wanted:
                return self.stage.pass_time(0.25)
            self.stage.pass_time(0.05)
        raise AssertionError("it is not asked")

    @property
    def answers(self):
        """Each different thing that the card said in turn."""
        members = (member for event in self.page.events("cluster") for member in event["members"])
        return [one for one, _ in groupby(member["answers"] for member in members if member["node_id"] == "node3")]


LATE_S = ASK_LIMIT_S + 0.2


@pytest.mark.parametrize("served", ["node1", "node2"])
def test_one_late_answer_is_shown_but_is_no_news(served):
    slow = Slow(served)
    slow.delays_s = [LATE_S]
    slow.pass_questions(3)
    assert slow.answers == [None, True, False, True], "the card says so at once"
    assert told(slow.page) == []


def test_late_now_and_then_is_no_news():
    slow = Slow()
    slow.delays_s = [LATE_S, 0.0] * 4
    slow.pass_questions(9)
    assert slow.answers == [None, True, *[False, True] * 4]
    assert told(slow.page) == []


def test_the_first_answer_of_all_may_be_late_too():
    stage = Stage()
    stage.network.silent.add(stage.address("node3"))
    page = stage.watch()
    stage.pass_time(ASK_LIMIT_S - 0.1)
    told(page)
    stage.network.silent.clear()
    stage.pass_time(3.0)
    assert told(page) == []
    answers = [member["answers"] for event in page.events("cluster") for member in event["members"][2:]]
    assert [one for one, _ in groupby(answers)] == [None, False, True]


def test_two_late_answers_in_a_row_are_news_and_so_is_the_next_in_time():
    slow = Slow()
    slow.delays_s = [LATE_S] * 9
    slow.pass_questions(2)
    assert told(slow.page) == [("unreachable", "node3")]
    slow.pass_questions(2)
    assert told(slow.page) == []
    slow.delays_s.clear()
    slow.pass_questions(2)
    assert told(slow.page) == [("reachable", "node3")]
    assert slow.answers == [None, True, False, True]


def test_a_refusal_is_news_at_once_after_a_late_answer_too():
    slow = Slow()
    slow.delays_s = [LATE_S]
    slow.pass_questions(1)
    assert told(slow.page) == []
    slow.stage.kill("node3")
    slow.stage.pass_time(ASK_INTERVAL_S + 0.25)
    assert told(slow.page) == [("unreachable", "node3")]


def test_a_member_that_dies_while_somebody_watches_is_news():
    stage = Stage()
    page = stage.watch()
    stage.pass_time(1.0)
    page.fresh()
    stage.kill("node3")
    stage.pass_time(1.0)
    items = [item for event in page.fresh("news") for item in event["items"]]
    assert [(item["kind"], item["node_id"]) for item in items] == [("unreachable", "node3")]
    stage.start("node3")
    stage.pass_time(1.0)
    items = [item for event in page.fresh("news") for item in event["items"]]
    assert [(item["kind"], item["node_id"]) for item in items] == [("reachable", "node3")]
