#include "node/topic_api.hpp"

#include "http/json.hpp"

namespace tcfdl::node {
namespace {

using api_service::Json;

Json describe_subscription(const wire::SubscriptionInfo& info) {
  return {{"owner", info.owner()},
          {"name", info.name()},
          {"settled", info.settled()},
          {"waiting", info.waiting()},
          {"dead", info.dead()}};
}

} // namespace

Result<Json> TopicApi::describe(const topics::TopicRecord& topic) {
  const auto& descriptor = topic.descriptor;
  const auto& policy = descriptor.topic();
  Json document{{"name", descriptor.name()},
                {"version", descriptor.version()},
                {"owner", wire::fingerprint(as_bytes(descriptor.owner_key()))},
                {"protections", http::list_of(descriptor.protections())},
                {"assurance", http::list_of(descriptor.assurance())},
                {"epoch", descriptor.epoch()},
                {"max_body", descriptor.max_body()},
                {"retention_s", policy.retention_s()},
                {"most_messages", policy.most_messages()},
                {"most_bytes", policy.most_bytes()},
                {"most_deliveries", policy.most_deliveries()},
                {"handling_ms", policy.handling_ms()},
                {"publishers_sign", policy.publishers_sign()},
                {"functions", http::list_of(policy.functions())},
                {"created_ms", topic.created_ms},
                {"first", topic.first},
                {"last", topic.last},
                {"messages", topic.last + 1 - topic.first},
                {"bytes", topic.bytes}};
  TCFDL_ASSIGN(const auto subscriptions, topics_.subscriptions(descriptor.name(), {}));
  document["subscriptions"] = Json::array();
  for (const auto& each : subscriptions) document["subscriptions"].push_back(describe_subscription(each));
  return document;
}

Result<Json> TopicApi::topics() {
  TCFDL_ASSIGN(const auto all, topics_.list());
  auto documents = Json::array();
  for (const auto& topic : all) {
    TCFDL_ASSIGN(auto document, describe(topic));
    documents.push_back(std::move(document));
  }
  return documents;
}

Result<Json> TopicApi::topic(const FunctionName& name) {
  TCFDL_ASSIGN(const auto found, topics_.get(name.str()));
  return describe(found);
}

Result<Json> TopicApi::put_topic(const wire::Signed& unverified) {
  TCFDL_ASSIGN(const auto made, door_.put(unverified));
  return describe(made);
}

} // namespace tcfdl::node
