#include "sdk/topic_offers.hpp"

#include "sdk/requests.hpp"

namespace tcfdl::sdk {
namespace {

constexpr std::chrono::seconds kOfferGood{60};
constexpr std::size_t kMostOffers = 1024;

} // namespace

Result<TopicOffer> TopicOffers::get(const std::string& topic, Deadline deadline) {
  auto known = kept_.with([&](const auto& kept) -> std::optional<TopicOffer> {
    const auto found = kept.find(topic);
    if (found == kept.end() || found->second.good_until.expired()) return std::nullopt;
    return found->second.offer;
  });
  if (known) return *std::move(known);
  TCFDL_ASSIGN(auto offer, ask(topic, deadline));
  kept_.with([&](auto& kept) {
    if (kept.size() >= kMostOffers) kept.clear();
    kept.insert_or_assign(topic, Kept{offer, Deadline::after(kOfferGood)});
  });
  return offer;
}

void TopicOffers::forget(const std::string& topic) {
  kept_.with([&](auto& kept) { kept.erase(topic); });
}

Result<TopicOffer> TopicOffers::ask(const std::string& topic, Deadline deadline) {
  TCFDL_ASSIGN(const auto name, parse_function_name(topic));
  wire::TopicRequest request;
  request.mutable_describe()->set_topic(name.str());
  TCFDL_ASSIGN(const auto reply, task_manager_.topic(request, deadline));
  const auto& answer = reply.offer();
  TCFDL_ASSIGN(const auto master, wire::verify_certificate(identity_.authority, answer.master_certificate(),
                                                           {wire::ROLE_MASTER}, clock_.now()));
  TCFDL_ASSIGN(auto descriptor, wire::check_descriptor(answer.descriptor()));
  if (!descriptor.has_topic()) {
    return make_error(Code::kPermissionDenied, "{} is a function, not a topic; call it", name.str());
  }
  wire::LeaseGrant offer;
  offer.set_cluster(master.cluster());
  offer.set_assurance(answer.assurance());
  TCFDL_TRY(check_offer(descriptor, offer, name.str(), {}));
  TCFDL_TRY(names_.check(descriptor, answer.descriptor()));
  return TopicOffer{std::move(descriptor), answer.descriptor(), answer.assurance()};
}

} // namespace tcfdl::sdk
