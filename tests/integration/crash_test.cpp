// What is on disk after a process was killed while it wrote: through the classes that write, on real files.
#include "base/file.hpp"
#include "courier/task_store.hpp"
#include "database/file_store.hpp"
#include "security_manager/audit_log.hpp"

#include <csignal>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sstream>
#include <sys/wait.h>

namespace tcfdl {
namespace {

constexpr int kRounds = 25;
constexpr std::size_t kBody = 20'000;

std::string body_of(const std::string& id) {
  std::string body;
  while (body.size() < kBody) body += id;
  body.resize(kBody);
  return body;
}

std::string weak_digest(BytesView content) {
  const auto hash = std::hash<std::string_view>()(as_text(content));
  return fmt::format("{:016x}{:016x}", hash, ~hash);
}

/// What a master keeps, as far as it is written while it runs.
struct Stores {
  std::unique_ptr<database::Database> database;
  std::unique_ptr<database::FileStore> files;
  std::unique_ptr<courier::TaskStore> tasks;
  std::unique_ptr<security_manager::AuditLog> audit;

  static Result<Stores> open(const std::filesystem::path& directory, const Clock& clock) {
    Stores stores;
    TCFDL_ASSIGN(stores.database, database::Database::open(directory / "master.sqlite"));
    TCFDL_ASSIGN(stores.files,
                 database::FileStore::open(*stores.database, clock, {directory / "artefacts", weak_digest}));
    TCFDL_ASSIGN(stores.tasks, courier::TaskStore::open(*stores.database, {.directory = directory / "tasks"},
                                                        [&clock] { return clock.now() * 1000; }));
    TCFDL_ASSIGN(stores.audit, security_manager::AuditLog::open(*stores.database, clock));
    return stores;
  }
};

const courier::Owner kOwner{"anna", "key", {}, {}};

Status submit(courier::TaskStore& tasks, const std::string& id) {
  wire::SealedHeader header;
  header.set_task_id(id);
  header.set_function("plates/read");
  header.set_expires_ms(std::numeric_limits<std::int64_t>::max());
  wire::SubmitTask task;
  task.mutable_task()->set_header(header.SerializeAsString());
  task.set_body_size(kBody);
  task.set_body_tag(id);
  TCFDL_ASSIGN(auto begun, tasks.begin(kOwner, task, header));
  auto& upload = std::get<courier::TaskStore::Upload>(begun);
  const auto body = body_of(id);
  TCFDL_TRY(upload.write(as_bytes(body).first(kBody / 2)));
  TCFDL_TRY(upload.write(as_bytes(body).subspan(kBody / 2)));
  TCFDL_TRY(upload.commit());
  return {};
}

/// Writes until it is killed, and says what is done as soon as it is.
[[noreturn]] void write_for_ever(const std::filesystem::path& directory, int say) {
  const SystemClock clock;
  auto stores = Stores::open(directory, clock);
  const auto tell = [say](const std::string& what) { (void)write_all(say, as_bytes(what + "\n")); };
  if (!stores) {
    tell("failed " + stores.error().to_string());
    ::_exit(1);
  }
  tell("open");
  for (int i = 0;; ++i) {
    const auto id = make_uuid();
    const courier::TaskRef ref{kOwner.id(), id};
    auto done = submit(*stores->tasks, id);
    if (done) tell("submitted " + id);
    if (done && i % 2 == 0) done = stores->tasks->set_running(ref, "instance", "node");
    if (done && i % 2 == 0) tell("running " + id);
    if (done && i % 4 == 0)
      done = stores->tasks->end(ref, courier::End::of(wire::TASK_STATE_CANCELLED, {Code::kCancelled, ""}));
    if (done && i % 4 == 0) tell("ended " + id);
    if (done) {
      const auto digest = stores->files->put(as_bytes(body_of(id)));
      done = digest ? Status() : Status(digest.error());
      if (done) tell("stored " + *digest);
    }
    stores->audit->add({"anna", "caller", "", "CALL", id, true, "OK"});
    if (!done) tell("failed " + done.error().to_string());
  }
}

class Crash : public testing::Test {
protected:
  /// Lets a writer say `lines` things and kills it then, wherever it is.
  void write_and_kill(unsigned lines) {
    int ends[2] = {-1, -1};
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd hear(ends[0]);
    UniqueFd say(ends[1]);
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_for_ever(directory_.path(), say.get());
    say.reset();
    std::string text;
    for (std::size_t heard = 0; heard <= lines;) {
      std::array<char, 256> piece{};
      const auto got = ::read(hear.get(), piece.data(), 1);
      if (got <= 0) break;
      text.push_back(piece[0]);
      heard += piece[0] == '\n' ? 1 : 0;
    }
    ::kill(child, SIGKILL);
    std::array<char, 4096> rest{};
    for (ssize_t got = 0; (got = ::read(hear.get(), rest.data(), rest.size())) > 0;) {
      text.append(rest.data(), static_cast<std::size_t>(got));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << text;
    note(text.substr(0, text.rfind('\n') + 1));
  }
  void note(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      const auto space = line.find(' ');
      const auto what = line.substr(space + 1);
      ASSERT_FALSE(line.starts_with("failed")) << line;
      if (line.starts_with("submitted")) submitted_.insert(what);
      if (line.starts_with("running")) running_.insert(what);
      if (line.starts_with("ended")) ended_.insert(what);
      if (line.starts_with("stored")) stored_.insert(what);
    }
  }
  void expect_whole() {
    const SystemClock clock;
    auto stores = Stores::open(directory_.path(), clock);
    ASSERT_TRUE(stores) << stores.error().to_string();
    const auto checked = stores->database->check();
    EXPECT_TRUE(checked) << checked.error().to_string();
    for (const auto& id : submitted_) {
      const courier::TaskRef ref{kOwner.id(), id};
      const auto task = stores->tasks->get(ref);
      ASSERT_TRUE(task) << task.error().to_string();
      if (running_.contains(id)) {
        EXPECT_NE(task->state(), wire::TASK_STATE_WAITING);
      }
      if (ended_.contains(id)) {
        EXPECT_EQ(task->state(), wire::TASK_STATE_CANCELLED);
      }
    }
    for (const auto& digest : stored_) EXPECT_TRUE(stores->files->get(digest)) << digest;
    const auto open = stores->tasks->unfinished();
    ASSERT_TRUE(open);
    for (const auto& task : *open) {
      const auto job = stores->tasks->job(task.ref);
      ASSERT_TRUE(job) << job.error().to_string();
      EXPECT_EQ(read_text_file(job->body).value_or("gone"), body_of(task.ref.id)) << "a task whose body is not whole";
    }
    EXPECT_TRUE(stores->audit->newest(10));
  }

  TemporaryDirectory directory_;
  std::set<std::string> submitted_;
  std::set<std::string> running_;
  std::set<std::string> ended_;
  std::set<std::string> stored_;
};

TEST_F(Crash, LosesNothingThatWasSaidToBeDoneAndLeavesNothingHalfDone) {
  const auto seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937 draws(seed);
  for (int round = 0; round < kRounds && !HasFailure(); ++round) {
    write_and_kill(std::uniform_int_distribution<unsigned>(0, 40)(draws));
    expect_whole();
  }
  EXPECT_GT(submitted_.size(), static_cast<std::size_t>(kRounds));
}

} // namespace
} // namespace tcfdl
