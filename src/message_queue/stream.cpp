#include "message_queue/stream.hpp"

#include "base/encoding.hpp"
#include "message_queue/names.hpp"
#include "message_queue/stream_core.hpp"

#include <cerrno>
#include <sys/random.h>

namespace tcfdl::message_queue {
namespace {

constexpr std::size_t kLargestHello = std::size_t{64} * 1024;

enum class Side : char { kOpener = 'a', kAcceptor = 'b' };

Result<std::array<std::uint8_t, kStreamIdSize>> make_id() {
  std::array<std::uint8_t, kStreamIdSize> id{};
  while (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    if (errno != EINTR) return make_error(Code::kInternal, "the system gives no random bytes");
  }
  return id;
}

Result<std::unique_ptr<NatsStream::Core>> make_core(Bus& bus, const StreamOpening& opening, Side side,
                                                    const StreamSettings& settings, std::shared_ptr<void> place) {
  const auto stream = fmt::format("{}.{}.{}", settings.prefix, opening.opener, to_hex(opening.id));
  const auto opener = stream + ".a";
  const auto acceptor = stream + ".b";
  const auto& own = side == Side::kOpener ? opener : acceptor;
  const auto& peer = side == Side::kOpener ? acceptor : opener;
  auto core = std::make_unique<NatsStream::Core>(bus, own, peer, settings, std::move(place));
  TCFDL_TRY(core->listen());
  return core;
}

Status check_settings(const StreamSettings& settings) {
  TCFDL_TRY(check_subject(settings.prefix));
  TCFDL_TRY(check_opener(settings.opener));
  if (settings.window >= kSmallestWindow && settings.window <= kLargestWindow) return {};
  return make_error(Code::kInvalidArgument, "a stream's window has {} to {} bytes", kSmallestWindow, kLargestWindow);
}

/// Counts the streams of one listener; a place frees itself.
class Places {
public:
  static std::shared_ptr<void> take(const std::shared_ptr<Places>& places, std::size_t most) {
    if (places->taken_.fetch_add(1) >= most) {
      --places->taken_;
      return nullptr;
    }
    return {static_cast<void*>(places.get()), [places](void*) { --places->taken_; }};
  }

private:
  std::atomic<std::size_t> taken_ = 0;
};

} // namespace

NatsStream::NatsStream(std::unique_ptr<Core> core) : core_(std::move(core)) {}
NatsStream::~NatsStream() = default;
Status NatsStream::send(BytesView message, Deadline deadline) { return core_->send(message, deadline); }
Result<Bytes> NatsStream::receive(Deadline deadline) { return core_->receive(deadline); }
Status NatsStream::finish() { return core_->finish(); }
void NatsStream::shutdown() { core_->shutdown(); }
StreamCounters NatsStream::counters() const { return core_->counters(); }

Result<StreamListener> StreamListener::listen(Bus& bus, std::string_view subject, StreamHandler on_open,
                                              StreamSettings settings) {
  TCFDL_TRY(check_settings(settings));
  const auto accept = [&bus, on_open = std::move(on_open), settings = std::move(settings),
                       places = std::make_shared<Places>()](BytesView request) -> Result<Bytes> {
    TCFDL_ASSIGN(const auto opening, parse_opening(request));
    if (opening.hello.size() > kLargestHello) return make_error(Code::kInvalidArgument, "the hello is too large");
    auto place = Places::take(places, settings.most_streams);
    if (!place) return make_error(Code::kResourceExhausted, "{} streams are open already", settings.most_streams);
    TCFDL_ASSIGN(auto core, make_core(bus, opening, Side::kAcceptor, settings, std::move(place)));
    core->begin(opening.window);
    on_open(std::make_unique<NatsStream>(std::move(core)), opening.hello);
    return write_acceptance(settings.window);
  };
  TCFDL_ASSIGN(auto service, bus.serve(subject, accept));
  return StreamListener(std::move(service));
}

Result<std::unique_ptr<NatsStream>> open_stream(Bus& bus, std::string_view subject, BytesView hello, Deadline deadline,
                                                const StreamSettings& settings) {
  TCFDL_TRY(check_settings(settings));
  if (hello.size() > kLargestHello) return make_error(Code::kInvalidArgument, "a stream's hello has at most 64 KiB");
  TCFDL_ASSIGN(const auto id, make_id());
  const StreamOpening opening{id, settings.window, settings.opener, hello};
  TCFDL_ASSIGN(auto core, make_core(bus, opening, Side::kOpener, settings, nullptr));
  TCFDL_ASSIGN(const auto answer, bus.request(subject, write_opening(opening), deadline));
  TCFDL_ASSIGN(const auto peer_window, parse_acceptance(answer));
  core->begin(peer_window);
  return std::make_unique<NatsStream>(std::move(core));
}

} // namespace tcfdl::message_queue
