// A publisher and subscriber by its context.
#include "base/renewal.hpp"
#include "sdk/connection.hpp"
#include "sdk/publisher.hpp"
#include "sdk/subscriber.hpp"

namespace tcfdl {
namespace {

using std::chrono::seconds;

constexpr seconds kAskTime{10};

SubscriptionState state_of(const wire::SubscriptionInfo& info) {
  return {info.topic(), info.name(), info.settled(), info.waiting(), info.dead()};
}

class ConnectedTopics final : public TopicClient {
public:
  explicit ConnectedTopics(sdk::ConnectionParts parts)
      : identity_(std::move(parts.identity)), names_(std::move(parts.names)),
        task_manager_(std::move(parts.connector), std::move(parts.token), identity_, std::move(parts.on_renewed)),
        capsules_(identity_, task_manager_, clock_), keys_(identity_, task_manager_, clock_),
        offers_(identity_, task_manager_, *names_, clock_), publisher_(identity_, task_manager_, capsules_, offers_),
        renewal_(
            {.what = "the client's certificate"}, clock_, [this] { return identity_.certificate.lifetime(); },
            [this] { return task_manager_.renew(Deadline::after(seconds(20))); }) {}

  Result<Published> publish(const std::string& topic, BytesView body, const PublishOptions& options) override {
    return publisher_.publish(topic, body, options);
  }
  Result<std::unique_ptr<TopicSubscription>> subscribe(const std::string& topic, MessageHandler handler,
                                                       const SubscribeOptions& options) override {
    TCFDL_ASSIGN(auto subscriber, sdk::Subscriber::start({task_manager_, keys_, offers_, identity_.authority}, topic,
                                                         std::move(handler), options));
    return std::unique_ptr<TopicSubscription>(std::move(subscriber));
  }
  Result<std::vector<SubscriptionState>> subscriptions(const std::string& topic) override {
    wire::TopicRequest request;
    request.mutable_list()->set_topic(topic);
    TCFDL_ASSIGN(const auto reply, task_manager_.topic(request, Deadline::after(kAskTime)));
    std::vector<SubscriptionState> states;
    for (const auto& info : reply.subscriptions().subscriptions()) states.push_back(state_of(info));
    return states;
  }
  Status unsubscribe(const std::string& topic, const std::string& name) override {
    wire::TopicRequest request;
    request.mutable_remove()->set_topic(topic);
    request.mutable_remove()->set_name(name);
    TCFDL_TRY(task_manager_.topic(request, Deadline::after(kAskTime)));
    return {};
  }
  Result<std::vector<DeadMessage>> dead_messages(const std::string& topic, const std::string& name) override {
    wire::TopicRequest request;
    auto& subscription = *request.mutable_dead_letters()->mutable_subscription();
    subscription.set_topic(topic);
    subscription.set_name(name);
    TCFDL_ASSIGN(const auto reply, task_manager_.topic(request, Deadline::after(kAskTime)));
    std::vector<DeadMessage> messages;
    for (const auto& letter : reply.dead_letters().letters()) {
      messages.push_back({letter.sequence(), letter.id(), letter.publisher(), letter.stored_ms(), letter.deliveries(),
                          letter.reason()});
    }
    return messages;
  }

private:
  SystemClock clock_;
  sdk::Identity identity_;
  std::unique_ptr<wire::KnownNames> names_;
  sdk::TaskManagerClient task_manager_;
  sdk::CapsuleSession capsules_;
  sdk::TopicKeys keys_;
  sdk::TopicOffers offers_;
  sdk::Publisher publisher_;
  Renewal renewal_; // ends first
};

} // namespace

Result<std::unique_ptr<TopicClient>> TopicClient::connect(const std::string& name) {
  TCFDL_ASSIGN(auto parts, sdk::connection_of(name));
  return std::make_unique<ConnectedTopics>(std::move(parts));
}

} // namespace tcfdl
