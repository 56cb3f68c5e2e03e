// Logs of a bus: streams and pull consumers of JetStream.
#include "message_queue/names.hpp"
#include "message_queue/nats_link.hpp"

#include <algorithm>
#include <array>

namespace tcfdl::message_queue {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

using StreamInfoPtr = std::unique_ptr<jsStreamInfo, Destroyer<jsStreamInfo_Destroy>>;
using ConsumerInfoPtr = std::unique_ptr<jsConsumerInfo, Destroyer<jsConsumerInfo_Destroy>>;
using PubAckPtr = std::unique_ptr<jsPubAck, Destroyer<jsPubAck_Destroy>>;

/// Deliveries to one reader that are not settled yet.
constexpr std::int64_t kMostOpen = 1000;
/// The server answers a request that it cannot fill somewhat earlier than the library gives up.
constexpr milliseconds kShortestWait{20};

std::string subject_of(const std::string& log) { return "tcfdl.log." + log; }

/// The library's status, and the server's word where it has one.
Status check_answer(natsStatus status, jsErrCode code, std::string_view what, const std::string& log) {
  if (status == NATS_OK) return {};
  if (code == JSStreamNotFoundErr || code == JSConsumerNotFoundErr) {
    return make_error(Code::kNotFound, "{} {}: the message queue does not have it", what, log);
  }
  if (code == JSStreamWrongLastSequenceErr) {
    return make_error(Code::kDataLoss, "{} {}: the message queue has other messages", what, log);
  }
  return check(status, what, log);
}

class NatsLogMessage final : public LogMessage {
public:
  NatsLogMessage(std::shared_ptr<natsSubscription> subscription, MessagePtr message, std::uint64_t number)
      : subscription_(std::move(subscription)), message_(std::move(message)), number_(number) {}
  [[nodiscard]] std::uint64_t number() const override { return number_; }
  [[nodiscard]] BytesView data() const override {
    return {reinterpret_cast<const std::uint8_t*>(natsMsg_GetData(message_.get())),
            static_cast<std::size_t>(std::max(natsMsg_GetDataLength(message_.get()), 0))};
  }
  void settle() override { natsMsg_Ack(message_.get(), nullptr); }
  void put_back(milliseconds delay) override { natsMsg_NakWithDelay(message_.get(), delay.count(), nullptr); }
  void keep() override { natsMsg_InProgress(message_.get(), nullptr); }

private:
  const std::shared_ptr<natsSubscription> subscription_; // which the library uses to answer
  const MessagePtr message_;
  const std::uint64_t number_;
};

class NatsLogReader final : public LogReader {
public:
  NatsLogReader(SubscriptionPtr subscription, std::string log)
      : subscription_(std::move(subscription)), log_(std::move(log)) {}

  Result<Messages> fetch(std::size_t most, std::size_t most_bytes, milliseconds wait) override {
    jsFetchRequest request;
    jsFetchRequest_Init(&request);
    request.Batch = static_cast<int>(most);
    request.MaxBytes = static_cast<std::int64_t>(most_bytes);
    request.Expires = nanoseconds(std::max(wait, kShortestWait)).count();
    natsMsgList list{};
    const auto status = natsSubscription_FetchRequest(&list, subscription_.get(), &request);
    Messages messages;
    for (int i = 0; i < list.Count; ++i) {
      MessagePtr message(std::exchange(list.Msgs[i], nullptr));
      jsMsgMetaData* raw = nullptr;
      if (natsMsg_GetMetaData(&raw, message.get()) != NATS_OK) continue; // of the server's own, not of the log
      const MetaDataPtr data(raw);
      messages.push_back(std::make_unique<NatsLogMessage>(subscription_, std::move(message), data->Sequence.Stream));
    }
    natsMsgList_Destroy(&list);
    if (status == NATS_OK || status == NATS_TIMEOUT || !messages.empty()) return messages;
    if (status == NATS_ERR) { // so the library has the server's word that the request ends, as its reader does
      return make_error(Code::kNotFound, "cannot read log {}: the message queue has lost the reader", log_);
    }
    return check(status, "cannot read log", log_).error();
  }

private:
  const std::shared_ptr<natsSubscription> subscription_;
  const std::string log_;
};

} // namespace

Status NatsBus::create_log(const std::string& log) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  const auto subject = subject_of(log);
  std::array<const char*, 1> subjects{subject.c_str()};
  jsStreamConfig wanted;
  jsStreamConfig_Init(&wanted);
  wanted.Name = log.c_str();
  wanted.Subjects = subjects.data();
  wanted.SubjectsLen = 1;
  wanted.Storage = js_FileStorage;
  jsStreamInfo* raw = nullptr;
  jsErrCode code{};
  const auto status = js_AddStream(&raw, jetstream, &wanted, nullptr, &code);
  const StreamInfoPtr made(raw);
  return check_answer(status, code, "cannot make log", log);
}

Result<LogState> NatsBus::log_state(const std::string& log) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsStreamInfo* raw = nullptr;
  jsErrCode code{};
  const auto status = js_GetStreamInfo(&raw, jetstream, log.c_str(), nullptr, &code);
  const StreamInfoPtr info(raw);
  if (status == NATS_NOT_FOUND) return make_error(Code::kNotFound, "the message queue has no log {}", log);
  TCFDL_TRY(check_answer(status, code, "cannot look at log", log));
  return LogState{info->State.FirstSeq, info->State.LastSeq, info->State.Msgs};
}

Status NatsBus::append_to_log(const std::string& log, std::uint64_t after, BytesView data) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsPubOptions wanted;
  jsPubOptions_Init(&wanted);
  const auto id = std::to_string(after + 1); // a repeat after a lost answer is recognised by it
  wanted.MsgId = id.c_str();
  wanted.ExpectLastSeq = after;
  jsPubAck* raw = nullptr;
  jsErrCode code{};
  const auto status =
      js_Publish(&raw, jetstream, subject_of(log).c_str(), data.data(), static_cast<int>(data.size()), &wanted, &code);
  const PubAckPtr answer(raw);
  TCFDL_TRY(check_answer(status, code, "cannot append to log", log));
  if (answer->Sequence == after + 1) return {};
  return make_error(Code::kDataLoss, "log {} has stored as {} what was to be {}", log, answer->Sequence, after + 1);
}

Status NatsBus::trim_log(const std::string& log, std::uint64_t first) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsOptions wanted;
  jsOptions_Init(&wanted);
  wanted.Wait = link_->settings.operation_timeout.count();
  wanted.Stream.Purge.Sequence = first;
  jsErrCode code{};
  const auto status = js_PurgeStream(jetstream, log.c_str(), &wanted, &code);
  return check_answer(status, code, "cannot trim log", log);
}

Status NatsBus::remove_log(const std::string& log) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsErrCode code{};
  const auto status = js_DeleteStream(jetstream, log.c_str(), nullptr, &code);
  const auto removed = check_answer(status, code, "cannot remove log", log);
  return !removed && removed.error().code() == Code::kNotFound ? Status() : removed;
}

Result<std::unique_ptr<LogReader>> NatsBus::open_reader(const std::string& log, const std::string& reader,
                                                        const ReaderSettings& settings) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_TRY(check_bucket(reader));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsConsumerInfo* raw_info = nullptr;
  jsErrCode code{};
  auto status = js_GetConsumerInfo(&raw_info, jetstream, log.c_str(), reader.c_str(), nullptr, &code);
  ConsumerInfoPtr info(raw_info);
  if (status != NATS_OK) {
    jsConsumerConfig wanted;
    jsConsumerConfig_Init(&wanted);
    wanted.Durable = reader.c_str();
    wanted.DeliverPolicy = js_DeliverByStartSequence;
    wanted.OptStartSeq = settings.start;
    wanted.AckPolicy = js_AckExplicit;
    wanted.AckWait = nanoseconds(settings.time).count();
    wanted.MaxAckPending = kMostOpen;
    raw_info = nullptr;
    status = js_AddConsumer(&raw_info, jetstream, log.c_str(), &wanted, nullptr, &code);
    info.reset(raw_info);
    TCFDL_TRY(check_answer(status, code, "cannot make a reader of log", log));
  }
  jsSubOptions binding;
  jsSubOptions_Init(&binding);
  binding.Stream = log.c_str();
  natsSubscription* raw = nullptr;
  status = js_PullSubscribe(&raw, jetstream, subject_of(log).c_str(), reader.c_str(), nullptr, &binding, &code);
  TCFDL_TRY(check_answer(status, code, "cannot read log", log));
  return std::make_unique<NatsLogReader>(SubscriptionPtr(raw, {link_->ended}), log);
}

Status NatsBus::remove_reader(const std::string& log, const std::string& reader) {
  TCFDL_TRY(check_bucket(log));
  TCFDL_TRY(check_bucket(reader));
  TCFDL_ASSIGN(auto* const jetstream, link_->jetstream());
  jsErrCode code{};
  const auto status = js_DeleteConsumer(jetstream, log.c_str(), reader.c_str(), nullptr, &code);
  const auto removed = check_answer(status, code, "cannot remove a reader of log", log);
  return !removed && removed.error().code() == Code::kNotFound ? Status() : removed;
}

} // namespace tcfdl::message_queue
