#include "base/log.hpp"
#include "base/renewal.hpp"
#include "sdk/caller.hpp"
#include "sdk/task_manager_client.hpp"

namespace tcfdl {
namespace {

/// A client with all that it owns.
class ConnectedClient final : public Client {
public:
  ConnectedClient(sdk::Identity identity, wire::Address address, std::string token,
                  std::unique_ptr<wire::KnownNames> names, std::function<void(const wire::Signed&)> on_renewed)
      : identity_(std::move(identity)),
        task_manager_(std::move(address), std::move(token), identity_, std::move(on_renewed)),
        caller_(identity_, task_manager_, task_manager_, clock_, std::move(names)),
        renewal_(
            {.what = "the client's certificate"}, clock_, [this] { return identity_.certificate.lifetime(); },
            [this] { return task_manager_.renew(Deadline::after(std::chrono::seconds(20))); }) {}

  Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                          const CallOptions& options) override {
    return caller_.call(function, body, result, options);
  }

protected:
  Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) override {
    return static_cast<Client&>(caller_).call(function, body, options);
  }

private:
  SystemClock clock_;
  sdk::Identity identity_;
  sdk::TaskManagerClient task_manager_;
  sdk::Caller caller_;
  Renewal renewal_; // ends first
};

} // namespace

std::string_view protection_name(Protection protection) noexcept {
  switch (protection) {
  case Protection::kEae: return "eae";
  case Protection::kHse: return "hse";
  case Protection::kNone: break;
  }
  return "none";
}

Result<Protection> protection_from_name(std::string_view name) {
  if (name == "eae") return Protection::kEae;
  if (name == "hse") return Protection::kHse;
  if (name == "none") return Protection::kNone;
  return make_error(Code::kInvalidArgument, "no protection is called '{}'; there are eae, hse and none", name);
}

std::string_view priority_name(Priority priority) noexcept {
  switch (priority) {
  case Priority::kLow: return "low";
  case Priority::kHigh: return "high";
  case Priority::kNormal: break;
  }
  return "normal";
}

Result<Priority> priority_from_name(std::string_view name) {
  for (const auto priority : {Priority::kLow, Priority::kNormal, Priority::kHigh}) {
    if (name == priority_name(priority)) return priority;
  }
  return make_error(Code::kInvalidArgument, "no priority is called '{}'; there are low, normal and high", name);
}

Result<std::unique_ptr<Client>> Client::connect(const std::string& name) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(name));
  TCFDL_ASSIGN(auto identity, sdk::identity_of(context));
  TCFDL_ASSIGN(auto address, wire::parse_address(context.tasks_address));
  TCFDL_ASSIGN(auto names, wire::KnownNames::open(sdk::names_file(context), identity.authority.bytes()));
  const auto keep = [name, context](const wire::Signed& certificate) {
    const auto kept = sdk::update_certificate(name, context, wire::serialize(certificate));
    if (!kept) spdlog::warn("a newer certificate serves this process alone: {}", kept.error().to_string());
  };
  return std::make_unique<ConnectedClient>(std::move(identity), std::move(address), context.tasks_token,
                                           std::move(names), keep);
}

Result<CallResult> Client::call(const std::string& function, BytesView body, const CallOptions& options) {
  return call_whole(function, body, options);
}

std::future<Result<CallResult>> Client::call_async(std::string function, Bytes body, CallOptions options) {
  return std::async(std::launch::async, [this, function = std::move(function), body = std::move(body),
                                         options = std::move(options)] { return call(function, body, options); });
}

} // namespace tcfdl
