#include "cli/up.hpp"

#include "base/file.hpp"
#include "cli/client_state.hpp"
#include "cli/state_lock.hpp"
#include "cli/supervisor.hpp"
#include "http/json.hpp"
#include "http/problem.hpp"

#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/wait.h>

namespace tcfdl::cli {
namespace {

/// Takes what was started, or why not.
using Announce = std::function<void(const Result<Json>&)>;

void print_started(const Session& session, const Json& started, bool foreground) {
  if (session.json) return print_json(started);
  std::string text;
  for (const auto& cluster : started["clusters"]) {
    text += fmt::format("cluster {}: master {}, workers {}\n  API      {}\n  gateway  {}\n  context  {}{}\n",
                        shown(cluster, "name"), shown(cluster, "master"), shown(cluster, "workers"),
                        shown(cluster, "api_url"), shown(cluster, "gateway_url"), shown(cluster, "context"),
                        cluster.value("current", false) ? " (current)" : "");
  }
  text += fmt::format("{}\nstate in {}, logs in {}/logs\n", shown(started, "protection"), shown(started, "state"),
                      shown(started, "state"));
  text += foreground ? "Ctrl-C stops everything\n" : "`tcfdl down` stops everything\n";
  print(text);
}

/// An ephemeral installation never deletes one that was meant to stay.
Status check_ephemeral(const Layout& layout, bool ephemeral) {
  if (!ephemeral) return {};
  const bool stays = std::filesystem::exists(layout.topology()) && !std::filesystem::exists(layout.ephemeral());
  if (!stays) return write_file(layout.ephemeral(), {}, kPrivateFile);
  return make_error(Code::kFailedPrecondition,
                    "{} holds an installation that --ephemeral would delete at its end; give "
                    "another --state",
                    layout.root().string());
}

Result<std::filesystem::path> own_program() {
  std::error_code failure;
  auto program = std::filesystem::read_symlink("/proc/self/exe", failure);
  if (failure) return make_error(Code::kInternal, "cannot tell which program this is: {}", failure.message());
  return program;
}

/// The whole life of a supervisor. What `announce` was told is not returned again as an error.
Status supervise(const UpOptions& options, const Announce& announce) {
  const auto layout = Layout::at(options.state);
  const auto failed = [&](const Error& error) {
    announce(error);
    return error;
  };
  if (const auto made = layout.create(); !made) return failed(made.error());
  const auto lock = StateLock::acquire(layout.lock());
  if (!lock) return failed(lock.error());
  if (const auto good = check_ephemeral(layout, options.ephemeral); !good) return failed(good.error());
  const auto topology = choose_topology(layout, options.topology);
  if (!topology) return failed(topology.error());
  const auto program = own_program();
  if (!program) return failed(program.error());
  Status outcome;
  {
    Supervisor supervisor({layout, *topology, *program, options.ready_timeout});
    const auto started = supervisor.start();
    if (started) {
      announce(started);
      supervisor.run();
    } else {
      outcome = started.error();
    }
    supervisor.stop();
    if (!started) announce(started);
  }
  if (std::filesystem::exists(layout.ephemeral())) {
    TCFDL_TRY(remove_contexts(layout));
    TCFDL_TRY(layout.remove());
  }
  return outcome;
}

std::string message_of(const Result<Json>& started) {
  if (started) return http::dump_json({{"started", *started}});
  return http::dump_json({{"code", code_name(started.error().code())}, {"message", started.error().message()}});
}

Result<Json> read_message(int fd, const std::filesystem::path& log) {
  std::string text;
  std::array<char, 4096> piece{};
  for (;;) {
    const auto got = ::read(fd, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(piece.data(), static_cast<std::size_t>(got));
  }
  const auto message = http::parse_json(as_bytes(text));
  if (!message || !message->is_object()) {
    return make_error(Code::kInternal, "the supervisor ended without a word; see {}", log.string());
  }
  if (message->contains("started")) return (*message)["started"];
  return Error(code_from_name(message->value("code", "")), message->value("message", ""));
}

/// In the child: the supervisor, apart from the terminal. Never returns.
[[noreturn]] void become_supervisor(const UpOptions& options, const Layout& layout, UniqueFd pipe) {
  ::setsid();
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const UniqueFd log(::open(layout.log("supervisor").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, kPrivateFile));
  if (null.valid() && log.valid()) {
    ::dup2(null.get(), STDIN_FILENO);
    ::dup2(log.get(), STDOUT_FILENO);
    ::dup2(log.get(), STDERR_FILENO);
  }
  const auto ended = supervise(options, [&pipe](const Result<Json>& started) {
    (void)write_all(pipe.get(), as_bytes(message_of(started)));
    pipe.reset();
  });
  if (!ended) (void)write_all(STDERR_FILENO, as_bytes("tcfdl: " + ended.error().to_string() + "\n"));
  ::_exit(ended ? 0 : 1);
}

Result<Json> start_detached(const UpOptions& options) {
  const auto layout = Layout::at(options.state);
  TCFDL_TRY(layout.create());
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("cannot make", "a pipe");
  UniqueFd in(ends[0]);
  UniqueFd out(ends[1]);
  const auto pid = ::fork();
  if (pid < 0) return errno_error("cannot start", "the supervisor");
  if (pid == 0) {
    in.reset();
    become_supervisor(options, layout, std::move(out));
  }
  out.reset();
  auto started = read_message(in.get(), layout.log("supervisor"));
  if (!started) ::waitpid(pid, nullptr, 0); // its daemons are gone when it is
  return started;
}

} // namespace

Result<Topology> choose_topology(const Layout& layout, const std::string& given) {
  const bool stored = std::filesystem::exists(layout.topology());
  if (given.empty()) return stored ? read_topology(layout.topology()) : Result<Topology>(default_topology());
  TCFDL_ASSIGN(auto wanted, read_topology(given));
  if (!stored) return wanted;
  TCFDL_ASSIGN(const auto before, read_topology(layout.topology()));
  if (before == wanted) return wanted;
  return make_error(Code::kFailedPrecondition,
                    "{} was made for another topology than {}; choose another --state, or start anew after "
                    "`tcfdl down --delete`",
                    layout.root().string(), given);
}

Status up(const Session& session, const UpOptions& options) {
  if (options.detach) {
    TCFDL_ASSIGN(const auto started, start_detached(options));
    print_started(session, started, false);
    return {};
  }
  return supervise(options, [&session](const Result<Json>& started) {
    if (started) print_started(session, *started, true);
  });
}

} // namespace tcfdl::cli
