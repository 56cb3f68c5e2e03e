#include "node/gateway_keeper.hpp"

#include "base/encoding.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "instance_manager/backoff.hpp"
#include "instance_manager/names.hpp"
#include "wire/manifest.hpp"

#include <sys/stat.h>

namespace tcfdl::node {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr const char* kProgram = "bin/tcfdl-gateway";

} // namespace

Status GatewayKeeper::start() {
  TCFDL_TRY(prepare());
  thread_ = std::thread([this] { keep(); });
  const auto deadline = Deadline::after(seconds(20));
  while (!answers()) {
    std::unique_lock lock(mutex_);
    if (deadline.expired()) {
      return make_error(Code::kUnavailable, "the gateway did not start; its log is {}", order_.log());
    }
    changed_.wait_for(lock, milliseconds(20));
  }
  return {};
}

void GatewayKeeper::stop() noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(stopping_, true)) return;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool GatewayKeeper::on_exited(const std::string& instance) {
  if (instance != settings_.instance) return false;
  const std::scoped_lock lock(mutex_);
  running_ = false;
  changed_.notify_all();
  return true;
}

/// Makes the bundle of the gateway: one file and its manifest.
Status GatewayKeeper::prepare() {
  const auto directory = settings_.state / "gateway";
  TCFDL_TRY(make_private_directory(directory / "bin"));
  for (const auto& part : {directory, directory / "bin"}) { // the gateway may run as another user
    if (::chmod(part.c_str(), 0755) != 0) return errno_error("cannot set the mode of", part);
  }
  TCFDL_ASSIGN(const auto program, read_file(settings_.program));
  TCFDL_TRY(write_file(directory / kProgram, program, 0755));
  wire::Manifest manifest;
  manifest.command = {kProgram};
  manifest.files.push_back({kProgram, to_hex(crypto::sha256(program)), program.size(), true});
  manifest.logs = wire::LogPolicy::kHost;
  order_.set_instance(settings_.instance);
  order_.set_manifest(wire::field(wire::write_manifest(manifest)));
  order_.set_directory(directory.string());
  order_.set_role(wire::ROLE_GATEWAY);
  order_.set_log((settings_.state / "gateway.log").string());
  auto& environment = *order_.mutable_environment();
  for (const auto& [name, value] : settings_.environment) environment[name] = value;
  environment["TCFDL_INSTANCE"] = settings_.instance;
  environment["TCFDL_AGENT_TOKEN"] = "none";
  environment["TCFDL_CONCURRENCY"] = "1";
  environment["TCFDL_GATEWAY_TOKEN"] = settings_.token;
  environment["TCFDL_GATEWAY_LISTEN"] = fmt::format("{}:{}", settings_.listen.host, settings_.listen.port);
  if (settings_.listen.tls) environment["TCFDL_GATEWAY_TLS"] = "1";
  return {};
}

void GatewayKeeper::keep() {
  instance_manager::Backoff backoff({});
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !running_; });
      if (stopping_) return;
      running_ = true;
    }
    const auto launched = proxy_.launch(order_, Deadline::after(seconds(20)));
    if (launched) spdlog::info("gateway started as process {}", launched->pid());
    std::unique_lock lock(mutex_);
    if (!launched) {
      spdlog::error("cannot start the gateway: {}", launched.error().message());
      running_ = false;
    }
    if (changed_.wait_for(lock, backoff.next(instance_manager::random_unit()), [this] { return stopping_; })) return;
  }
}

bool GatewayKeeper::answers() const {
  return bool(
      wire::connect(wire::TcpAddress{settings_.listen.host, settings_.listen.port}, Deadline::after(seconds(1))));
}

} // namespace tcfdl::node
