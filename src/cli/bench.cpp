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

void add_communication(CLI::App& bench, Session& session) {
  auto* command = bench.add_subcommand("communication", "the paper's figure 6: one master, its worker, two masters");
  auto options = std::make_shared<BenchCommunicationOptions>();
  command->add_option("--sizes", options->sizes, "bytes of the body, separated by commas")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{64}, std::size_t{64} << 20U));
  command->add_option("--protection", options->protection, "none, as in the paper, or eae")
      ->check(CLI::IsMember({"eae", "none"}));
  command->add_option("--repeats", options->repeats, "exchanges a row")->check(CLI::Range(10U, 100'000U));
  command->add_option("--svg", options->svg, "writes a plot there")->type_name("FILE");
  command->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_communication(session, *options));
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

void show_idle(const Json& idle) {
  const auto mebibytes = [](const Json& bytes) { return bytes.get<double>() / (1U << 20U); };
  for (const auto& process : idle["memory"]) {
    print(fmt::format("{:14} {:6.1f} MiB resident, {:.1f} MiB proportional, {:.1f} MiB private and written\n",
                      process["process"].get<std::string>(), mebibytes(process["resident_bytes"]),
                      mebibytes(process["proportional_bytes"]), mebibytes(process["private_bytes"])));
  }
  print(fmt::format("aim for all    {:6.1f} MiB resident\n", mebibytes(idle["memory_aim_bytes"])));
  print(fmt::format(
      "to the master  {:6.0f} bytes of IP an hour, {:.0f} a day (aim: {}), measured over {} s: {} segments, "
      "{} bytes of TLS in them\n",
      idle["ip_bytes_per_hour"].get<double>(), idle["ip_bytes_per_day"].get<double>(),
      idle["ip_bytes_per_day_aim"].get<std::uint64_t>(), idle["seconds"].get<std::int64_t>(),
      idle["tcp_segments"].get<std::uint64_t>(), idle["tcp_payload_bytes"].get<std::uint64_t>()));
}

void add_idle(CLI::App& bench, Session& session) {
  auto* idle = bench.add_subcommand("idle", "what a worker costs that has nothing to do");
  auto seconds = std::make_shared<unsigned>(1800);
  idle->add_option("--seconds", *seconds,
                   "length of the measurement; a multiple of the five minutes between heartbeats")
      ->check(CLI::Range(10U, 86'400U));
  idle->callback(session.run([&session, seconds]() -> Status {
    TCFDL_ASSIGN(const auto found, bench_idle(session, std::chrono::seconds(*seconds)));
    if (session.json) {
      print_json(found);
    } else {
      show_idle(found);
    }
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

void add_planner(CLI::App& bench, Session& session) {
  auto* planner = bench.add_subcommand("planner", "cutting graphs of 1000 and 10000 operators into stages");
  auto repeats = std::make_shared<unsigned>(3);
  planner->add_option("--repeats", *repeats, "plans a row")->check(CLI::Range(3U, 1000U));
  planner->callback(session.run([&session, repeats]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_planner(*repeats));
    show(session, rows);
    return {};
  }));
}

void add_pipeline(CLI::App& bench, Session& session) {
  auto* pipeline = bench.add_subcommand("pipeline", "a model in stages, beside ONNX Runtime with the whole model");
  auto options = std::make_shared<BenchPipelineOptions>();
  pipeline->add_option("--scale", options->scale, "of the MobileNet; default 8")->check(CLI::Range(1U, 64U));
  pipeline->add_option("--stages", options->stages, "default 4")->check(CLI::Range(1U, 16U));
  pipeline->add_option("--callers", options->callers, "tasks in flight; default 6")->check(CLI::Range(1U, 256U));
  pipeline->add_option("--repeats", options->repeats, "rounds, of twelve tasks a caller; default 10")
      ->check(CLI::Range(3U, 1000U));
  pipeline->callback(session.run([&session, options]() -> Status {
    TCFDL_ASSIGN(const auto rows, bench_pipeline(session, *options));
    show(session, rows);
    return {};
  }));
}

} // namespace

void add_bench_commands(CLI::App& app, Session& session) {
  auto* bench = app.add_subcommand("bench", "measure, beside floors of the same run")->require_subcommand(1);
  add_call(*bench, session);
  add_communication(*bench, session);
  add_crypto(*bench, session);
  add_idle(*bench, session);
  add_start(*bench, session);
  add_planner(*bench, session);
  add_pipeline(*bench, session);
}

} // namespace tcfdl::cli
