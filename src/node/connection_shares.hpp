// So many connections of one caller at a time, that others find a place.
#pragma once

#include "base/guarded.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

namespace tcfdl::node {

/// Thread-safe; outlives its places.
class ConnectionShares {
  using Counts = std::map<std::string, std::size_t>;

public:
  explicit ConnectionShares(std::size_t most) : most_(most) {}

  /// Held by a connection while it lasts.
  class Place {
  public:
    Place(Guarded<Counts>& counts, std::string name) : counts_(&counts), name_(std::move(name)) {}
    Place(Place&& other) noexcept : counts_(std::exchange(other.counts_, nullptr)), name_(std::move(other.name_)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (counts_ == nullptr) return;
      counts_->with([this](auto& counts) {
        const auto found = counts.find(name_);
        if (--found->second == 0) counts.erase(found);
      });
    }

  private:
    Guarded<Counts>* counts_;
    std::string name_;
  };

  /// nullopt: the caller has as many as it may.
  std::optional<Place> enter(const std::string& name) {
    const bool entered = counts_.with([&](auto& counts) {
      auto& count = counts[name];
      if (count >= most_) return false;
      ++count;
      return true;
    });
    return entered ? std::optional<Place>(std::in_place, counts_, name) : std::nullopt;
  }

private:
  const std::size_t most_;
  Guarded<Counts> counts_;
};

} // namespace tcfdl::node
