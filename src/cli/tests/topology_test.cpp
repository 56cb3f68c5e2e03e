#include "cli/topology.hpp"

#include <gtest/gtest.h>

namespace tcfdl::cli {
namespace {

std::string refusal(const std::string& text) {
  const auto topology = parse_topology(text, "t.yaml");
  return topology ? std::string("accepted") : topology.error().message();
}

TEST(Topology, ReadsClustersAndWorkers) {
  const auto topology = parse_topology("clusters:\n"
                                       "  - name: vehicle\n"
                                       "  - name: roadside\n"
                                       "    workers: [rsu-1, rsu-2]\n"
                                       "local_adapter: tcp\n",
                                       "t.yaml");
  ASSERT_TRUE(topology) << topology.error().message();
  ASSERT_EQ(topology->clusters.size(), 2U);
  EXPECT_TRUE(topology->clusters[0].host_instances);
  EXPECT_EQ(topology->clusters[0].master(), "vehicle-master");
  EXPECT_FALSE(topology->clusters[1].host_instances);
  EXPECT_EQ(topology->clusters[1].workers, (std::vector<std::string>{"rsu-1", "rsu-2"}));
  EXPECT_EQ(topology->local_adapter, "tcp");
}

TEST(Topology, IsWrittenAsItIsRead) {
  auto topology = default_topology();
  topology.clusters.push_back({"123", {}, true});
  topology.clusters.back().api_tls = true;
  topology.clusters.back().gateway_tls = true;
  topology.clusters.back().autoscaling = {{"interval", "200ms"}, {"stable_window", "3s"}, {"panic_window", "600ms"}};
  topology.clusters.back().async_tasks = {{"quota", "1GiB"}, {"retention", "2h"}};
  topology.clusters.back().callbacks = {{"https://hooks.example/tcfdl"}, "/etc/hooks.pem"};
  topology.clusters.back().nodes = {{"123-master", {{"zone", "a: \"b\""}, {"disk", "12"}}, "64MiB"}};
  topology.clusters.back().callers = {{"siren", {.weight = 1, .highest = wire::PRIORITY_HIGH}},
                                      {"fleet", {.weight = 4, .highest = wire::PRIORITY_NORMAL}}};
  topology.observation = {"debug", "json", true, {{"endpoint", "http://127.0.0.1:4318"}, {"sample", "50"}}};
  const auto again = parse_topology(write_topology(topology), "t.yaml");
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, topology);
}

TEST(Topology, RefusesWhatCannotBeStartedWithItsLine) {
  EXPECT_EQ(refusal("clusters: []\n"), "t.yaml:1: 'clusters': names no cluster; write at least '- name: local'");
  EXPECT_EQ(refusal("local_adapter: unix\n"), "t.yaml:1: 'clusters': names no cluster; write at least '- name: local'");
  EXPECT_EQ(refusal("clusters:\n  - workers: [a]\n"), "t.yaml:2: clusters[0]: 'name' is missing");
  EXPECT_EQ(refusal("clusters:\n  - name: Upper\n"),
            "t.yaml:2: clusters[0]: 'name': cluster 'Upper': 1 to 63 of [a-z0-9-], first and last of [a-z0-9]");
  EXPECT_EQ(refusal("clusters:\n  - name: a\n  - name: b\n    workers:\n      [a/b]\n"),
            "t.yaml:5: clusters[1]: 'workers': worker 'a/b': 1 to 63 of [a-z0-9-], first and last of [a-z0-9]");
  EXPECT_EQ(refusal("clusters:\n  - name: a\nlocal_adapter: pipe\n"),
            "t.yaml:3: 'local_adapter': 'pipe' is neither unix nor tcp");
  EXPECT_EQ(refusal("clusters:\n  - name: a\n    worker: [b]\n"),
            "t.yaml: clusters[0]: unknown key 'worker' in line 3");
  EXPECT_NE(refusal("- name: a\n").find("no mapping"), std::string::npos);
}

TEST(Topology, RefusesAutoscalingAndNodesThatTheirDaemonsWouldRefuse) {
  const auto of = [](const std::string& more) { return refusal("clusters:\n  - name: a\n    workers: [w]\n" + more); };
  EXPECT_EQ(of("    autoscaling: {stable_window: 10s, panic_threshold: 150}\n"), "accepted");
  EXPECT_EQ(of("    async_tasks: {quota_per_caller: 1MiB}\n"), "accepted");
  EXPECT_NE(of("    async_tasks: {quota_per_caller: much}\n").find("quota_per_caller"), std::string::npos);
  EXPECT_NE(of("    callbacks: [http://192.0.2.1/]\n").find("callbacks"), std::string::npos);
  EXPECT_NE(of("    autoscaling: {window: 10s}\n").find("unknown key 'window'"), std::string::npos);
  EXPECT_NE(of("    autoscaling: {interval: 10}\n").find("no whole number with a unit"), std::string::npos);
  EXPECT_NE(of("    autoscaling: {stable_window: 1s}\n").find("is longer than stable_window"), std::string::npos);
  EXPECT_EQ(of("    nodes: [{name: w, labels: {zone: north}, enclave_memory: 64MiB}]\n"), "accepted");
  EXPECT_NE(of("    nodes: [{name: other}]\n").find("'other' is no node of cluster a"), std::string::npos);
  EXPECT_NE(of("    nodes: [{name: w, enclave_memory: 64}]\n").find("no whole number with a unit"), std::string::npos);
}

TEST(Topology, RefusesNamesThatAreThereTwice) {
  EXPECT_NE(refusal("clusters:\n  - name: a\n  - name: a\n").find("'a' is there twice"), std::string::npos);
  EXPECT_NE(refusal("clusters:\n  - name: a\n    workers: [w]\n  - name: b\n    workers: [w]\n").find("node 'w'"),
            std::string::npos);
  EXPECT_NE(refusal("clusters:\n  - name: a\n    workers: [a-master]\n").find("node 'a-master'"), std::string::npos);
  EXPECT_NE(refusal("clusters:\n  - name: a\n    workers: [service-manager]\n").find("service-manager"),
            std::string::npos);
}

} // namespace
} // namespace tcfdl::cli
