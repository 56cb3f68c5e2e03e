// Rubbish from everybody: on every socket that the platform listens on, and on every subject of its message queues.
#include "collaboration/subjects.hpp"
#include "insider.hpp"

#include <algorithm>
#include <arpa/inet.h>
#include <csignal>
#include <fstream>
#include <gtest/gtest.h>
#include <random>
#include <set>
#include <sys/socket.h>
#include <sys/un.h>

namespace tcfdl::test {
namespace {

using std::chrono::milliseconds;

Bytes random_bytes(std::size_t size) {
  std::mt19937 generator(17);
  Bytes bytes(size);
  std::ranges::generate(bytes, [&] { return static_cast<std::uint8_t>(generator()); });
  return bytes;
}

Bytes joined(std::initializer_list<BytesView> parts) {
  Bytes all;
  for (const auto part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

/// A message in a message in a message …, each the field 1 of the one before.
Bytes nested(std::size_t depth) {
  Bytes inner;
  for (std::size_t i = 0; i < depth; ++i) {
    Bytes outer{0x0a};
    auto length = inner.size();
    for (; length >= 0x80; length >>= 7U) outer.push_back(static_cast<std::uint8_t>(length | 0x80U));
    outer.push_back(static_cast<std::uint8_t>(length));
    outer.insert(outer.end(), inner.begin(), inner.end());
    inner = std::move(outer);
  }
  return inner;
}

/// What is sent where a protocol is spoken, none of it right: frames, HTTP, NATS, noise.
std::vector<Bytes> rubbish() {
  const Bytes frame{0, 0, 0, 100, 1};
  return {{},
          random_bytes(64UL * 1024),
          {0xff, 0xff, 0xff, 0xff, 1},
          {0, 0x10, 0, 0, 1, 'c', 'u', 't'},
          {0, 0, 0, 0, 9},
          joined({frame, random_bytes(100)}),
          joined({frame, BytesView(frame), BytesView(frame)}),
          joined({Bytes{0, 0, 0x20, 0, 1}, nested(2000)}),
          to_bytes("GET / HTTP/1.1\r\nX: " + std::string(200'000, 'x')),
          to_bytes("POST /v1/functions HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n"),
          to_bytes("POST /v1/functions HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
          to_bytes("CONNECT {\"jwt\":\"" + std::string(200'000, 'x')),
          to_bytes("PUB tcfdl.master.enrol 99999999999\r\n")};
}

/// A socket on which a process of the platform listens.
struct Door {
  sockaddr_storage address{};
  socklen_t length = 0;
  std::string name;
};

std::set<std::string> sockets_of(pid_t pid) {
  std::set<std::string> inodes;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(fmt::format("/proc/{}/fd", pid), error)) {
    const auto target = std::filesystem::read_symlink(entry.path(), error).string();
    if (target.starts_with("socket:[")) inodes.insert(target.substr(8, target.size() - 9));
  }
  return inodes;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<std::string>(stream), {}};
}

void add_tcp_doors(pid_t pid, const std::set<std::string>& inodes, std::map<std::string, Door>& doors) {
  std::ifstream table(fmt::format("/proc/{}/net/tcp", pid));
  for (std::string line; std::getline(table, line);) {
    const auto words = words_of(line);
    if (words.size() < 10 || words[3] != "0A" || !inodes.contains(words[9])) continue;
    const auto colon = words[1].find(':');
    Door door;
    door.name = "tcp " + words[1];
    auto& address = reinterpret_cast<sockaddr_in&>(door.address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = static_cast<in_addr_t>(std::stoul(words[1].substr(0, colon), nullptr, 16));
    address.sin_port = htons(static_cast<std::uint16_t>(std::stoul(words[1].substr(colon + 1), nullptr, 16)));
    door.length = sizeof(address);
    doors[door.name] = door;
  }
}

void add_unix_doors(pid_t pid, const std::set<std::string>& inodes, std::map<std::string, Door>& doors) {
  constexpr const char* kListening = "00010000";
  std::ifstream table(fmt::format("/proc/{}/net/unix", pid));
  for (std::string line; std::getline(table, line);) {
    const auto words = words_of(line);
    if (words.size() < 8 || words[3] != kListening || !inodes.contains(words[6])) continue;
    Door door;
    door.name = "unix " + words[7];
    const auto path = fmt::format("/proc/{}/root{}", pid, words[7]);
    auto& address = reinterpret_cast<sockaddr_un&>(door.address);
    if (path.size() >= sizeof(address.sun_path)) throw std::runtime_error(path + " is too long");
    address.sun_family = AF_UNIX;
    std::ranges::copy(path, address.sun_path);
    door.length = sizeof(address);
    doors[door.name] = door;
  }
}

/// Connects and sends what the peer takes; the peer may end it at any time.
UniqueFd attack(const Door& door, BytesView bytes) {
  UniqueFd fd(::socket(door.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{.tv_sec = 1, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&door.address), door.length) != 0) {
    throw std::runtime_error("cannot connect to " + door.name);
  }
  while (!bytes.empty()) {
    const auto sent = ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
  return fd;
}

class Attack : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_EQ(platform_.up(), "");
    ASSERT_EQ(platform_.deploy("echo", "examples-echo").exit_code, 0);
    ASSERT_EQ(platform_.invoke("echo", "before").out, "before");
  }

  [[nodiscard]] std::set<pid_t> processes() const {
    const auto hosts = platform_.pids("", platform_.state().string());
    const auto instances = platform_.instances("examples-echo");
    std::set<pid_t> all(hosts.begin(), hosts.end());
    all.insert(instances.begin(), instances.end());
    return all;
  }

  [[nodiscard]] std::vector<Door> doors() const {
    std::map<std::string, Door> found;
    for (const auto pid : processes()) {
      const auto inodes = sockets_of(pid);
      add_tcp_doors(pid, inodes, found);
      add_unix_doors(pid, inodes, found);
    }
    std::vector<Door> all;
    for (auto& [name, door] : found) all.push_back(door);
    return all;
  }

  /// Nobody died, nobody was started anew, and calls work.
  void expect_untouched(const std::set<pid_t>& before) {
    EXPECT_EQ(platform_.invoke("echo", "after").out, "after");
    EXPECT_EQ(processes(), before);
  }

  Platform platform_;
};

TEST_F(Attack, OnEverySocketChangesNothing) {
  const auto before = processes();
  const auto all = doors();
  // Service manager and master each with a nats-server, API, task door, gateway, two proxies, agents, instances.
  ASSERT_GE(all.size(), 9U);
  std::vector<UniqueFd> held; // some stay open and silent
  for (const auto& door : all) {
    for (const auto& bytes : rubbish()) {
      auto fd = attack(door, bytes);
      if (bytes.size() < 16) held.push_back(std::move(fd));
    }
  }
  expect_untouched(before);
}

TEST_F(Attack, OnEverySubjectByAnInsiderChangesNothing) {
  using namespace collaboration;
  const auto before = processes();
  AuthorityCopy authority(platform_);
  const std::map<std::string, std::vector<std::string>> subjects{
      {"local-master",
       {link_subject("local"), relay_subject("worker-1"), relay_subject("local-master"), command_subject("worker-1"),
        command_subject("local-master"), report_subject("worker-1", "status"), report_subject("worker-1", "events"),
        report_subject("worker-1", "authority"), report_subject("nobody", "status"), kEnrolSubject,
        kCredentialSubject}},
      {"service-manager",
       {authority_subject("local"), registry_subject("local"), credential_subject("local"), kServiceEnrolSubject}}};
  for (const auto& [node, list] : subjects) {
    const auto account = authority.account_key(node == "service-manager" ? "_service_manager" : "local");
    const auto bus =
        connect_insider(platform_, node, account, {.publish = {"tcfdl.>"}, .subscribe = {"_INBOX_insider.>"}});
    for (const auto& subject : list) {
      for (const auto& bytes : rubbish()) {
        EXPECT_TRUE(bus->publish(subject, bytes));
        (void)bus->request(subject, bytes, Deadline::after(milliseconds(50))); // some subjects have no answers
      }
      EXPECT_TRUE(bus->publish(subject, random_bytes((1UL << 20U) - 512)));
    }
  }
  expect_untouched(before);
}

} // namespace
} // namespace tcfdl::test
