#include "exec/program.hpp"

#include "exec/once.hpp"
#include "exec/pool.hpp"

namespace tcfdl::exec {
namespace {

constexpr std::string_view kUsage = "usage: tcfdl-exec once|serve PROGRAM [ARGS...]\n"
                                    "  once   starts PROGRAM for each task: body on stdin, result on stdout\n"
                                    "  serve  keeps PROGRAM running and gives it one task after the other as frames";

} // namespace

Result<Order> parse_order(std::span<char* const> arguments) {
  if (arguments.size() < 2) return Error(Code::kInvalidArgument, std::string(kUsage));
  const std::string_view mode(arguments[0]);
  if (mode != "once" && mode != "serve") {
    return make_error(Code::kInvalidArgument, "'{}' is neither once nor serve\n{}", mode, kUsage);
  }
  const std::string_view next(arguments[1]);
  const auto command = arguments.subspan(next == "--" ? 2 : 1);
  if (command.empty()) return Error(Code::kInvalidArgument, std::string(kUsage));
  return Order{mode == "once" ? Mode::kOnce : Mode::kServe, {command.begin(), command.end()}};
}

int run(std::span<char* const> arguments) {
  auto order = parse_order(arguments);
  if (!order) {
    fmt::print(stderr, "{}\n", order.error().message());
    return 2;
  }
  Launcher launcher;
  if (order->mode == Mode::kOnce) {
    Once once(launcher, std::move(order->command));
    return serve([&](TaskContext& task, BodyReader& body, BodyWriter& result) { return once.run(task, body, result); });
  }
  Pool pool(launcher, std::move(order->command));
  return serve([&](TaskContext& task, BytesView body) { return pool.run(task, body); });
}

} // namespace tcfdl::exec
