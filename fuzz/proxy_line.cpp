// What a stranger sends to the port where a daemon waits for its TEE proxy, and in place of the daemon: no line.
#include "wire/proxy_line.hpp"
#include "wire/framed.hpp"

#include <algorithm>
#include <cstdlib>

namespace {

using namespace tcfdl;
using namespace tcfdl::wire;

/// The input as bytes of a stream; what is sent goes nowhere.
class Stranger final : public FramedConnection {
public:
  explicit Stranger(BytesView input) : input_(input) {}
  void shutdown() noexcept override {}

private:
  Status write(BytesView, BytesView, Deadline) override { return {}; }
  Result<std::size_t> read_some(std::span<std::uint8_t> out, Deadline) override {
    if (input_.empty()) return Error(Code::kUnavailable, "the end");
    const auto count = std::min(out.size(), input_.size());
    std::copy_n(input_.begin(), count, out.begin());
    input_ = input_.subspan(count);
    return count;
  }

  BytesView input_;
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const LineSecret kSecret;
  const auto deadline = Deadline::after(std::chrono::hours(1));
  Stranger proxy({data, size});
  if (admit_line(proxy, kSecret, deadline)) std::abort();
  Stranger daemon({data, size});
  if (prove_line(daemon, ProxyLine::kCommands, kSecret, deadline)) std::abort();
  return 0;
}
