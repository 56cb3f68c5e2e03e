// The commands of `tcfdl bench`.
#include "cli/bench.hpp"

#include "cli/bench_rows.hpp"

#include <CLI/CLI.hpp>
#include <memory>

namespace tcfdl::cli {
namespace {

void show(const Session& session, const Json& rows) {
  if (session.json) {
    print_json(rows);
  } else {
    print_bench_rows(rows);
  }
}

void add_call(CLI::App& bench, Session& session) {
  auto* call = bench.add_subcommand("call", "calls in one cluster and across two");
  auto options = std::make_shared<BenchCallOptions>();
  call->add_option("--sizes", options->sizes, "bytes of the request, separated by commas")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{64}, std::size_t{8} << 20U));
  call->add_option("--protection", options->protection, "only this one")->check(CLI::IsMember({"eae", "hse", "none"}));
  call->add_option("--repeats", options->repeats, "exchanges a row; a quarter above 500 kB")
      ->check(CLI::Range(10U, 100'000U));
  call->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_call(session, *options));
    show(session, rows);
    return {};
  }));
}

void add_crypto(CLI::App& bench, Session& session) {
  auto* crypto = bench.add_subcommand("crypto", "what protection costs, beside single operations of OpenSSL");
  auto repeats = std::make_shared<unsigned>(200);
  crypto->add_option("--repeats", *repeats, "measurements a row")->check(CLI::Range(10U, 100'000U));
  crypto->callback(session.run([&session, repeats]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_crypto(*repeats));
    show(session, rows);
    return {};
  }));
}

void add_start(CLI::App& bench, Session& session) {
  auto* start = bench.add_subcommand("start", "first tasks of a function that sleeps: cold, and from the warm pool");
  auto repeats = std::make_shared<unsigned>(20);
  start->add_option("--repeats", *repeats, "starts a row")->check(CLI::Range(3U, 10'000U));
  start->callback(session.run([&session, repeats]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_start(session, *repeats));
    show(session, rows);
    return {};
  }));
}

} // namespace

void add_bench_commands(CLI::App& app, Session& session) {
  auto* bench = app.add_subcommand("bench", "measure, beside floors of the same run")->require_subcommand(1);
  add_call(*bench, session);
  add_crypto(*bench, session);
  add_start(*bench, session);
}

} // namespace tcfdl::cli
