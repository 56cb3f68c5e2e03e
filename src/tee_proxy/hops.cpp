#include "tee_proxy/hops.hpp"

#include "base/log.hpp"
#include "wire/proto/hop.pb.h"

#include <thread>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

constexpr std::size_t kSessionSize = 32;
constexpr std::size_t kMostMeetings = 1024;
constexpr int kMostProxies = 8;
/// Until both connections of a session are there.
constexpr seconds kMeetingTime{5};
/// Until a path stands, from its first message.
constexpr seconds kSetupTime{15};

/// Passes records on until either side ends; then both do. `task_of` says whether a record is in its place.
template <class Check> void carry(wire::HopChannel& from, wire::HopChannel& to, const Check& check) {
  Bytes content;
  for (;;) {
    const auto record = from.receive_record(content, Deadline::after(hours(24)));
    if (!record) {
      if (record.error().code() == Code::kUnauthenticated) {
        spdlog::warn("path ended: from {}: {}", from.peer().subject(), record.error().message());
      }
      break;
    }
    if (!check(record->task) || !to.send_record(record->kind, record->task, content, Deadline::after(hours(1)))) break;
  }
  crypto::wipe(content);
  from.shutdown();
  to.shutdown();
}

} // namespace

void Hops::serve(wire::Connection& connection, const wire::HopSide& side) {
  if (side.session().size() != kSessionSize) return;
  if (side.onward()) {
    serve_onward(connection, side.session());
  } else {
    serve_caller(connection, side.session());
  }
}

HopCounters Hops::counters() const {
  const std::scoped_lock lock(mutex_);
  return counters_;
}

void Hops::serve_onward(wire::Connection& connection, const std::string& session) {
  std::unique_lock lock(mutex_);
  if (meetings_.size() >= kMostMeetings || meetings_.contains(session)) return;
  const auto meeting = std::make_shared<Meeting>();
  meeting->onward = &connection;
  meetings_.emplace(session, meeting);
  met_.notify_all();
  met_.wait_for(lock, kMeetingTime, [&] { return meeting->taken; });
  meetings_.erase(session);
  if (!meeting->taken) return;
  met_.wait(lock, [&] { return meeting->ended; }); // the connection belongs to the other thread until then
}

void Hops::serve_caller(wire::Connection& connection, const std::string& session) {
  MeetingPtr meeting;
  {
    std::unique_lock lock(mutex_);
    const auto there = [&] {
      const auto found = meetings_.find(session);
      if (found == meetings_.end() || found->second->taken) return false;
      meeting = found->second;
      return true;
    };
    if (!met_.wait_for(lock, kMeetingTime, there)) return;
    meeting->taken = true;
    met_.notify_all();
  }
  const auto done = run(connection, *meeting->onward);
  if (!done) spdlog::info("no path: {}", done.error().to_string());
  connection.shutdown();
  const std::scoped_lock lock(mutex_);
  meeting->onward->shutdown();
  meeting->ended = true;
  met_.notify_all();
}

Status Hops::run(wire::Connection& towards_caller, wire::Connection& onward) {
  TCFDL_ASSIGN(const auto self, who_am_i_());
  const auto deadline = Deadline::after(kSetupTime);
  wire::Hello hello;
  hello.set_name(self->parsed.subject());
  TCFDL_TRY(wire::send_message(towards_caller, hello, deadline));
  TCFDL_ASSIGN(const auto offer, wire::receive_message<wire::TaskRequest>(towards_caller, deadline));
  TCFDL_ASSIGN(const auto previous,
               wire::accept_hop(towards_caller, {signing_, self->certificate, self->authority}, as_bytes(offer.hop()),
                                {wire::ROLE_CLIENT, wire::ROLE_INSTANCE, wire::ROLE_GATEWAY, wire::ROLE_PROXY},
                                clock_.now(), deadline));
  TCFDL_TRY(self->revocations->check(previous->peer()));
  TCFDL_ASSIGN(auto route, wire::receive_message<wire::HopRoute>(*previous, deadline));
  std::unique_ptr<wire::HopChannel> next;
  const auto path = extend(std::move(route), previous->peer(), *self, onward, next, deadline);
  TCFDL_TRY(wire::answer_route(*previous, path, deadline));
  if (!path) return path.error();
  forward(*previous, *next, *self->revocations);
  return {};
}

Result<std::vector<std::string>> Hops::extend(wire::HopRoute route, const wire::Certificate& peer, const HopSelf& self,
                                              wire::Connection& onward, std::unique_ptr<wire::HopChannel>& next,
                                              Deadline deadline) {
  TCFDL_TRY(check_caller(route, peer, self.parsed));
  route.add_proxies(self.parsed.subject());
  TCFDL_ASSIGN(next, wire::open_hop(onward, {signing_, self.certificate, self.authority},
                                    {wire::ROLE_PROXY, wire::ROLE_INSTANCE}, clock_.now(), deadline));
  TCFDL_TRY(self.revocations->check(next->peer()));
  TCFDL_TRY(check_next(route, next->peer(), self.parsed));
  return wire::extend_path(*next, route, deadline);
}

/// A caller begins a path, in its own name and to what it was granted; a proxy continues one.
Status Hops::check_caller(wire::HopRoute& route, const wire::Certificate& peer, const wire::Certificate& self) const {
  if (!wire::assurance_meets(self.assurance(), route.assurance())) {
    return make_error(Code::kPermissionDenied, "{} is of class '{}', the data is for proxies of class '{}'",
                      self.subject(), self.assurance(), route.assurance());
  }
  if (peer.role() == wire::ROLE_PROXY) {
    if (route.proxies_size() >= kMostProxies) return Error(Code::kOutOfRange, "the path is too long");
    if (!route.proxies().empty() && *route.proxies().rbegin() == peer.subject()) return {};
    return make_error(Code::kPermissionDenied, "{} is not the last proxy of the route that it sends", peer.subject());
  }
  if (!route.proxies().empty()) return Error(Code::kPermissionDenied, "a caller's path begins with no proxies");
  if (peer.cluster() != self.cluster()) {
    return make_error(Code::kPermissionDenied, "{} of {} begins its path at its own cluster", peer.subject(),
                      peer.cluster());
  }
  if (!wire::grants_allow(peer, route.function())) {
    return make_error(Code::kPermissionDenied, "{} has no grant to call {}", peer.subject(), route.function());
  }
  route.set_caller(peer.subject());
  route.set_caller_key(peer.verify_key());
  return {};
}

/// Plaintext goes to proxies of the class in one of the two clusters, and to the instance that was asked for.
Status Hops::check_next(const wire::HopRoute& route, const wire::Certificate& peer,
                        const wire::Certificate& self) const {
  const auto refuse = [&](const std::string& why) {
    return make_error(Code::kPermissionDenied, "the daemon led to {}, {}", peer.subject(), why);
  };
  if (!wire::assurance_meets(peer.assurance(), route.assurance())) {
    return refuse(fmt::format("of class '{}' where '{}' is due", peer.assurance(), route.assurance()));
  }
  if (peer.role() == wire::ROLE_PROXY) {
    if (peer.cluster() == route.cluster() || peer.cluster() == self.cluster()) return {};
    return refuse(fmt::format("of cluster {}", peer.cluster()));
  }
  if (peer.function() != route.function()) return refuse(fmt::format("which provides '{}'", peer.function()));
  if (peer.subject() != route.instance() || peer.cluster() != route.cluster()) {
    return refuse(fmt::format("not to {} of {}", route.instance(), route.cluster()));
  }
  if (peer.node() == self.node() && peer.cluster() == self.cluster()) return {};
  return refuse(fmt::format("on node {}: an instance is reached by its own node's proxy", peer.node()));
}

void Hops::forward(wire::HopChannel& towards_caller, wire::HopChannel& onward, const wire::Revocations& revocations) {
  const auto still_trusted = [&] {
    for (const auto* peer : {&towards_caller.peer(), &onward.peer()}) {
      const auto checked = revocations.check(*peer);
      if (!checked) spdlog::warn("path ended: {}", checked.error().message());
      if (!checked) return false;
    }
    return true;
  };
  std::mutex mutex;
  wire::HopTask current{}; // guarded by mutex; the task that requests are of
  {
    const std::jthread results([&] {
      carry(onward, towards_caller, [&](const wire::HopTask& task) {
        const std::scoped_lock lock(mutex);
        return task == current && still_trusted();
      });
    });
    carry(towards_caller, onward, [&](const wire::HopTask& task) {
      const std::scoped_lock lock(mutex);
      current = task;
      return still_trusted();
    });
  }
  const std::scoped_lock lock(mutex_);
  counters_.opened += towards_caller.opened() + onward.opened();
  counters_.sealed += towards_caller.sealed() + onward.sealed();
}

} // namespace tcfdl::tee_proxy
