#include "exec/pool.hpp"

#include "exec/tests/fakes.hpp"

#include <future>
#include <gmock/gmock.h>

namespace tcfdl::exec {
namespace {

using testing::HasSubstr;

// Answers by the body's first word; `pid` and `echo` behave, the others do not.
constexpr auto kProgram = R"(
import json, os, struct, sys, time
take, give = sys.stdin.buffer, sys.stdout.buffer
good = struct.pack('>I', 11) + b'{"ok":true}'
def answer(header, body=b''):
    text = json.dumps(header).encode()
    give.write(struct.pack('>I', len(text)) + text + struct.pack('>Q', len(body)) + body)
    give.flush()
while size := take.read(4):
    header = json.loads(take.read(struct.unpack('>I', size)[0]))
    length = struct.unpack('>Q', take.read(8))[0]
    if length == 5000000:
        answer({'ok': True}, b'early')
        time.sleep(1000)
    body = take.read(length)
    word = body[:10].split(b' ')[0]
    if word == b'pid': answer({'ok': True}, str(os.getpid()).encode())
    elif word == b'caller': answer({'ok': True}, header['caller'].encode())
    elif word == b'refuse': answer({'ok': False, 'code': 'INVALID_ARGUMENT', 'message': 'not today'})
    elif word == b'die': print('out of ideas', file=sys.stderr, flush=True); os._exit(7)
    elif word == b'part': give.write(b'\0\0'); give.flush(); os._exit(0)
    elif word == b'close': os.close(1); time.sleep(1000)
    elif word == b'rubbish': print('Hello, world!', flush=True); time.sleep(1000)
    elif word == b'huge': give.write(good + struct.pack('>Q', 1 << 62)); give.flush(); time.sleep(1000)
    elif word == b'twice': give.write(2 * (good + struct.pack('>Q', 1) + b'1')); give.flush()
    elif word == b'hang': print('hanging', file=sys.stderr, flush=True); time.sleep(1000)
    else: answer({'ok': True}, body)
)";

class PoolTest : public testing::Test {
protected:
  std::string run(const std::string& body) {
    const auto result = pool.run(task, as_bytes(body));
    return result ? std::string(as_text(*result)) : result.error().to_string();
  }

  Launcher launcher;
  FakeTask task;
  Pool pool{launcher, {"python3", "-c", kProgram}};
};

TEST_F(PoolTest, RoundTrips) {
  EXPECT_EQ(run("echo"), "echo");
  EXPECT_EQ(run(""), "");
  EXPECT_EQ(run("caller"), "alice");
  const auto large = long_text(std::size_t{16} << 20U);
  EXPECT_TRUE(run(large) == large);
}

TEST_F(PoolTest, GivesOneProcessOneTaskAfterTheOther) {
  const auto first = run("pid");
  EXPECT_EQ(run("pid"), first);
  EXPECT_EQ(run("refuse"), "INVALID_ARGUMENT: not today");
  EXPECT_EQ(run("pid"), first);
}

TEST_F(PoolTest, RunsTasksSideBySideInProcessesOfTheirOwn) {
  FakeTask cancelled;
  auto hanging = std::async(std::launch::async, [&] { return pool.run(cancelled, as_bytes("hang")); });
  EXPECT_EQ(run("echo"), "echo");
  cancelled.cancel();
  const auto ended = hanging.get();
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), Code::kCancelled);
}

TEST_F(PoolTest, RecoversFromDeathInTheMiddleOfATask) {
  const auto first = run("pid");
  EXPECT_EQ(run("die"),
            "INTERNAL: python3 ended in the middle of a task with exit code 7; its stderr ends with: out of ideas");
  EXPECT_THAT(run("part"), HasSubstr("ended in the middle of a task with exit code 0"));
  const auto second = run("pid");
  EXPECT_NE(second, first);
  EXPECT_EQ(run("pid"), second);
}

TEST_F(PoolTest, KillsAProgramThatClosesItsOutput) {
  EXPECT_EQ(run("close"), "INTERNAL: python3 closed its stdout in the middle of a task and was killed");
}

TEST_F(PoolTest, SaysWhatIsWrongWithRubbishAndStartsAgain) {
  const auto first = run("pid");
  EXPECT_THAT(run("rubbish"), HasSubstr("INTERNAL: the program broke the format: its answer begins with a header of "
                                        "1214606444 bytes"));
  EXPECT_THAT(run("huge"), HasSubstr("body of 4611686018427387904 bytes; at most 1073741824"));
  EXPECT_NE(run("pid"), first);
}

TEST_F(PoolTest, AnAnswerNobodyAskedForReachesNoOtherTask) {
  const auto first = run("pid");
  EXPECT_EQ(run("twice"), "1");
  EXPECT_EQ(run("echo"), "echo");
  EXPECT_NE(run("pid"), first);
}

TEST_F(PoolTest, AnAnswerBeforeTheWholeRequestCountsAndEndsTheProgram) {
  const auto first = run("pid");
  EXPECT_EQ(run(std::string(5'000'000, 'x')), "early");
  EXPECT_NE(run("pid"), first);
}

TEST_F(PoolTest, ACancelledTaskEndsItsProgram) {
  const auto first = run("pid");
  FakeTask short_task;
  short_task.set_time_left(std::chrono::milliseconds(50));
  const auto ended = pool.run(short_task, as_bytes("hang"));
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().code(), Code::kDeadlineExceeded);
  EXPECT_NE(run("pid"), first);
}

TEST_F(PoolTest, RefusesWhatIsBeyondTheLimit) {
  Pool small(launcher, {"cat"}, {.header = 100, .body = 3});
  const auto result = small.run(task, as_bytes("1234"));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Code::kResourceExhausted);
}

} // namespace
} // namespace tcfdl::exec
