// A client by its context. Apart from the rest of the SDK, so that functions do not load a TLS library.
#include "base/log.hpp"
#include "base/renewal.hpp"
#include "sdk/caller.hpp"
#include "sdk/submitter.hpp"
#include "sdk/task_manager_client.hpp"
#include "wire/tls_connection.hpp"

namespace tcfdl {
namespace {

constexpr std::string_view kTlsScheme = "tls:";

/// By TLS where the address says so: to a server that the context names, of the root that it has.
Result<sdk::Connector> connector_of(const sdk::Context& context) {
  const std::string_view text = context.tasks_address;
  if (!text.starts_with(kTlsScheme)) {
    TCFDL_ASSIGN(auto address, wire::parse_address(text));
    return sdk::connector_to(std::move(address));
  }
  TCFDL_ASSIGN(auto address, wire::parse_address(fmt::format("tcp:{}", text.substr(kTlsScheme.size()))));
  TCFDL_ASSIGN(auto tls, crypto::TlsContext::client(context.tls_root));
  return [address = std::move(address), tls = std::move(tls), server = context.tls_server_name](Deadline deadline) {
    return wire::connect_tls(address, tls, server, deadline);
  };
}

/// A client with all that it owns.
class ConnectedClient final : public Client {
public:
  ConnectedClient(sdk::Identity identity, sdk::Connector connector, std::string token,
                  std::unique_ptr<wire::KnownNames> names, std::function<void(const wire::Signed&)> on_renewed)
      : identity_(std::move(identity)),
        task_manager_(std::move(connector), std::move(token), identity_, std::move(on_renewed)),
        caller_(identity_, task_manager_, task_manager_, clock_, std::move(names)),
        submitter_(identity_, task_manager_, caller_.capsules(), caller_.names(), clock_),
        renewal_(
            {.what = "the client's certificate"}, clock_, [this] { return identity_.certificate.lifetime(); },
            [this] { return task_manager_.renew(Deadline::after(std::chrono::seconds(20))); }) {}

  Result<CallReport> call(const std::string& function, BodyReader& body, BodyWriter& result,
                          const CallOptions& options) override {
    return caller_.call(function, body, result, options);
  }
  Result<std::string> submit(const std::string& function, BytesView body, const SubmitOptions& options) override {
    TCFDL_ASSIGN(auto submitted, submitter_.submit(function, body, options));
    return std::move(submitted.task_id);
  }
  Result<TaskOutcome> task_wait(const std::string& id, std::chrono::milliseconds timeout,
                                Protection protection) override {
    return submitter_.wait(id, timeout, {.protection = protection});
  }
  Result<TaskOutcome> task_open(BytesView document, Protection protection) override {
    return submitter_.open(document, {.protection = protection});
  }
  Result<TaskInfo> task_cancel(const std::string& id) override { return submitter_.cancel(id); }
  Result<std::vector<TaskInfo>> task_list() override { return submitter_.list(); }

protected:
  Result<CallResult> call_whole(const std::string& function, BytesView body, const CallOptions& options) override {
    return static_cast<Client&>(caller_).call(function, body, options);
  }

private:
  SystemClock clock_;
  sdk::Identity identity_;
  sdk::TaskManagerClient task_manager_;
  sdk::Caller caller_;
  sdk::Submitter submitter_;
  Renewal renewal_; // ends first
};

} // namespace

Result<std::unique_ptr<Client>> Client::connect(const std::string& name) {
  TCFDL_ASSIGN(const auto context, sdk::load_context(name));
  TCFDL_ASSIGN(auto identity, sdk::identity_of(context));
  TCFDL_ASSIGN(auto connector, connector_of(context));
  TCFDL_ASSIGN(auto names, wire::KnownNames::open(sdk::names_file(context), identity.authority.bytes()));
  const auto keep = [name, context](const wire::Signed& certificate) {
    const auto kept = sdk::update_certificate(name, context, wire::serialize(certificate));
    if (!kept) spdlog::warn("a newer certificate serves this process alone: {}", kept.error().to_string());
  };
  return std::make_unique<ConnectedClient>(std::move(identity), std::move(connector), context.tasks_token,
                                           std::move(names), keep);
}

} // namespace tcfdl
