// Every kind of user × every subject of the system, published and subscribed to at a real nats-server: what the table
// below allows, and nothing else. The table is written apart from the code that grants.
#include "collaboration/permissions.hpp"

#include "base/guarded.hpp"
#include "message_queue_fixture.hpp"

#include <atomic>
#include <gmock/gmock.h>
#include <set>

namespace tcfdl::collaboration {
namespace {

using message_queue::eventually;
using message_queue::Message;
using message_queue::soon;
using Subjects = std::set<std::string>;

/// n1 and c1 are those of the user under test, n2 and c2 others.
const Subjects& all_subjects() {
  static const Subjects kSubjects{"tcfdl.master.enrol",
                                  "tcfdl.master.credential",
                                  "tcfdl.master.revocations",
                                  "tcfdl.master.report.n1.status",
                                  "tcfdl.master.report.n1.authority",
                                  "tcfdl.master.report.n2.status",
                                  "tcfdl.master.report.n2.events",
                                  "tcfdl.master.report.n2.authority",
                                  "tcfdl.master.report",
                                  "tcfdl.master.tasks.n1",
                                  "tcfdl.master.tasks.n2",
                                  "tcfdl.node.n1.command",
                                  "tcfdl.node.n2.command",
                                  "tcfdl.link.open.n1",
                                  "tcfdl.link.open.n2",
                                  "tcfdl.link.request.c1",
                                  "tcfdl.link.request.c2",
                                  "tcfdl.stream.n1.n1.00.a",
                                  "tcfdl.stream.n1.n1.00.b",
                                  "tcfdl.stream.n1.n2.00.a",
                                  "tcfdl.stream.n1.n2.00.b",
                                  "tcfdl.stream.n2.n1.00.a",
                                  "tcfdl.stream.n2.n1.00.b",
                                  "tcfdl.stream.task_manager.n1.00.a",
                                  "tcfdl.stream.task_manager.n1.00.b",
                                  "tcfdl.stream.task_manager.n2.00.a",
                                  "tcfdl.stream.task_manager.n2.00.b",
                                  "tcfdl.stream.n2.link_c1.00.a",
                                  "tcfdl.stream.n2.link_c1.00.b",
                                  "tcfdl.stream.n2.link_c2.00.a",
                                  "tcfdl.stream.n2.link_c2.00.b",
                                  "tcfdl.sm.authority.c1",
                                  "tcfdl.sm.authority.c2",
                                  "tcfdl.sm.registry.c1",
                                  "tcfdl.sm.registry.c2",
                                  "tcfdl.sm.credential.c1",
                                  "tcfdl.sm.credential.c2",
                                  "tcfdl.sm.enrol",
                                  "tcfdl.sm.revocations",
                                  "_INBOX_n1.1.2",
                                  "_INBOX_n2.1.2",
                                  "_INBOX_c1.1.2",
                                  "_INBOX_c2.1.2",
                                  "_INBOX_link_c1.1.2",
                                  "_INBOX_link_c2.1.2",
                                  "_INBOX_token.1.2",
                                  "_INBOX_service_manager.1.2",
                                  "_INBOX.1.2",
                                  "$KV.routes.i1",
                                  "$KV.other.i1",
                                  "$JS.API.INFO",
                                  "$JS.API.STREAM.INFO.KV_routes",
                                  "$JS.API.STREAM.CREATE.KV_routes",
                                  "$JS.API.STREAM.UPDATE.KV_routes",
                                  "$JS.API.STREAM.DELETE.KV_routes",
                                  "$JS.API.STREAM.PURGE.KV_routes",
                                  "$JS.API.STREAM.CREATE.other",
                                  "$JS.API.STREAM.NAMES",
                                  "$JS.API.STREAM.MSG.GET.KV_routes",
                                  "$JS.API.DIRECT.GET.KV_routes",
                                  "$JS.API.CONSUMER.CREATE.KV_routes",
                                  "$JS.API.STREAM.INFO.TOPIC_1_1",
                                  "$JS.API.STREAM.RESTORE.TOPIC_1_1",
                                  "$JS.API.CONSUMER.INFO.TOPIC_1_1.SUBSCRIPTION_1_1",
                                  "$JS.API.CONSUMER.DURABLE.CREATE.TOPIC_1_1.SUBSCRIPTION_1_1",
                                  "$JS.API.CONSUMER.DELETE.TOPIC_1_1.SUBSCRIPTION_1_1",
                                  "$JS.API.CONSUMER.MSG.NEXT.TOPIC_1_1.SUBSCRIPTION_1_1",
                                  "$JS.ACK.TOPIC_1_1.SUBSCRIPTION_1_1.1.1.1.1.1",
                                  "tcfdl.log.TOPIC_1_1",
                                  "$JS.API.ACCOUNT.PURGE.A",
                                  "$JS.API.ACCOUNT.STREAM.MOVE.A.s",
                                  "$JS.API.SERVER.REMOVE",
                                  "$JS.API.META.LEADER.STEPDOWN",
                                  "$SYS.REQ.SERVER.PING",
                                  "tcfdl",
                                  "other"};
  return kSubjects;
}

struct Kind {
  std::string name;
  std::string user;
  Permissions permissions;
  Subjects publish;
  Subjects subscribe;
};

Subjects joined(Subjects left, const Subjects& right) {
  left.insert(right.begin(), right.end());
  return left;
}

std::vector<Kind> kinds() {
  const Subjects worker_publish{"tcfdl.master.credential",          "tcfdl.master.report.n1.status",
                                "tcfdl.master.report.n1.authority", "tcfdl.stream.n1.n1.00.a",
                                "tcfdl.stream.n1.n2.00.a",          "tcfdl.master.tasks.n1",
                                "tcfdl.stream.task_manager.n1.00.b"};
  const Subjects worker_subscribe{
      "tcfdl.node.n1.command",    "tcfdl.link.open.n1", "tcfdl.stream.n1.n1.00.b",          "tcfdl.stream.n1.n2.00.b",
      "tcfdl.master.revocations", "_INBOX_n1.1.2",      "tcfdl.stream.task_manager.n1.00.a"};
  return {
      {"worker", "n1", worker_permissions("n1"), worker_publish, worker_subscribe},
      {"master", "n1", master_permissions("n1"),
       joined(worker_publish, {"tcfdl.master.revocations",
                               "tcfdl.node.n1.command",
                               "tcfdl.node.n2.command",
                               "tcfdl.link.open.n1",
                               "tcfdl.link.open.n2",
                               "tcfdl.stream.n1.n1.00.b",
                               "tcfdl.stream.n2.n1.00.b",
                               "$KV.routes.i1",
                               "tcfdl.stream.task_manager.n1.00.a",
                               "tcfdl.stream.task_manager.n2.00.a",
                               "$JS.API.STREAM.INFO.KV_routes",
                               "$JS.API.STREAM.CREATE.KV_routes",
                               "$JS.API.STREAM.UPDATE.KV_routes",
                               "$JS.API.STREAM.DELETE.KV_routes",
                               "$JS.API.STREAM.PURGE.KV_routes",
                               "$JS.API.STREAM.CREATE.other",
                               "$JS.API.STREAM.INFO.TOPIC_1_1",
                               "$JS.API.CONSUMER.INFO.TOPIC_1_1.SUBSCRIPTION_1_1",
                               "$JS.API.CONSUMER.DURABLE.CREATE.TOPIC_1_1.SUBSCRIPTION_1_1",
                               "$JS.API.CONSUMER.DELETE.TOPIC_1_1.SUBSCRIPTION_1_1",
                               "$JS.API.CONSUMER.MSG.NEXT.TOPIC_1_1.SUBSCRIPTION_1_1",
                               "$JS.ACK.TOPIC_1_1.SUBSCRIPTION_1_1.1.1.1.1.1",
                               "tcfdl.log.TOPIC_1_1"}),
       joined(worker_subscribe,
              {"tcfdl.master.enrol", "tcfdl.master.credential", "tcfdl.master.report.n1.status",
               "tcfdl.master.report.n1.authority", "tcfdl.master.report.n2.status", "tcfdl.master.report.n2.events",
               "tcfdl.master.report.n2.authority", "tcfdl.link.request.c1", "tcfdl.link.request.c2",
               "tcfdl.stream.n1.n1.00.a", "tcfdl.stream.n2.n1.00.a", "tcfdl.master.tasks.n1", "tcfdl.master.tasks.n2",
               "tcfdl.stream.task_manager.n1.00.b", "tcfdl.stream.task_manager.n2.00.b"})},
      {"worker's token",
       "token",
       enrolling_worker_permissions("token"),
       {"tcfdl.master.enrol", "tcfdl.master.credential"},
       {"_INBOX_token.1.2"}},
      {"link",
       "link_c1",
       link_permissions("c1"),
       {"tcfdl.link.request.c1", "tcfdl.link.open.n1", "tcfdl.link.open.n2", "tcfdl.stream.n2.link_c1.00.b"},
       {"tcfdl.stream.n2.link_c1.00.a", "_INBOX_link_c1.1.2"}},
      {"service manager",
       "service_manager",
       service_manager_permissions("service_manager"),
       {"tcfdl.sm.revocations"},
       {"tcfdl.sm.authority.c1", "tcfdl.sm.authority.c2", "tcfdl.sm.registry.c1", "tcfdl.sm.registry.c2",
        "tcfdl.sm.credential.c1", "tcfdl.sm.credential.c2", "tcfdl.sm.enrol", "_INBOX_service_manager.1.2"}},
      {"cluster",
       "c1",
       cluster_permissions("c1"),
       {"tcfdl.sm.authority.c1", "tcfdl.sm.registry.c1", "tcfdl.sm.credential.c1", "tcfdl.sm.enrol"},
       {"tcfdl.sm.revocations", "_INBOX_c1.1.2"}},
      {"master's token",
       "token",
       enrolling_master_permissions("token", "c1"),
       {"tcfdl.sm.credential.c1", "tcfdl.sm.enrol"},
       {"_INBOX_token.1.2"}},
  };
}

class PermissionMatrix : public message_queue::MessageQueueTest {
protected:
  std::unique_ptr<message_queue::NatsBus> connect_as(const Kind& kind, std::size_t workers = 4) {
    auto settings = message_queue::settings_for(server_->settings().port, kind.user,
                                                trust_.user(kind.user, kind.permissions).value());
    settings.inbox_prefix = "_INBOX_" + kind.user;
    settings.workers = workers;
    settings.operation_timeout = std::chrono::milliseconds(kind.name == "master" ? 3000 : 500); // refusals are silence
    return message_queue::NatsBus::connect(settings).value();
  }
};

TEST_F(PermissionMatrix, LetsEachUserPublishWhereItMayAndNowhereElse) {
  Guarded<Subjects> heard;
  Guarded<bool> ended(false);
  const auto spy = bob_->subscribe(">", [&](const Message& message) {
    if (message.subject == "end") ended.with([](bool& done) { done = true; });
    if (as_text(message.data) != "try") return;
    heard.with([&](Subjects& all) { all.emplace(message.subject); });
  });
  ASSERT_TRUE(spy);
  for (const auto& kind : kinds()) {
    const auto bus = connect_as(kind);
    for (const auto& subject : all_subjects()) ASSERT_TRUE(bus->publish(subject, as_bytes("try")));
    // Its confirmation comes after all of the above; what the spy hears then comes before the end.
    ASSERT_TRUE(bus->subscribe("_INBOX_" + kind.user + ".end", [](const Message&) {}));
    ASSERT_TRUE(alice_->publish("end", {}));
    ASSERT_TRUE(eventually([&] { return ended.with([](bool& done) { return std::exchange(done, false); }); }));
    EXPECT_EQ(heard.with([](Subjects& all) { return std::exchange(all, {}); }), kind.publish) << kind.name;
  }
}

TEST_F(PermissionMatrix, KeepsTheAdministrationOfJetStreamFromThoseWhoMayDoEverything) {
  Guarded<Subjects> heard;
  Guarded<bool> ended(false);
  const auto spy = bob_->subscribe(">", [&](const Message& message) {
    if (message.subject == "end") ended.with([](bool& done) { done = true; });
    if (as_text(message.data) != "try") return;
    heard.with([&](Subjects& all) { all.emplace(message.subject); });
  });
  for (const auto& subject : all_subjects()) ASSERT_TRUE(alice_->publish(subject, as_bytes("try")));
  ASSERT_TRUE(alice_->publish("end", {}));
  ASSERT_TRUE(eventually([&] { return ended.with([](bool& done) { return done; }); }));
  auto all_others = all_subjects();
  for (const auto* administration : {"$JS.API.ACCOUNT.PURGE.A", "$JS.API.ACCOUNT.STREAM.MOVE.A.s",
                                     "$JS.API.SERVER.REMOVE", "$JS.API.META.LEADER.STEPDOWN", "$SYS.REQ.SERVER.PING"}) {
    all_others.erase(administration);
  }
  EXPECT_EQ(heard.with([](Subjects& all) { return all; }), all_others) << "and the spy of the matrix hears everything";
}

TEST_F(PermissionMatrix, LetsEachUserSubscribeWhereItMayAndNowhereElse) {
  for (const auto& kind : kinds()) {
    const auto bus = connect_as(kind);
    Subjects granted;
    for (const auto& subject : all_subjects()) {
      const auto subscription = bus->subscribe(subject, [](const Message&) {});
      if (subscription) granted.insert(subject);
      if (!subscription) {
        EXPECT_EQ(subscription.error().code(), Code::kPermissionDenied);
      }
    }
    EXPECT_EQ(granted, kind.subscribe) << kind.name;
    for (const auto* wide : {">", "*.>", "tcfdl.>", "tcfdl.*.*.*.*", "tcfdl.stream.>", "tcfdl.sm.>", "_INBOX_>",
                             "_INBOX_n2.>", "$KV.>", "$JS.>", "$SYS.>", "$SYS.ACCOUNT.*.CONNECT"}) {
      EXPECT_FALSE(bus->subscribe(wide, [](const Message&) {})) << kind.name << " " << wide;
      EXPECT_FALSE(bus->subscribe(wide, [](const Message&) {}, "group")) << kind.name << " " << wide;
    }
  }
}

TEST_F(PermissionMatrix, LetsAServiceAnswerWhoAskedAndOnlyOnce) {
  const auto worker = connect_as(kinds()[0]);
  const auto service =
      worker->serve("tcfdl.node.n1.command", [](BytesView) -> Result<Bytes> { return to_bytes("done"); });
  ASSERT_TRUE(service);
  const auto master = connect_as(kinds()[1]);
  EXPECT_EQ(master->request("tcfdl.node.n1.command", {}, soon()).value(), to_bytes("done"));
  const auto link = connect_as(kinds()[3]);
  EXPECT_FALSE(link->request("tcfdl.node.n1.command", {}, Deadline::after(std::chrono::milliseconds(200))));
}

TEST_F(PermissionMatrix, MakesNoServiceWriteWhereItsCallerMayNot) {
  // Whoever answers may publish where the request says; a link says it wants the answer among the routes.
  const auto master = connect_as(kinds()[1]);
  ASSERT_TRUE(master->create_bucket(kRoutesBucket));
  std::atomic<int> served = 0;
  std::atomic<int> written = 0;
  const auto worker = connect_as(kinds()[0], 1);
  const auto service = worker->serve("tcfdl.link.open.n1", [&](BytesView) -> Result<Bytes> {
    ++served;
    return to_bytes("forged");
  });
  const auto spy = bob_->subscribe("$KV.>", [&](const Message&) { ++written; });
  auto settings = message_queue::settings_for(server_->settings().port, "link_c1",
                                              trust_.user("link_c1", link_permissions("c1")).value());
  settings.inbox_prefix = "$KV.routes";
  const auto link = message_queue::NatsBus::connect(settings).value();
  EXPECT_FALSE(link->request("tcfdl.link.open.n1", {}, Deadline::after(std::chrono::milliseconds(300))));
  EXPECT_TRUE(eventually([&] { return served == 1; }));
  ASSERT_TRUE(master->request("tcfdl.link.open.n1", {}, soon())) << "answered after the first by the only thread";
  EXPECT_TRUE(alice_->put(kRoutesBucket, "instance", as_bytes("route")));
  EXPECT_TRUE(eventually([&] { return written > 0; }));
  EXPECT_EQ(written, 1) << "alice's alone";
}

TEST_F(PermissionMatrix, LetsAMasterKeepItsRoutesAndNobodyElse) {
  const auto master = connect_as(kinds()[1]);
  const auto created = master->create_bucket(kRoutesBucket);
  ASSERT_TRUE(created) << created.error().to_string();
  ASSERT_TRUE(master->create_bucket(kRoutesBucket)) << "when it starts again";
  ASSERT_TRUE(master->put(kRoutesBucket, "instance", as_bytes("route")));
  ASSERT_TRUE(master->remove(kRoutesBucket, "instance"));
  for (const auto& kind : kinds()) {
    if (kind.name == "master") continue;
    const auto bus = connect_as(kind);
    EXPECT_FALSE(bus->put(kRoutesBucket, "instance", as_bytes("forged"))) << kind.name;
    EXPECT_FALSE(bus->create_bucket("own")) << kind.name;
  }
  EXPECT_EQ(alice_->get(kRoutesBucket, "instance").error().code(), Code::kNotFound);
}

} // namespace
} // namespace tcfdl::collaboration
