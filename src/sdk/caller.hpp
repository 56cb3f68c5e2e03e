// The client: lease, capsule, sealed exchange, and another attempt where that is safe.
#pragma once

#include "sdk/caller_bursts.hpp"
#include "sdk/capsule_session.hpp"
#include "sdk/exchange.hpp"
#include "sdk/instance_pool.hpp"
#include "wire/known_names.hpp"
#include "wire/tracing.hpp"

namespace tcfdl::sdk {

/// Thread-safe; every call runs on the thread that makes it.
class Caller final : public Client {
public:
  /// `names`: the functions and versions seen before; none: they are remembered in memory. `spans`: where spans of
  /// calls go, which outlives it; none: they are not recorded here.
  Caller(const Identity& identity, TaskManager& task_manager, Proxy& proxy, const Clock& clock,
         std::unique_ptr<wire::KnownNames> names = nullptr, wire::SpanSink* spans = nullptr)
      : task_manager_(task_manager), identity_(identity), clock_(clock), capsules_(identity, proxy, clock),
        pool_(identity, task_manager, clock), names_(names ? std::move(names) : std::make_unique<wire::KnownNames>()),
        spans_(spans) {}

  Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                          const CallOptions& options) override;

  /// What it knows of its functions, for tasks that are submitted in the same name.
  [[nodiscard]] CapsuleSession& capsules() noexcept { return capsules_; }
  [[nodiscard]] wire::KnownNames& names() noexcept { return *names_; }

  /// Drops capsules and keys that a newer list voids.
  void forget_void(const wire::Revocations& revocations) { capsules_.forget_void(revocations); }

protected:
  Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) override;

private:
  struct Attempt;

  Result<CallReport> run(const std::string& function, RequestBody& body, ResultSink& result,
                         const CallOptions& options);
  Result<CallReport> run_traced(Attempt& state, RequestBody& body, ResultSink& result);
  static void look_elsewhere(Attempt& attempt);
  static void wait(const Attempt& attempt, std::chrono::nanoseconds pause);
  static bool come_again(const Attempt& attempt, const Error& refusal);
  Status attempt(Attempt& attempt, RequestBody& body, ResultSink& result);
  Status go_on(Attempt& attempt, RequestBody& body, ResultSink& result);
  Status take_lease(Attempt& attempt);
  static void note_place(Attempt& attempt);
  Status take_offer(Attempt& attempt);
  Result<wire::Descriptor> descriptor_of(const wire::Signed& offered);
  Status confirm_owner(Attempt& attempt, const ReadyCapsule& capsule);
  Result<std::unique_ptr<InstanceConnection>> connect(Attempt& attempt, const std::string& traceparent);
  Result<std::unique_ptr<InstanceConnection>> connect(Attempt& attempt, const std::string& traceparent,
                                                      Deadline deadline);
  Status take_receipt(Attempt& attempt, Bytes receipt) const;
  [[nodiscard]] wire::SealedHeader header_of(const Attempt& attempt, const ReadyCapsule* capsule) const;
  Status exchange(Attempt& attempt, RequestBody& body, ResultSink& result);
  Status conclude(Attempt& attempt, ExchangeOutput& output, std::unique_ptr<InstanceConnection> instance,
                  const ReadyCapsule* capsule, Status done);
  void keep(Attempt& attempt, std::unique_ptr<InstanceConnection> instance, bool ran);

  TaskManager& task_manager_;
  const Identity& identity_;
  const Clock& clock_;
  CapsuleSession capsules_;
  InstancePool pool_;
  CallerBursts bursts_;
  const std::unique_ptr<wire::KnownNames> names_;
  Guarded<std::map<std::string, wire::Descriptor>> descriptors_; ///< that were verified, by their signed form
  wire::SpanSink* const spans_;                                  ///< may be nullptr
};

} // namespace tcfdl::sdk
