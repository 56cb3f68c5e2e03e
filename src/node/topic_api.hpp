// The administration API's port for topics.
#pragma once

#include "api_service/ports.hpp"
#include "node/topic_door.hpp"

namespace tcfdl::node {

/// Thread-safe, as its parts are, which outlive it.
class TopicApi final : public api_service::Topics {
public:
  TopicApi(TopicDoor& door, topics::Topics& topics) : door_(door), topics_(topics) {}

  Result<api_service::Json> topics() override;
  Result<api_service::Json> topic(const FunctionName& name) override;
  Result<api_service::Json> put_topic(const wire::Signed& unverified) override;
  Status remove_topic(const FunctionName& name) override { return door_.remove(name.str()); }

private:
  Result<api_service::Json> describe(const topics::TopicRecord& topic);

  TopicDoor& door_;
  topics::Topics& topics_;
};

} // namespace tcfdl::node
