// A client by its context. Apart from the rest of the SDK, so that functions do not load a TLS library.
#include "base/renewal.hpp"
#include "sdk/caller.hpp"
#include "sdk/connection.hpp"
#include "sdk/submitter.hpp"

namespace tcfdl {
namespace {

/// A client with all that it owns.
class ConnectedClient final : public Client {
public:
  explicit ConnectedClient(sdk::ConnectionParts parts)
      : identity_(std::move(parts.identity)),
        task_manager_(std::move(parts.connector), std::move(parts.token), identity_, std::move(parts.on_renewed)),
        caller_(identity_, task_manager_, task_manager_, clock_, std::move(parts.names)),
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
  TCFDL_ASSIGN(auto parts, sdk::connection_of(name));
  return std::make_unique<ConnectedClient>(std::move(parts));
}

} // namespace tcfdl
