#include "tee_proxy/hops.hpp"

#include "crypto/random.hpp"
#include "wire/body.hpp"
#include "wire/tests/hop_world.hpp"

#include <gmock/gmock.h>
#include <thread>

namespace tcfdl::tee_proxy {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using wire::HopParty;

Deadline soon() { return Deadline::after(seconds(10)); }

class HopClock final : public Clock {
public:
  [[nodiscard]] UnixSeconds now() const override { return wire::kHopNow; }
};

/// A daemon that carries frames and tampers with those on their way out of the proxy.
class Meddler final : public wire::Connection {
public:
  using Change = std::function<void(Bytes&)>;
  Meddler(wire::Connection& inner, Change change) : inner_(inner), change_(std::move(change)) {}
  Status send(wire::FrameKind kind, BytesView payload, Deadline deadline) override {
    Bytes frame(payload.begin(), payload.end());
    change_(frame);
    return inner_.send(kind, frame, deadline);
  }
  Result<wire::FrameKind> receive(Bytes& payload, Deadline deadline) override {
    return inner_.receive(payload, deadline);
  }
  void shutdown() noexcept override { inner_.shutdown(); }

private:
  wire::Connection& inner_;
  Change change_;
};

/// A caller, proxies and an instance in a row, with a daemon's connections between them.
class HopsTest : public testing::Test {
protected:
  HopsTest() { instance_.statement.set_function("echo"); }
  ~HopsTest() override { end(); }

  HopParty& add_proxy(const std::string& node, const std::string& cluster) {
    auto& party = *proxies_.emplace_back(std::make_unique<HopParty>(root_, wire::ROLE_PROXY, node + "/proxy"));
    party.statement.set_node(node);
    party.statement.set_cluster(cluster);
    return party;
  }

  /// What the path is to be; the last proxy's node is the instance's.
  void start() {
    instance_.statement.set_node(proxies_.back()->statement.node());
    instance_.statement.set_cluster(proxies_.back()->statement.cluster());
    if (moved_) instance_.statement.set_node("elsewhere");
    for (auto* party : {&caller_, &instance_}) party->certificate = wire::sign(root_, party->statement);
    pipes_.resize(proxies_.size() + 1);
    for (auto& pipe : pipes_) pipe = std::make_unique<wire::Pipe>();
    for (std::size_t i = 0; i < proxies_.size(); ++i) start_proxy(i);
    threads_.emplace_back([this] { serve_instance(*pipes_.back()->right); });
  }
  void start_proxy(std::size_t i) {
    auto& party = *proxies_[i];
    party.certificate = wire::sign(root_, party.statement);
    auto self =
        std::make_shared<const HopSelf>(HopSelf{party.certificate, party.statement, party.authority, revocations_});
    auto& hops = *hops_.emplace_back(
        std::make_unique<Hops>(party.signing, [self] { return Result<std::shared_ptr<const HopSelf>>(self); }, clock_));
    wire::HopSide side;
    side.set_session(wire::field(crypto::random_array<32>()));
    threads_.emplace_back([this, i, side, &hops] { hops.serve(*pipes_[i]->right, side); });
    side.set_onward(true);
    wire::Connection* onward = pipes_[i + 1]->left.get();
    if (i == 0 && change_) onward = (meddler_ = std::make_unique<Meddler>(*onward, change_)).get();
    threads_.emplace_back([onward, side, &hops] { hops.serve(*onward, side); });
  }

  /// Gives every task's body back.
  void serve_instance(wire::Connection& carrier) {
    const auto hop = wire::answer_hop(carrier, instance_.identity(), {wire::ROLE_PROXY}, soon());
    if (!hop) return carrier.shutdown();
    const auto route = wire::receive_message<wire::HopRoute>(**hop, soon());
    if (!route) return carrier.shutdown();
    route_ = *route;
    (void)wire::answer_route(**hop, std::vector<std::string>(route->proxies().begin(), route->proxies().end()), soon());
    for (;;) {
      Bytes head;
      if (!(*hop)->receive(head, Deadline::after(seconds(60)))) break;
      wire::SegmentReader reader(**hop, std::nullopt, soon(), 100'000'000);
      const auto body = reader.read_all();
      if (!body) break;
      ++bodies_;
      if (!(*hop)->send(wire::FrameKind::kMessage, head, soon())) break;
      if (!wire::send_body(**hop, std::nullopt, *body, soon())) break;
    }
    at_instance_ = {(*hop)->opened(), (*hop)->sealed()};
    carrier.shutdown();
  }

  Result<std::vector<std::string>> connect() {
    start();
    TCFDL_ASSIGN(hop_,
                 wire::open_hop(*pipes_.front()->left, caller_.identity(), {wire::ROLE_PROXY}, wire::kHopNow, soon()));
    return wire::extend_path(*hop_, wanted_, soon());
  }
  Result<Bytes> call(BytesView body) {
    hop_->begin_task(crypto::random_array<16>());
    Status sent;
    std::jthread sender([&] {
      sent = hop_->send(wire::FrameKind::kMessage, as_bytes("head"), soon());
      if (sent) sent = wire::send_body(*hop_, std::nullopt, body, soon());
    });
    Bytes head;
    TCFDL_TRY(hop_->receive(head, soon()));
    return wire::SegmentReader(*hop_, std::nullopt, soon(), 100'000'000).read_all();
  }
  /// Ends the path and waits until everybody has noticed.
  void end() {
    for (const auto& pipe : pipes_) pipe->left->shutdown();
    threads_.clear();
  }
  Error refusal() {
    const auto path = connect();
    EXPECT_FALSE(path);
    EXPECT_EQ(bodies_, 0);
    return path ? Error(Code::kUnknown, "") : path.error();
  }
  /// All seals and all opens of a path that has ended.
  HopCounters total() {
    end();
    HopCounters sum{hop_->opened() + at_instance_.opened, hop_->sealed() + at_instance_.sealed};
    for (const auto& hops : hops_) {
      sum.opened += hops->counters().opened;
      sum.sealed += hops->counters().sealed;
    }
    return sum;
  }
  static wire::HopRoute route_to(const std::string& cluster) {
    wire::HopRoute route;
    route.set_function("echo");
    route.set_assurance("software");
    route.set_cluster(cluster);
    route.set_instance("echo-1");
    return route;
  }

  /// All proxies hear that the party is revoked.
  void revoke(const HopParty& party) {
    wire::RevocationList list;
    list.set_number(revocations_->number() + 1);
    list.add_keys(wire::field(crypto::sha256(as_bytes(party.statement.verify_key()))));
    ASSERT_TRUE(revocations_->accept(wire::sign(root_, list)));
  }

  HopClock clock_;
  crypto::SigningKey root_ = crypto::SigningKey::generate();
  std::shared_ptr<wire::Revocations> revocations_ = std::make_shared<wire::Revocations>(root_.public_key());
  HopParty caller_{root_, wire::ROLE_CLIENT, "anna"};
  HopParty instance_{root_, wire::ROLE_INSTANCE, "echo-1"};
  std::vector<std::unique_ptr<HopParty>> proxies_;
  wire::HopRoute wanted_ = route_to("west");
  bool moved_ = false; ///< the instance is not on the last proxy's node
  Meddler::Change change_;
  std::atomic<int> seen_ = 0; ///< frames that the first proxy sent on
  std::unique_ptr<Meddler> meddler_;
  std::vector<std::unique_ptr<wire::Pipe>> pipes_;
  std::vector<std::unique_ptr<Hops>> hops_;
  std::unique_ptr<wire::HopChannel> hop_;
  wire::HopRoute route_; // as the instance got it
  HopCounters at_instance_;
  std::atomic<int> bodies_ = 0;
  std::vector<std::jthread> threads_;
};

TEST_F(HopsTest, CarryATaskThroughOneProxy) {
  add_proxy("node-1", "west");
  const auto path = connect();
  ASSERT_TRUE(path) << path.error().to_string();
  EXPECT_EQ(*path, std::vector<std::string>{"node-1/proxy"});
  EXPECT_EQ(call(as_bytes("a word")).value_or(Bytes()), to_bytes("a word"));
  EXPECT_EQ(route_.caller(), "anna");
  EXPECT_EQ(route_.caller_key(), caller_.statement.verify_key());
}

TEST_F(HopsTest, SealAndOpenAsOftenAsThereAreProxiesAndOnceMore) {
  // Two masters: three seals and three opens of each record, the paper's case 3. With a worker: four.
  for (const unsigned proxies : {1U, 2U, 3U}) {
    for (unsigned i = 0; i < proxies; ++i) add_proxy("node-" + std::to_string(i), i == 0 ? "west" : "east");
    wanted_ = route_to(proxies == 1 ? "west" : "east");
    ASSERT_TRUE(connect());
    const Bytes body(3 * crypto::kSegmentSize, 'b');
    EXPECT_TRUE(call(body).value_or(Bytes()) == body);
    const auto records = 2U * (1U + 1U + 3U); // each direction: the route or its answer, a message, three segments
    const auto sum = total();
    EXPECT_EQ(sum.sealed, records * (proxies + 1));
    EXPECT_EQ(sum.opened, records * (proxies + 1));
    proxies_.clear();
    hops_.clear();
  }
}

TEST_F(HopsTest, CarryManyTasksAndLargeBodiesOverOnePath) {
  add_proxy("node-1", "west");
  add_proxy("node-2", "east");
  wanted_ = route_to("east");
  ASSERT_TRUE(connect());
  for (int i = 0; i < 3; ++i) {
    const Bytes body(5'000'000, static_cast<std::uint8_t>('a' + i));
    ASSERT_TRUE(call(body).value_or(Bytes()) == body) << i;
  }
}

TEST_F(HopsTest, EndWithTheNextRecordWhenANeighbourIsRevoked) {
  for (const bool of_caller : {true, false}) {
    add_proxy("node-1", "west");
    ASSERT_TRUE(connect());
    ASSERT_TRUE(call(as_bytes("x")));
    revoke(of_caller ? caller_ : instance_);
    EXPECT_FALSE(call(as_bytes("y")));
    EXPECT_EQ(bodies_, 1) << "nothing reached the instance";
    end();
    bodies_ = 0;
    proxies_.clear();
    hops_.clear();
    revocations_ = std::make_shared<wire::Revocations>(root_.public_key());
  }
}

TEST_F(HopsTest, RefuseARevokedCaller) {
  add_proxy("node-1", "west");
  revoke(caller_);
  EXPECT_FALSE(connect());
  end();
  EXPECT_EQ(bodies_, 0);
}

TEST_F(HopsTest, LeadToNoRevokedInstance) {
  add_proxy("node-1", "west");
  revoke(instance_);
  EXPECT_THAT(refusal().message(), HasSubstr("revoked"));
}

TEST_F(HopsTest, RefuseACallerWithoutAGrant) {
  add_proxy("node-1", "west");
  caller_.statement.clear_grants();
  caller_.statement.add_grants("other/*");
  EXPECT_THAT(refusal().message(), HasSubstr("anna has no grant to call echo"));
}

TEST_F(HopsTest, RefuseACallerOfAnotherCluster) {
  add_proxy("node-1", "west");
  caller_.statement.set_cluster("east");
  EXPECT_EQ(refusal().code(), Code::kPermissionDenied);
}

TEST_F(HopsTest, RefuseACallerThatSaysItCameThroughProxies) {
  add_proxy("node-1", "west");
  wanted_.add_proxies("node-0/proxy");
  EXPECT_EQ(refusal().code(), Code::kPermissionDenied);
}

TEST_F(HopsTest, GiveNothingToAProxyBelowTheClass) {
  add_proxy("node-1", "west").statement.set_assurance("hardware");
  add_proxy("node-2", "west");
  instance_.statement.set_assurance("hardware");
  wanted_.set_assurance("hardware");
  EXPECT_THAT(refusal().message(), HasSubstr("of class 'software' where 'hardware' is due"));
}

TEST_F(HopsTest, TakeNothingForAClassAboveTheirOwn) {
  add_proxy("node-1", "west");
  wanted_.set_assurance("hardware");
  EXPECT_EQ(refusal().code(), Code::kPermissionDenied);
  wanted_.clear_assurance();
}

TEST_F(HopsTest, GiveNothingToAProxyOfAThirdCluster) {
  add_proxy("node-1", "west");
  add_proxy("node-2", "north");
  wanted_ = route_to("east");
  EXPECT_THAT(refusal().message(), HasSubstr("the daemon led to node-2/proxy, of cluster north"));
}

TEST_F(HopsTest, GiveNothingToAnotherInstance) {
  add_proxy("node-1", "west");
  wanted_.set_instance("echo-2");
  EXPECT_THAT(refusal().message(), HasSubstr("the daemon led to echo-1, not to echo-2 of west"));
}

TEST_F(HopsTest, GiveNothingToAnInstanceOfAnotherFunction) {
  add_proxy("node-1", "west");
  instance_.statement.set_function("evil");
  EXPECT_THAT(refusal().message(), HasSubstr("which provides 'evil'"));
}

TEST_F(HopsTest, GiveNothingToAnInstanceOfAnotherNode) {
  add_proxy("node-1", "west");
  moved_ = true;
  EXPECT_THAT(refusal().message(), HasSubstr("reached by its own node's proxy"));
}

TEST_F(HopsTest, GiveNothingToAnInstanceWithoutTheAuthoritysCertificate) {
  add_proxy("node-1", "west");
  const auto other = crypto::SigningKey::generate();
  start();
  instance_.certificate = wire::sign(other, instance_.statement);
  hop_ = wire::open_hop(*pipes_.front()->left, caller_.identity(), {wire::ROLE_PROXY}, wire::kHopNow, soon()).value();
  EXPECT_EQ(wire::extend_path(*hop_, wanted_, soon()).error().code(), Code::kUnauthenticated);
}

/// Frames that the first proxy sends on: offer, finish, route, then the task's message and segments.
constexpr int kFirstOfTask = 3; // so many before it

TEST_F(HopsTest, NoticeAChangedRecordBetweenTwoProxies) {
  add_proxy("node-1", "west");
  add_proxy("node-2", "west");
  change_ = [this](Bytes& frame) {
    if (++seen_ == kFirstOfTask + 2) frame.back() ^= 1U;
  };
  ASSERT_TRUE(connect());
  EXPECT_FALSE(call(Bytes(200'000, 'x')));
  EXPECT_EQ(bodies_, 0);
}

TEST_F(HopsTest, NoticeARecordOfAnEarlierTaskBetweenTwoProxies) {
  add_proxy("node-1", "west");
  add_proxy("node-2", "west");
  // The first task's frames: message and one segment. The second task's segment is replaced by the first one's.
  Bytes earlier;
  change_ = [&](Bytes& frame) {
    ++seen_;
    if (seen_ == kFirstOfTask + 2) earlier = frame;
    if (seen_ == kFirstOfTask + 4) frame = earlier;
  };
  ASSERT_TRUE(connect());
  ASSERT_TRUE(call(as_bytes("a word")));
  EXPECT_FALSE(call(as_bytes("a wort")));
  EXPECT_EQ(bodies_, 1);
  end(); // nobody looks at `earlier` any more
}

TEST_F(HopsTest, LeaveASessionThatNobodyElseJoins) {
  HopClock clock;
  const auto key = crypto::SigningKey::generate();
  Hops hops(key, [] { return Error(Code::kFailedPrecondition, "none"); }, clock);
  wire::Pipe pipe;
  wire::HopSide side;
  side.set_session("short");
  hops.serve(*pipe.left, side);
  side.set_onward(true);
  hops.serve(*pipe.left, side); // both return at once
}

} // namespace
} // namespace tcfdl::tee_proxy
