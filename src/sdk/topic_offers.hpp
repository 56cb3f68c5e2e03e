// What topics are, as their owners sign it and clusters tell it.
#pragma once

#include "base/guarded.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/known_names.hpp"
#include "wire/topic.hpp"

namespace tcfdl::sdk {

struct TopicOffer {
  wire::Descriptor descriptor;
  wire::Signed statement; ///< the same, as its owner signed it
  std::string assurance;  ///< in which messages are sealed
};

/// Asked for once a minute and topic. Thread-safe; references outlive it.
class TopicOffers {
public:
  TopicOffers(const Identity& identity, TaskManagerClient& task_manager, wire::KnownNames& names, const Clock& clock)
      : identity_(identity), task_manager_(task_manager), names_(names), clock_(clock) {}

  /// NOT_FOUND; PERMISSION_DENIED for what is no topic, or not that of the owner that was seen before.
  Result<TopicOffer> get(const std::string& topic, Deadline deadline);
  /// Has it asked for again.
  void forget(const std::string& topic);
  wire::KnownNames& names() { return names_; }

private:
  struct Kept {
    TopicOffer offer;
    Deadline good_until;
  };
  Result<TopicOffer> ask(const std::string& topic, Deadline deadline);

  const Identity& identity_;
  TaskManagerClient& task_manager_;
  wire::KnownNames& names_;
  const Clock& clock_;
  Guarded<std::map<std::string, Kept>> kept_;
};

} // namespace tcfdl::sdk
