#include "node/config.hpp"

#include "base/file.hpp"

#include <gmock/gmock.h>

namespace tcfdl::node {
namespace {

using testing::HasSubstr;

class NodeConfigTest : public testing::Test {
protected:
  template <class Config> Result<Config> read(const std::string& text) {
    const auto file = directory_.path() / "config.yaml";
    EXPECT_TRUE(write_file(file, as_bytes(text)));
    return Config::read(file);
  }
  template <class Config> std::string refusal(const std::string& text) {
    const auto config = read<Config>(text);
    if (config) return "admitted";
    EXPECT_EQ(config.error().code(), Code::kInvalidArgument);
    return config.error().message();
  }

  const std::string master_ = "cluster: west\nstate: /s\ntee: software\n";
  TemporaryDirectory directory_;
};

TEST_F(NodeConfigTest, AMasterNeedsLittle) {
  const auto config = read<MasterConfig>(master_);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->cluster, "west");
  EXPECT_EQ(config->host.node, "west-master");
  EXPECT_EQ(config->host.state, "/s");
  EXPECT_EQ(config->api.host, "127.0.0.1");
  EXPECT_EQ(config->api.port, 0);
  EXPECT_TRUE(config->host_instances);
  EXPECT_FALSE(config->host.local_tcp);
}

TEST_F(NodeConfigTest, AMasterMaySayMore) {
  const auto config = read<MasterConfig>(master_ + "node: m1\napi: 127.0.0.1:8001\ngateway: 127.0.0.2:8002\nnats_port: "
                                                   "4222\nhost_instances: false\nlocal_adapter: tcp\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host.node, "m1");
  EXPECT_EQ(config->api.port, 8001);
  EXPECT_EQ(config->gateway->host, "127.0.0.2");
  EXPECT_EQ(config->nats.port, 4222);
  EXPECT_EQ(config->nats.listen, "127.0.0.1");
  EXPECT_FALSE(config->host_instances);
  EXPECT_TRUE(config->host.local_tcp);
}

TEST_F(NodeConfigTest, InstancesAreReachedAtAnAddressOfTheNetwork) {
  const auto config = read<MasterConfig>(master_ + "instance_address: 192.0.2.7\ninstance_ports: 30000-30099\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host.instance_address, "192.0.2.7");
  EXPECT_EQ(config->host.instance_ports, "30000-30099");
  for (const auto* wrong :
       {"instance_address: 0.0.0.0\n", "instance_address: 127.0.0.1\n", "instance_address: node\n"}) {
    EXPECT_THAT(refusal<MasterConfig>(master_ + wrong), HasSubstr("instance_address")) << wrong;
  }
  for (const auto* wrong : {"instance_ports: 30000-30099\n", "instance_address: 192.0.2.7\ninstance_ports: 7\n"}) {
    EXPECT_THAT(refusal<MasterConfig>(master_ + wrong), HasSubstr("instance_ports")) << wrong;
  }
}

TEST_F(NodeConfigTest, AutoscalingHasDefaultsOfItsOwn) {
  using std::chrono::milliseconds;
  EXPECT_EQ(read<MasterConfig>(master_)->autoscaling.stable_window, milliseconds(60'000));
  const auto config = read<MasterConfig>(master_ + "autoscaling: {interval: 100ms, stable_window: 2s, panic_window: "
                                                   "500ms, target_utilisation: 50, scale_to_zero_grace: 0s}\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->autoscaling.interval, milliseconds(100));
  EXPECT_EQ(config->autoscaling.stable_window, milliseconds(2000));
  EXPECT_EQ(config->autoscaling.target_utilisation, 50U);
  EXPECT_EQ(config->autoscaling.scale_to_zero_grace, milliseconds(0));
  EXPECT_EQ(config->autoscaling.max_scale_up, 10U);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "autoscaling: {target_utilisation: 101}\n"), HasSubstr("1 to 100"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "autoscaling: {interval: 10ms}\n"), HasSubstr("not within 50 ms"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "autoscaling: {windows: 1s}\n"), HasSubstr("windows"));
}

TEST_F(NodeConfigTest, AsynchronousTasksHaveQuotasAndARetention) {
  EXPECT_EQ(read<MasterConfig>(master_)->async_tasks.retention, std::chrono::hours(24));
  const auto config = read<MasterConfig>(master_ + "async_tasks: {quota_per_caller: 1MiB, quota: 1GiB, "
                                                   "tasks_per_caller: 7, retention: 2h}\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->async_tasks.most_bytes_each, 1 << 20);
  EXPECT_EQ(config->async_tasks.most_bytes, 1 << 30);
  EXPECT_EQ(config->async_tasks.most_tasks_each, 7);
  EXPECT_EQ(config->async_tasks.retention, std::chrono::hours(2));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "async_tasks: {retention: long}\n"), HasSubstr("retention"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "async_tasks: {tasks: 1}\n"), HasSubstr("tasks"));
}

TEST_F(NodeConfigTest, BoundsWhatTopicsKeep) {
  EXPECT_EQ(read<MasterConfig>(master_)->topics.most_bytes, std::uint64_t{768} << 20U);
  const auto config = read<MasterConfig>(master_ + "topics: {quota: 512MiB, most: 7, subscriptions_per_topic: 9}\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->topics.most_bytes, std::uint64_t{512} << 20U);
  EXPECT_EQ(config->topics.most_topics, 7U);
  EXPECT_EQ(config->topics.most_subscriptions, 9U);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "topics: {quota: much}\n"), HasSubstr("quota"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "topics: {quota: 1GiB}\n"), HasSubstr("896MiB"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "topics: {kept: 1}\n"), HasSubstr("kept"));
}

TEST_F(NodeConfigTest, NodesHaveLabelsAndEnclaveMemory) {
  const std::string worker = "node: w1\nstate: /s\ntee: software\n";
  const auto config = read<WorkerConfig>(worker + "labels: {zone: north, camera: '2'}\nenclave_memory: 96MiB\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host.labels, (std::map<std::string, std::string>{{"camera", "2"}, {"zone", "north"}}));
  EXPECT_EQ(config->host.enclave_memory, 96ULL << 20U);
  EXPECT_EQ(read<WorkerConfig>(worker)->host.enclave_memory, 0U);
  EXPECT_THAT(refusal<WorkerConfig>(worker + "enclave_memory: 96\n"), HasSubstr("enclave_memory"));
}

TEST_F(NodeConfigTest, AMasterKnowsSharesOfCallers) {
  const auto config =
      read<MasterConfig>(master_ + "callers:\n  - {name: siren, priority: high}\n  - {name: fleet, weight: "
                                   "4}\n  - {name: 'cluster:roadside', weight: 2, priority: low}\n");
  ASSERT_TRUE(config) << config.error().to_string();
  const task_manager::CallerShares wanted{{"siren", {.weight = 1, .highest = wire::PRIORITY_HIGH}},
                                          {"fleet", {.weight = 4, .highest = wire::PRIORITY_NORMAL}},
                                          {"cluster:roadside", {.weight = 2, .highest = wire::PRIORITY_LOW}}};
  EXPECT_EQ(config->callers, wanted);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "callers: [{name: a, weight: 0}]\n"), HasSubstr("weight"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "callers: [{name: a, priority: top}]\n"), HasSubstr("'top'"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "callers: [{name: a}, {name: a}]\n"), HasSubstr("twice"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "callers: [{name: 'cluster:'}]\n"), HasSubstr("cluster"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "callers: [{weight: 2}]\n"), HasSubstr("name"));
}

TEST_F(NodeConfigTest, RefusesUnknownKeysByName) {
  EXPECT_THAT(refusal<MasterConfig>(master_ + "apii: 127.0.0.1:1\n"), HasSubstr("apii"));
  EXPECT_THAT(refusal<WorkerConfig>("node: w1\nstate: /s\ntee: software\ncluster: west\n"), HasSubstr("cluster"));
  EXPECT_THAT(refusal<ServiceManagerConfig>("state: /s\npolicy: /p\ntee: software\n"), HasSubstr("tee"));
}

TEST_F(NodeConfigTest, RefusesWhatIsNoAddress) {
  for (const auto* key : {"api", "gateway", "tasks"}) {
    for (const auto* address : {"localhost", "127.0.0.1:70000", "127.0.0.1", "'::1:80'"}) {
      EXPECT_THAT(refusal<MasterConfig>(fmt::format("{}{}: {}\n", master_, key, address)), HasSubstr(key));
    }
  }
  EXPECT_THAT(refusal<MasterConfig>(master_ + "nats_port: 65536\n"), HasSubstr("nats_port"));
}

TEST_F(NodeConfigTest, ServersAreThereForOthersInTlsOnly) {
  const auto others = read<MasterConfig>(master_ + "api: 0.0.0.0:8443\n");
  ASSERT_TRUE(others) << others.error().to_string();
  EXPECT_TRUE(others->api.tls);
  EXPECT_FALSE(read<MasterConfig>(master_)->api.tls);
  EXPECT_TRUE(read<MasterConfig>(master_ + "api_tls: true\n")->api.tls);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "api: 0.0.0.0:8443\napi_tls: false\n"), HasSubstr("without TLS"));
  EXPECT_TRUE(read<MasterConfig>(master_ + "gateway: 0.0.0.0:8444\n")->gateway->tls);
  EXPECT_FALSE(read<MasterConfig>(master_)->gateway->tls);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "gateway: 0.0.0.0:8444\ngateway_tls: false\n"), HasSubstr("without TLS"));
  EXPECT_TRUE(read<MasterConfig>(master_ + "tasks: 192.0.2.1:8445\n")->tasks.tls);
  EXPECT_FALSE(read<MasterConfig>(master_)->tasks.tls);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "tasks: 192.0.2.1:8445\ntasks_tls: false\n"), HasSubstr("without TLS"));
  const auto named = master_ + "nats_address: 0.0.0.0\nadvertise: gate.example\ntasks: 0.0.0.0:8445\n";
  EXPECT_THAT(refusal<MasterConfig>(named), HasSubstr("gate.example is a name"));
}

TEST_F(NodeConfigTest, AMessageQueueIsServedWhereOthersFindIt) {
  const auto everywhere = read<MasterConfig>(master_ + "nats_address: 0.0.0.0\nadvertise: west.example\n");
  ASSERT_TRUE(everywhere) << everywhere.error().to_string();
  EXPECT_EQ(everywhere->nats.advertise, "west.example");
  EXPECT_EQ(everywhere->nats.local(), "127.0.0.1");
  const auto one = read<ServiceManagerConfig>("state: /s\npolicy: /p\nnats_address: 192.0.2.7\n");
  ASSERT_TRUE(one) << one.error().to_string();
  EXPECT_EQ(one->nats.advertise, "192.0.2.7");
  EXPECT_EQ(one->nats.local(), "192.0.2.7");
  EXPECT_THAT(refusal<MasterConfig>(master_ + "nats_address: 0.0.0.0\n"), HasSubstr("advertise"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "nats_address: west.example\n"), HasSubstr("nats_address"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "advertise: west.example\n"), HasSubstr("cannot reach 127.0.0.1"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "nats_address: 192.0.2.7\nadvertise: 'a b'\n"), HasSubstr("advertise"));
}

TEST_F(NodeConfigTest, StartsTheTeeThatIsNamedOnly) {
  EXPECT_THAT(refusal<WorkerConfig>("node: w1\nstate: /s\ntee: sgx\n"), HasSubstr("software"));
  EXPECT_THAT(refusal<WorkerConfig>("node: w1\nstate: /s\n"), HasSubstr("tee"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "attestation_root: /r\n"), HasSubstr("attestation_root"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + "local_adapter: pipe\n"), HasSubstr("local_adapter"));
}

TEST_F(NodeConfigTest, AConfidentialMachineMayNameItsAttestationRoot) {
  const auto config = read<WorkerConfig>("node: w1\nstate: /s\ntee: tsm\nattestation_root: /r\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host.tee, "tsm");
  EXPECT_EQ(config->host.attestation_root, "/r");
  EXPECT_FALSE(config->host.gramine);
}

TEST_F(NodeConfigTest, AClusterMayDoWithoutAGateway) {
  const auto config = read<MasterConfig>(master_ + "gateway: none\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_FALSE(config->gateway);
  EXPECT_THAT(refusal<MasterConfig>(master_ + "gateway: none\ngateway_tls: true\n"), HasSubstr("gateway_tls"));
}

class GramineConfigTest : public NodeConfigTest {
protected:
  const std::string common_ = "cluster: west\nstate: /s\ntee: gramine\nhost_instances: false\ngateway: none\n";
  const std::string enclave_ = "gramine: {proxy: /e/tcfdl-proxy}\n";
};

TEST_F(GramineConfigTest, NamesTheEnclaveOfTheProxy) {
  const auto config = read<MasterConfig>(common_ + enclave_);
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->host.gramine->launcher, "gramine-sgx");
  EXPECT_EQ(config->host.gramine->proxy, "/e/tcfdl-proxy");
  EXPECT_TRUE(config->host.local_tcp);
  const auto other = read<MasterConfig>(common_ + "gramine: {launcher: /opt/gramine-sgx, proxy: /e/p}\n");
  ASSERT_TRUE(other) << other.error().to_string();
  EXPECT_EQ(other->host.gramine->launcher, "/opt/gramine-sgx");
}

TEST_F(GramineConfigTest, RefusesWhatAnEnclaveCannotHave) {
  EXPECT_THAT(refusal<MasterConfig>(common_), HasSubstr("'gramine': is required"));
  EXPECT_THAT(refusal<MasterConfig>(common_ + "gramine: {}\n"), HasSubstr("proxy"));
  EXPECT_THAT(refusal<MasterConfig>(common_ + "gramine: {proxy: e/p}\n"), HasSubstr("absolute"));
  EXPECT_THAT(refusal<MasterConfig>(common_ + "gramine: {proxy: /e/p, debug: true}\n"), HasSubstr("debug"));
  EXPECT_THAT(refusal<MasterConfig>(common_ + enclave_ + "attestation_root: /r\n"), HasSubstr("manifest"));
  EXPECT_THAT(refusal<MasterConfig>(common_ + enclave_ + "local_adapter: unix\n"), HasSubstr("must be tcp"));
  EXPECT_THAT(refusal<MasterConfig>(master_ + enclave_), HasSubstr("the node's tee is software"));
}

TEST_F(GramineConfigTest, SaysThatNoProgramsRunThere) {
  const std::string short_of = "cluster: west\nstate: /s\ntee: gramine\n" + enclave_;
  EXPECT_THAT(refusal<MasterConfig>(short_of + "gateway: none\n"), HasSubstr("'host_instances': a proxy in an SGX"));
  EXPECT_THAT(refusal<MasterConfig>(short_of + "host_instances: false\n"), HasSubstr("'gateway': a proxy in an SGX"));
  EXPECT_THAT(refusal<WorkerConfig>("node: w1\nstate: /s\ntee: gramine\n" + enclave_), HasSubstr("starts no programs"));
}

TEST_F(NodeConfigTest, TheServiceManagersKeyFileOpensByOneOfThreeWays) {
  using service_manager::authority::EnclaveKey;
  const std::string service_manager = "state: /s\npolicy: /p\n";
  const auto plain = read<ServiceManagerConfig>(service_manager);
  ASSERT_TRUE(plain) << plain.error().to_string();
  EXPECT_EQ(plain->key_file.file, "/s/authority.key");
  EXPECT_FALSE(plain->key_file.enclave);
  EXPECT_EQ(read<ServiceManagerConfig>(service_manager + "passphrase_file: /f\n")->key_file.passphrase_file, "/f");
  const auto enclave = read<ServiceManagerConfig>(service_manager + "enclave_key: {of: signer}\n");
  ASSERT_TRUE(enclave) << enclave.error().to_string();
  EXPECT_EQ(enclave->key_file.enclave->root, "/dev/attestation");
  EXPECT_EQ(enclave->key_file.enclave->holder, EnclaveKey::Holder::kSigner);
  const auto rooted = read<ServiceManagerConfig>(service_manager + "enclave_key: {of: measurement, root: /r}\n");
  ASSERT_TRUE(rooted) << rooted.error().to_string();
  EXPECT_EQ(rooted->key_file.enclave->root, "/r");
  EXPECT_EQ(rooted->key_file.enclave->holder, EnclaveKey::Holder::kEnclave);
  for (const auto* bad : {"{}", "{of: cpu}", "{of: signer, key: x}"}) {
    EXPECT_THAT(refusal<ServiceManagerConfig>(fmt::format("{}enclave_key: {}\n", service_manager, bad)),
                HasSubstr("enclave_key"));
  }
  EXPECT_THAT(refusal<ServiceManagerConfig>(service_manager + "enclave_key: {of: signer}\npassphrase_file: /f\n"),
              HasSubstr("exclude each other"));
}

TEST_F(NodeConfigTest, RefusesNamesThatAreNoLabels) {
  EXPECT_THAT(refusal<MasterConfig>("cluster: We st\nstate: /s\ntee: software\n"), HasSubstr("cluster"));
  EXPECT_THAT(refusal<WorkerConfig>("node: ../w\nstate: /s\ntee: software\n"), HasSubstr("node"));
  EXPECT_THAT(refusal<WorkerConfig>("state: /s\ntee: software\n"), HasSubstr("node"));
}

TEST_F(NodeConfigTest, TheServiceManagerMakesTokensForMastersOnly) {
  const auto config = read<ServiceManagerConfig>(
      "state: /s\npolicy: /p\ninitial_tokens:\n- {role: master, cluster: west, file: /t/west}\n"
      "- {role: master, cluster: east, file: /t/east}\n");
  ASSERT_TRUE(config) << config.error().to_string();
  ASSERT_EQ(config->initial_tokens.size(), 2U);
  EXPECT_EQ(config->initial_tokens[1].cluster, "east");
  EXPECT_EQ(config->initial_tokens[1].file, "/t/east");
  EXPECT_THAT(
      refusal<ServiceManagerConfig>("state: /s\npolicy: /p\ninitial_tokens:\n- {role: client, cluster: w, file: /t}\n"),
      HasSubstr("masters"));
  EXPECT_THAT(refusal<ServiceManagerConfig>(
                  "state: /s\npolicy: /p\ninitial_tokens:\n- {role: master, cluster: W_, file: /t}\n"),
              HasSubstr("cluster"));
}

TEST_F(NodeConfigTest, TheServiceManagerNeedsAPolicyAndIsToldWhereEndorsementsAre) {
  EXPECT_THAT(refusal<ServiceManagerConfig>("state: /s\n"), HasSubstr("policy"));
  const auto config =
      read<ServiceManagerConfig>("state: /s\npolicy: /p.yaml\ncollateral: [/intel/a, /intel/b]\ncertificates: /amd\n");
  ASSERT_TRUE(config) << config.error().to_string();
  EXPECT_EQ(config->policy, "/p.yaml");
  EXPECT_EQ(config->collateral, (std::vector<std::string>{"/intel/a", "/intel/b"}));
  EXPECT_EQ(config->certificates, "/amd");
}

TEST_F(NodeConfigTest, AMissingFileIsNotFound) {
  EXPECT_EQ(MasterConfig::read(directory_.path() / "none").error().code(), Code::kNotFound);
}

} // namespace
} // namespace tcfdl::node
